"""The report for publication: complaints and requests that the operator counted, what the network
carried, how much of the time it was there. Nothing of it names a peer, a port or an address but
the network's own."""

from collections.abc import Iterator, Mapping, Sequence

from firstboot.box.journal.entry import Note
from firstboot.box.reports.complaints import REQUESTS, TOLD
from firstboot.box.reports.document import Block, Report, Section, table, utc
from firstboot.box.reports.history import gauges, grown, online, rates
from firstboot.box.reports.month import MBIT, available
from firstboot.box.reports.period import Period

TERABYTE = 1_000_000
"""Megabytes of one."""


def report(
    notes: Sequence[Note],
    counts: Mapping[str, Mapping[str, int]],
    period: Period,
    network: str,
) -> Report:
    """`counts` are of all months: {"2026-11": {"login": 3}}."""
    sections = (
        Section("Complaints", tuple(_complaints(counts, period))),
        Section("Requests of authorities", tuple(_requests(counts, period))),
        Section("The network", tuple(_network(notes, period))),
        Section("What is not recorded", (
            "The relays and the resolver of this network record nobody's connections, names or "
            "addresses. What was never recorded can be handed to nobody.",
        )),
    )  # fmt: skip
    return Report(f"Transparency report of {network}", period.name, sections)


def _months(
    counts: Mapping[str, Mapping[str, int]], period: Period
) -> dict[str, Mapping[str, int]]:
    first, last = utc(period.start)[:7], utc(period.end - 60)[:7]
    return {month: counts[month] for month in sorted(counts) if first <= month <= last}


def _complaints(counts: Mapping[str, Mapping[str, int]], period: Period) -> Iterator[Block]:
    months = _months(counts, period)
    numbers = {
        name: [months[month].get(name, 0) for month in months]
        for name in TOLD
        if name not in REQUESTS
    }
    numbers = {name: row for name, row in numbers.items() if any(row)}
    if not numbers:
        yield "None was counted."
        return
    every = [sum(column) for column in zip(*numbers.values(), strict=True)]
    rows = [(TOLD[name], *row, sum(row)) for name, row in numbers.items()]
    rows.append(("all", *every, sum(every)))
    heads = ("what it was about", *months, "all")
    yield table(heads, rows, *range(1, len(heads)))


def _requests(counts: Mapping[str, Mapping[str, int]], period: Period) -> Iterator[Block]:
    months = _months(counts, period).values()
    rows = [(TOLD[name], sum(one.get(name, 0) for one in months)) for name in REQUESTS]
    yield table(("what", "number"), rows, 1)


def _network(notes: Sequence[Note], period: Period) -> Iterator[Block]:
    inside = [one for one in notes if period.start <= one.time < period.end]
    if not inside:
        yield "The journal has nothing of this time."
        return
    seen = Period(period.name, max(period.start, notes[0].time), inside[-1].time)
    speeds = [value for _, value in rates(inside, "relayed", MBIT).points if value is not None]
    relays = [value for _, value in gauges(inside, "relays").points if value is not None]
    rows = [("it was there", available(online(notes), seen))]
    if relays:
        rows.append(("relays", f"{max(relays):.0f}"))
    if speeds:
        rows.append(("relayed, on average", f"{sum(speeds) / len(speeds):.0f} Mbit/s"))
        rows.append(("relayed, in the busiest hour", f"{max(speeds):.0f} Mbit/s"))
        rows.append(("relayed in all", f"{grown(inside, 'relayed') / TERABYTE:.1f} TB"))
    yield table(("", ""), rows)
    # A journal goes back half a year at most.
    yield f"These figures are of {utc(seen.start)[:10]} to {utc(seen.end)[:10]}."
