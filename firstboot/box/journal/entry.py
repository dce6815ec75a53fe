"""An entry of the journal: one line of JSON, which has the digest of the line before it.

`{"before":"5f...","cause":"relay 2: it runs","kind":"began","number":17,"text":"DOWN: relay 2",
"time":1764536460,"values":{}}`. Names are sorted and nothing is between the parts, so that an entry
has one form alone.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import JOURNAL_ENTRY

MINUTE = 60

NOTHING = "0" * 64
"""What the first entry of a journal has for the digest of the one before."""

LATEST = 1 << 40
"""Seconds since 1970 that no clock of a box shows."""

Value = str | int | tuple[str, ...]


class Kind(Enum):
    START = "start"
    """The box started, or the record of what was noted before is gone."""

    CONFIGURATION = "configuration"
    """Another configuration runs."""

    PORTS = "ports"
    """The transit and exchange ports went up or down."""

    BEGAN = "began"
    """Something is not as it has to be: a daemon, a session, the filter, the clock, a disk."""

    ENDED = "ended"
    """It is well again."""

    CLOCK = "clock"
    """The clock was set."""

    COUNTERS = "counters"
    """Counters, once an hour."""

    LEAK = "leak"
    """Packets with a foreign source were stopped."""

    BACKSCATTER = "backscatter"
    """Answers came to what was never asked: somebody sends with the own addresses."""

    REPAIR = "repair"
    """The journal itself: what was found of the one before."""


@dataclass(frozen=True, slots=True)
class Note:
    """What an entry says. `cause` is what it is about, in words that are the same each time, `text`
    a sentence. `time` is in seconds since 1970, to the minute."""

    time: int
    kind: Kind
    text: str
    cause: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A note at its place in the chain: its number, from 1 on, and the SHA-256 of the line before
    it, in hexadecimal."""

    number: int
    before: str
    note: Note

    @property
    def line(self) -> bytes:
        told = asdict(self.note) | {"number": self.number, "before": self.before}
        told["kind"] = self.note.kind.value
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.line).hexdigest()


def to_the_minute(seconds: float) -> int:
    return int(seconds) // MINUTE * MINUTE


def parse_entry(line: bytes) -> Entry:
    """Read a line, without its end. Raises ValueError for what `Entry.line` does not make."""
    match bounded_json.read(line, JOURNAL_ENTRY):
        case {
            "number": int(number),
            "before": str(before),
            "time": int(time),
            "kind": str(kind),
            "text": str(text),
            "cause": str(cause),
            "values": dict(values),
        } if number > 0 and 0 <= time < LATEST:
            note = Note(time, Kind(kind), text, cause, {k: _value(v) for k, v in values.items()})
            entry = Entry(number, before, note)
            if entry.line == line:
                return entry
    raise ValueError("it is no entry of a journal")


def _value(found: Any) -> Value:
    match found:
        case bool():
            pass
        case str() | int():
            return found
        case list() if all(isinstance(one, str) for one in found):
            return tuple(found)
    raise ValueError("a value is neither a text, a number nor a list of texts")
