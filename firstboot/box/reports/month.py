"""The report on a month, for the operator: traffic, relays, sessions, what was wrong, what changed.
Pure functions from notes of the journal."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from firstboot.box.journal.entry import Kind, Note
from firstboot.box.reports.document import Block, Plot, Report, Section, Series, span, table, utc
from firstboot.box.reports.history import (
    Times,
    Trouble,
    gauges,
    grown,
    names,
    online,
    rates,
    troubles,
    within,
)
from firstboot.box.reports.period import Period

MBIT = 8.0
"""Megabits of a megabyte."""

MOST = 40
"""Rows of a table."""

NOTHING = "nothing is known of it"


def report(notes: Sequence[Note], period: Period, network: str) -> Report:
    """`notes` are all that the journal has, the oldest first."""
    inside = [one for one in notes if period.start <= one.time < period.end]
    title = f"{network} in {period.name}"
    if not inside:
        nothing = Section("In short", ("The journal has nothing of this time.",))
        return Report(title, period.told, (nothing,))
    seen = Period(period.name, max(period.start, notes[0].time), inside[-1].time)
    times = online(notes)
    wrong = [
        one for one in troubles(notes)
        if one.start < period.end and (one.end is None or one.end > period.start)
    ]  # fmt: skip
    sections = (
        Section("In short", tuple(_short(inside, seen, times, wrong))),
        Section("Traffic", tuple(_traffic(inside, seen, times))),
        Section("Relays", tuple(_relays(inside, seen))),
        Section("Sessions", tuple(_sessions(inside, seen))),
        Section("What was wrong", tuple(_wrong(wrong))),
        Section("What changed", tuple(_changes(inside))),
    )
    return Report(title, period.told, sections)


def available(times: Times, seen: Period) -> str:
    """The part of a time in which the ports were up: 99.95 %."""
    length = max(1, seen.end - seen.start)
    part = 100 * within(times, seen.start, seen.end) / length
    # Rounded down: 100 % is all of it.
    return f"{int(part * 100) / 100:g} %"


def _short(
    notes: Sequence[Note], seen: Period, times: Times, wrong: Sequence[Trouble]
) -> Iterator[Block]:
    yield (
        f"From {utc(seen.start)} to {utc(seen.end)} UTC, the transit and exchange ports were up "
        f"{available(times, seen)} of the time."
    )
    stopped = sum(grown(notes, name) for name in ("pf.LEAK4", "pf.LEAK6"))
    changes = sum(one.kind is Kind.CONFIGURATION for one in notes)
    starts = sum(one.kind is Kind.START for one in notes)
    rows = [
        ("packets with a foreign source stopped", stopped),
        ("packets from outside with own sources", grown(notes, "pf.spoof-in")),
        ("answers to what was never asked", grown(notes, "pf.backscatter")),
        ("times that something was wrong", len(wrong)),
        ("changes of the configuration", changes),
        ("starts of the box", starts),
        ("restarts of daemons", grown(notes, "restarts")),
    ]
    yield table(("", "number"), rows, 1)


def _traffic(notes: Sequence[Note], seen: Period, times: Times) -> Iterator[Block]:
    bands = _gaps(times, seen)
    none = True
    for way, title in (("in.", "Received by port"), ("out.", "Sent by port")):
        series = tuple(_line(rates(notes, name, MBIT), way) for name in names(notes, way))
        if any(one.points for one in series):
            none = False
            yield Plot(title, "Mbit/s", series, seen.start, seen.end, bands)
    if none:
        yield f"Of traffic, {NOTHING}."


def _relays(notes: Sequence[Note], seen: Period) -> Iterator[Block]:
    carried, answered = rates(notes, "relayed", MBIT), gauges(notes, "relays")
    if carried.points:
        line = (replace(carried, name="all relays"),)
        yield Plot("Written by all relays together", "Mbit/s", line, seen.start, seen.end)
    if answered.points:
        yield Plot("Relays that answer", "relays", (answered,), seen.start, seen.end)
    if not carried.points and not answered.points:
        yield f"Of relays, {NOTHING}."


def _sessions(notes: Sequence[Note], seen: Period) -> Iterator[Block]:
    rows = []
    for name in names(notes, "prefixes."):
        values = [value for _, value in gauges(notes, name).points if value is not None]
        up = [value for value in values if value >= 0]
        if values:
            part = f"{int(10000 * len(up) / len(values)) / 100:g} %"
            low, high = (f"{f(up):.0f}" if up else "-" for f in (min, max))
            rows.append((name.removeprefix("prefixes."), part, low, high))
    if not rows:
        yield f"Of sessions, {NOTHING}."
        return
    heads = ("session", "hours it was up", "fewest prefixes", "most prefixes")
    yield table(heads, rows, 1, 2, 3)


def _wrong(wrong: Sequence[Trouble]) -> Iterator[Block]:
    if not wrong:
        yield "Nothing."
        return
    longest = sorted(wrong, key=lambda one: (one.end or 1 << 40) - one.start, reverse=True)[:MOST]
    rows = [
        (utc(one.start), "still" if one.end is None else span(one.end - one.start), one.text)
        for one in sorted(longest, key=lambda one: one.start)
    ]
    if len(wrong) > MOST:
        yield f"The {MOST} longest of {len(wrong)}:"
    yield table(("began (UTC)", "for", "what"), rows)


def _changes(notes: Sequence[Note]) -> Iterator[Block]:
    kinds = (Kind.START, Kind.CONFIGURATION, Kind.PORTS, Kind.CLOCK, Kind.REPAIR)
    rows = [(utc(one.time), one.text) for one in notes if one.kind in kinds]
    if not rows:
        yield "Nothing."
        return
    if len(rows) > MOST:
        yield f"The last {MOST} of {len(rows)}:"
    yield table(("UTC", "what"), rows[-MOST:])


def _line(series: Series, prefix: str) -> Series:
    return replace(series, name=series.name.removeprefix(prefix))


def _gaps(times: Times, seen: Period) -> Times:
    """When the ports were not up."""
    found, since = [], seen.start
    for start, end in times:
        if start > since and start <= seen.end:
            found.append((since, start))
        since = max(since, end)
    if since < seen.end:
        found.append((since, seen.end))
    return tuple(found)
