"""What was noted last, and what is to be noted of a look: pure functions, and the file between two
looks, which is in memory.

`{"causes": {"relay 2: it runs": "DOWN: ..."}, "configuration": "...", "up": true, "offset": 1.5,
"hour": 490133, "notes": 3, "leaks": 0, "stopped": {"ix1/LEAK4/udp/transit": 4}}`
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from firstboot.box.journal.entry import Kind, Note, to_the_minute
from firstboot.box.stopped import Stopped
from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import JOURNAL_NOTED

PLACE = "journal.json"

HOUR = 3600
MOST = 120
"""Sentences in an hour that something began or ended: a session that comes and goes all the time
must not push everything else out."""

LONGEST = 500
"""Characters of a sentence."""

SET = 2.0
"""Seconds by which the clock of the day and the one that nobody sets may part within a minute."""

STEADY = 1.0
"""Seconds of the same that are not worth to be remembered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at the box. `time` is in seconds since 1970, `uptime` in seconds of the clock that
    nobody sets. `causes` are what is not as it has to be, with a sentence each, `why` is why ports
    are down, and `leaks` how many packets the filter stopped since its start, None if it does not
    tell."""

    time: float
    uptime: float
    causes: Mapping[str, str]
    configuration: str
    up: bool
    why: str = ""
    leaks: int | None = None
    change: str = ""
    """Which command made the configuration, and what it changed."""

    stopped: tuple[Stopped, ...] = ()
    closed: str = ""
    """Why the ports went down within the minute; they may be up again."""


@dataclass(frozen=True, slots=True)
class Noted:
    """`offset` is the time of the day less the uptime, `hour` the last one with counters, `notes`
    how many sentences it had."""

    causes: Mapping[str, str]
    configuration: str
    up: bool
    offset: float
    hour: int
    notes: int = 0
    leaks: int = 0
    stopped: Mapping[str, int] = field(default_factory=dict)
    """Packets of each class (box/stopped.py)."""


def compare(before: Noted | None, seen: Seen) -> tuple[Noted, tuple[Note, ...]]:
    """What is noted after a look, and the notes of it. Without anything `before`, the box has
    started."""
    now = to_the_minute(seen.time)
    hour = int(seen.time) // HOUR
    offset = seen.time - seen.uptime
    if before and abs(offset - before.offset) < STEADY:
        # What is as it was is not written again.
        offset = before.offset
    start = [] if before else [_start(seen, now)]
    last = before or Noted({}, seen.configuration, False, offset, -1)
    changes = [*_changes(last, seen, now)]
    used = last.notes if last.hour == hour else 0
    ends = [*_ends(last, seen, now)]
    left = max(0, MOST - used)
    dropped = len(ends) - len(ends[:left])
    if dropped and used < MOST:
        text = f"{dropped} more sentences, and all others until the hour is over, are left out."
        ends = [*ends[:left], Note(now, Kind.BEGAN, text, "the journal has every sentence")]
    else:
        ends = ends[:left]
    noted = Noted(
        dict(seen.causes), seen.configuration, seen.up, offset, hour, used + len(ends) + dropped,
        last.leaks if seen.leaks is None else seen.leaks,
        {one.key: one.packets for one in seen.stopped},
    )  # fmt: skip
    return noted, (*start, *changes, *ends)


def _start(seen: Seen, now: int) -> Note:
    minutes = int(seen.uptime) // 60
    text = f"The box has run for {minutes} minutes, with {seen.configuration}."
    return Note(now, Kind.START, text, values={"uptime": int(seen.uptime)})


def _changes(last: Noted, seen: Seen, now: int) -> Iterator[Note]:
    moved = seen.time - seen.uptime - last.offset
    if abs(moved) > SET:
        way = "forward" if moved > 0 else "back"
        text = f"The clock was set {way} by {abs(moved):.0f} seconds."
        yield Note(now, Kind.CLOCK, text, values={"seconds": round(moved)})
    if seen.configuration != last.configuration:
        by = f" ({seen.change})" if seen.change else ""
        text = f"Another configuration runs: {seen.configuration}{by}."
        yield Note(now, Kind.CONFIGURATION, text[:LONGEST])
    if seen.closed and last.up and seen.up:
        text = f"The transit and exchange ports went down: {seen.closed}."
        yield Note(now, Kind.PORTS, text[:LONGEST], values={"up": 0})
        text = "The transit and exchange ports are up again."
        yield Note(now, Kind.PORTS, text, values={"up": 1})
    if seen.up != last.up:
        why = f": {seen.why}" if seen.why and not seen.up else ""
        text = f"The transit and exchange ports are {'up' if seen.up else 'down'}{why}."
        yield Note(now, Kind.PORTS, text[:LONGEST], values={"up": int(seen.up)})


def _ends(last: Noted, seen: Seen, now: int) -> Iterator[Note]:
    for cause, text in seen.causes.items():
        if cause not in last.causes:
            yield Note(now, Kind.BEGAN, text[:LONGEST], cause[:LONGEST])
    for cause in last.causes:
        if cause not in seen.causes:
            yield Note(now, Kind.ENDED, f"Well again: {cause}"[:LONGEST], cause[:LONGEST])


def read(path: Path) -> Noted | None:
    """What was noted last; None if nothing was. Raises Refusal."""
    found = kept_json(path, JOURNAL_NOTED, dict)
    match found:
        case None:
            return None
        case {
            "causes": dict(causes),
            "configuration": str(configuration),
            "up": bool(up),
            "offset": int() | float() as offset,
            "hour": int(hour),
            "notes": int(notes),
            "leaks": int(leaks),
            "stopped": dict(stopped),
        } if (
            all(isinstance(one, str) for one in causes.values())
            and all(isinstance(one, int) for one in stopped.values())
            and math.isfinite(offset)
        ):
            return Noted(causes, configuration, up, float(offset), hour, notes, leaks, stopped)
    raise damaged(path, "it is no record of what was noted")


def write(path: Path, noted: Noted) -> None:
    """Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keep(path, (json.dumps(asdict(noted)) + "\n").encode())
