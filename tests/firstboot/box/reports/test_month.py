"""The reports on a month and for publication: figures, plots, and nothing that was not counted."""

import re

import pytest

from firstboot.box.journal.entry import Kind, Note
from firstboot.box.reports import html, month, text, transparency
from firstboot.box.reports.document import Plot, Report
from firstboot.box.reports.history import grown, online, rates, troubles, within
from firstboot.box.reports.period import period
from firstboot.box.reports.plot import drawn
from firstboot.core.refusal import Refusal
from tests.firstboot.box.journal.keeping import NOON
from tests.firstboot.box.reports.test_command import page
from tests.firstboot.box.reports.told import at

NETWORK = "AS65550 (198.51.100.1)"
NOVEMBER = period("2025-11", 0)
COUNTS = {"2025-10": {"login": 9}, "2025-11": {"login": 2, "copyright": 1, "asked": 1}}


def hourly(hours: int, first: int = 0, **per_hour: int) -> list[Note]:
    """Counters of so many hours, which grow by as much each hour."""
    return [
        at(60 * hour, Kind.COUNTERS, "Counters.", **{  # type: ignore[arg-type]
            name.replace("_", "."): each * (hour - first) for name, each in per_hour.items()
        }, relays=8)
        for hour in range(first, first + hours)
    ]  # fmt: skip


def up(minute: int, is_up: bool = True) -> Note:
    return at(minute, Kind.PORTS, f"The ports are {'up' if is_up else 'down'}.", up=int(is_up))


NOTES = [
    at(-1, Kind.START, "The box has run for 1 minutes.", uptime=60),
    up(-1),
    *hourly(6, in_ix0=45_000, out_ix0=90_000, relayed=45_000, pf_LEAK4=2),
    at(310, Kind.BEGAN, "DOWN: relay 2: it does not run", "relay 2: it runs"),
    up(330, False),
    up(345),
    at(350, Kind.ENDED, "Well again: relay 2", "relay 2: it runs"),
    at(356, Kind.CONFIGURATION, "Another configuration runs: generation 8."),
    *hourly(3, 6, in_ix0=45_000, out_ix0=90_000, relayed=45_000, pf_LEAK4=1),
]


def told(found: Report) -> str:
    return text.written(found)


def test_counters_become_rates_and_a_restart_is_no_negative_one() -> None:
    points = rates(NOTES, "in.ix0", 8.0).points
    assert [round(v) for _, v in points if v is not None] == [100] * 5 + [0] + [100] * 2
    assert grown(NOTES, "pf.LEAK4") == 10 + 0 + 2
    gap = [*hourly(2, in_ix0=45_000), *hourly(2, 9, in_ix0=45_000)]
    assert [value for _, value in rates(gap, "in.ix0", 8.0).points][1] is None


def test_a_box_that_was_away_was_not_there() -> None:
    notes = [up(0), *hourly(3, in_ix0=1), at(600, Kind.START, "started"), up(601), up(660, False)]
    assert online(notes) == ((NOON, NOON + 7200), (NOON + 36_060, NOON + 39_600))
    silent = [up(0), *hourly(2, in_ix0=1), *hourly(2, 9, in_ix0=1)]
    assert within(online(silent), NOON, NOON + 36_000) == 2 * 3600


def test_what_began_has_its_end_and_a_restart_ends_all() -> None:
    (one,) = troubles(NOTES)
    assert (one.start, one.end) == (NOON + 310 * 60, NOON + 350 * 60)
    began = at(0, Kind.BEGAN, "DOWN: a", "a")
    (one,) = troubles([began, at(9, Kind.START, "started")])
    assert one.end == NOON + 540
    (one,) = troubles([began, began])
    assert one.end is None


def test_the_month_has_figures_plots_outages_and_changes() -> None:
    found = month.report(NOTES, NOVEMBER, NETWORK)
    said = told(found)
    assert "AS65550 (198.51.100.1) in November 2025" in said
    assert "ports were up 96.88 % of the time" in " ".join(said.split())
    assert re.search(r"packets with a foreign source stopped +12", said)
    assert re.search(r"2025-11-30 17:10 +40 minutes +DOWN: relay 2", said)
    assert "Another configuration runs: generation 8." in said
    plots = [b for section in found.sections for b in section.blocks if isinstance(b, Plot)]
    assert [one.title for one in plots] == [
        "Received by port",
        "Sent by port",
        "Written by all relays together",
        "Relays that answer",
    ]
    parsed = page(html.written(found))
    assert {"svg", "polyline", "polygon", "text"} <= parsed.seen


def test_a_month_without_entries_says_so() -> None:
    found = told(month.report(NOTES, period("2025-10", 0), NETWORK))
    assert "The journal has nothing of this time." in found


def test_the_report_for_publication_has_counts_capacity_and_uptime() -> None:
    said = told(transparency.report(NOTES, COUNTS, NOVEMBER, NETWORK))
    assert re.search(r"attempts to log in +2 +2", said)
    assert re.search(r"questions of authorities +1", said)
    assert re.search(r"seizures of hardware +0", said)
    assert re.search(r"it was there +96\.88 %", said)
    assert re.search(r"relayed, in the busiest hour +100 Mbit/s", said)
    for word in ("ix0", "relay 2", "generation"):
        assert word not in said
    year = told(transparency.report(NOTES, COUNTS, period("2025", 0), NETWORK))
    assert re.search(r"attempts to log in +9 +2 +11", year)


def test_nothing_counted_is_not_nothing_said() -> None:
    said = told(transparency.report([], {}, NOVEMBER, NETWORK))
    assert "None was counted." in said
    assert "The journal has nothing of this time." in said


@pytest.mark.parametrize("when", ["November", "2025-13", "25-11", "2025-11-30"])
def test_other_times_are_refused(when: str) -> None:
    with pytest.raises(Refusal, match="is no month and no year"):
        period(when, 0)


def test_a_month_ends_where_the_next_begins() -> None:
    assert period("2025-12", 0).end == period("2026-01", 0).start == period("2026", 0).start
    assert period("", NOON).name == "November 2025"


def test_a_plot_of_nothing_and_of_one_value_is_drawn() -> None:
    found = month.report(NOTES[:3], NOVEMBER, NETWORK)
    for section in found.sections:
        for block in section.blocks:
            if isinstance(block, Plot):
                assert "nan" not in drawn(block)
    page(html.written(found))
