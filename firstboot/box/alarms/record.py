"""What was told to whom, and what still has to be.

The record is in memory, as JSON; after a restart of the box, what is wrong is told again. Its times
are seconds of the monotonic clock, which begins anew with it, but for `when` of a message, which is
in seconds since 1970.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import ALARMS

PLACE = "alarms.json"

HOUR = 3600.0
"""Seconds between two alarms for one cause."""

WAITING = 20
"""Messages that are kept until they are delivered; the oldest ones go first."""

TRIES = 30
"""How often a message is tried: for about a day."""

LONGEST_PAUSE = 3600.0
"""Seconds between two tries; the first pause is a minute, and each is twice the one before."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is wrong, or was within the last hour. `text` is the sentence for it, `since`
    when it was seen first, and `looks` at how many looks in a row it was. `told` is when an alarm
    went out for it last, None if none did; `alarmed` says whether that was for this time."""

    text: str
    since: float
    looks: int = 0
    told: float | None = None
    alarmed: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One thing to tell: it is `wrong`, or else well again."""

    cause: str
    text: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class Message:
    """Sentences that go out together, `when` they were true. `channels` are those that have not
    taken them yet; the next try is due `after` that time."""

    when: int
    sentences: tuple[Sentence, ...]
    channels: tuple[str, ...]
    tries: int = 0
    after: float = 0.0

    def failed(self, now: float) -> "Message":
        pause = min(60.0 * 2.0 ** min(self.tries, 10), LONGEST_PAUSE)
        return replace(self, tries=self.tries + 1, after=now + pause)


@dataclass(frozen=True, slots=True)
class Record:
    """`failed` has why a channel took nothing the last time, `addresses` where the name of a server
    led to when it was resolved last, and `lost` counts messages that were given up."""

    causes: Mapping[str, Cause] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lost: int = 0

    def told(self) -> list[tuple[str, str]]:
        """Each channel that takes nothing, and what is to be said of it."""
        return [
            (channel, f"NOT DELIVERED: alarms by {channel}: {reason}{self._waiting(channel)}")
            for channel, reason in self.failed.items()
        ]

    def _waiting(self, channel: str) -> str:
        many = sum(channel in one.channels for one in self.messages)
        lost = f", {self.lost} given up" if self.lost else ""
        return f" ({many} waiting{lost})" if many or lost else ""


def read(path: Path) -> Record:
    """The record; an empty one if there is none yet. Raises Refusal, also for an empty file."""
    found = kept_json(path, ALARMS, dict)
    if found is None:
        return Record()
    try:
        return _record(found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(path, f"it is no record of alarms: {error}") from error


def write(path: Path, record: Record) -> None:
    """Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keep(path, (json.dumps(asdict(record)) + "\n").encode())


def _record(found: Any) -> Record:
    """Raises ValueError, TypeError, KeyError, AttributeError."""
    _keys(found, "causes", "messages", "failed", "addresses", "lost")
    return Record(
        {_text(name): _cause(one) for name, one in found["causes"].items()},
        tuple(map(_message, _list(found["messages"]))),
        {_text(name): _text(why) for name, why in found["failed"].items()},
        {_text(name): tuple(map(_text, _list(all_))) for name, all_ in found["addresses"].items()},
        _number(found["lost"]),
    )


def _cause(found: Any) -> Cause:
    _keys(found, "text", "since", "looks", "told", "alarmed")
    told = found["told"]
    return Cause(
        _text(found["text"]),
        _time(found["since"]),
        _number(found["looks"]),
        None if told is None else _time(told),
        _bool(found["alarmed"]),
    )


def _message(found: Any) -> Message:
    _keys(found, "when", "sentences", "channels", "tries", "after")
    return Message(
        _number(found["when"]),
        tuple(map(_sentence, _list(found["sentences"]))),
        tuple(map(_text, _list(found["channels"]))),
        _number(found["tries"]),
        _time(found["after"]),
    )


def _sentence(found: Any) -> Sentence:
    _keys(found, "cause", "text", "wrong")
    return Sentence(_text(found["cause"]), _text(found["text"]), _bool(found["wrong"]))


def _keys(found: Any, *names: str) -> None:
    if not isinstance(found, dict) or {*found} != {*names}:
        raise ValueError("it has other keys")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("there is no list where one has to be")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("there is no text where one has to be")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("there is no yes or no where one has to be")
    return value


def _number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("there is no number where one has to be")


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("there is no time where one has to be")
    return float(value)
