"""What the entries of a time come to: rates from counters, when the box was there, what was wrong
and for how long. Pure functions."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from firstboot.box.journal.entry import Kind, Note
from firstboot.box.reports.document import Series

HOUR = 3600

SILENT = 2 * HOUR + 600
"""Seconds without an entry after which the box was not there: it writes once an hour."""

Times = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that was not as it has to be. `end` is None if it still is."""

    text: str
    cause: str
    start: int
    end: int | None


def rates(notes: Iterable[Note], name: str, per_second: float) -> Series:
    """How fast a counter grew, as a line called `name`; `per_second` is what one more in a second
    comes to. What counts anew after a restart has begun from 0."""
    points: list[tuple[int, float | None]] = []
    last: tuple[int, int] | None = None
    for note in _counters(notes):
        value = note.values.get(name)
        if not isinstance(value, int):
            last = None
            continue
        if last is not None and 0 < note.time - last[0] <= SILENT:
            grown = value - last[1] if value >= last[1] else value
            points.append((note.time, grown * per_second / (note.time - last[0])))
        elif last is not None:
            points.append((note.time, None))
        last = note.time, value
    return Series(name, tuple(points))


def gauges(notes: Iterable[Note], name: str) -> Series:
    """A value as it was each hour."""
    found = ((note.time, note.values.get(name)) for note in _counters(notes))
    return Series(name, tuple((when, float(v)) for when, v in found if isinstance(v, int)))


def names(notes: Iterable[Note], prefix: str) -> list[str]:
    """The counters that begin with `prefix`."""
    return sorted({
        name for note in _counters(notes) for name in note.values if name.startswith(prefix)
    })  # fmt: skip


def grown(notes: Iterable[Note], name: str) -> int:
    """By how much a counter grew in all."""
    values = [v for one in _counters(notes) if isinstance(v := one.values.get(name), int)]
    return sum(new - old if new >= old else new for old, new in pairwise(values))


def online(notes: Sequence[Note]) -> Times:
    """When the transit and exchange ports were up, as far as the journal knows."""
    found: list[tuple[int, int]] = []
    since: int | None = None
    last: int | None = None
    for note in notes:
        gone = last is not None and note.time - last > SILENT
        if since is not None and last is not None and (note.kind is Kind.START or gone):
            found.append((since, last))
            # Without a start in between, nobody but the journal was away.
            since = None if note.kind is Kind.START else note.time
        if note.kind is Kind.PORTS:
            up = bool(note.values.get("up"))
            if up and since is None:
                since = note.time
            elif not up and since is not None:
                found.append((since, note.time))
                since = None
        last = note.time
    if since is not None and last is not None:
        found.append((since, last))
    return tuple(found)


def within(times: Times, start: int, end: int) -> int:
    """Seconds of `times` between `start` and `end`."""
    return sum(max(0, min(last, end) - max(first, start)) for first, last in times)


def troubles(notes: Iterable[Note]) -> tuple[Trouble, ...]:
    """What began, with its end, in the order in which it began. A restart of the box ends all."""
    found: list[Trouble] = []
    open_: dict[str, int] = {}
    for note in notes:
        if note.kind is Kind.START:
            for at in open_.values():
                found[at] = _ended(found[at], note.time)
            open_.clear()
        elif note.kind is Kind.BEGAN and note.cause not in open_:
            open_[note.cause] = len(found)
            found.append(Trouble(note.text, note.cause, note.time, None))
        elif note.kind is Kind.ENDED and note.cause in open_:
            at = open_.pop(note.cause)
            found[at] = _ended(found[at], note.time)
    return tuple(found)


def _ended(one: Trouble, when: int) -> Trouble:
    return Trouble(one.text, one.cause, one.start, when)


def _counters(notes: Iterable[Note]) -> Iterator[Note]:
    return (one for one in notes if one.kind is Kind.COUNTERS)
