"""How many questions the resolver answers, in the last hour and since it started."""

from collections.abc import Callable

import pytest

from firstboot.box import commands, last_hour, resolver
from firstboot.box.last_hour import MOST
from firstboot.box.resolver import PLACE, Questions
from tests.firstboot.box.box import Box
from tests.firstboot.box.test_apply import Told, configured
from tests.firstboot.box.test_leaks import minutes

__all__ = ["minutes"]

STATS = "local-unbound-control -c /var/unbound/unbound.conf stats_noreset"


def counts(box: Box, found: int, failed: int, dropped: int = 0) -> None:
    box.answer(
        STATS,
        f"thread0.num.queries=5\ntotal.requestlist.exceeded={dropped}\n"
        f"num.answer.rcode.NOERROR={found}\nnum.answer.rcode.SERVFAIL={failed}\n"
        "num.answer.rcode.NXDOMAIN=0\nnum.answer.rcode.nodata=3\n",
    )


def test_what_is_told_is_of_the_last_hour(box: Box, minutes: Callable[[int], None]) -> None:
    counts(box, 100, 0)
    for _ in range(90):
        minutes(1)
        resolver.note(box.machine)
    counts(box, 190, 8, dropped=2)
    found = resolver.look(box.machine)
    assert found == Questions(200, 10, 100, 10)
    assert str(found) == "resolver: 90 % of 100 questions within an hour were answered"
    assert len(last_hour.read(box.machine.state / PLACE, 2)) <= MOST


def test_counters_begin_anew_with_the_resolver(box: Box, minutes: Callable[[int], None]) -> None:
    counts(box, 1000, 500)
    resolver.note(box.machine)
    minutes(1)
    counts(box, 10, 0)
    assert resolver.look(box.machine) == Questions(10, 0, 10, 0)


def test_one_of_many_that_fails_is_not_hidden_by_rounding(box: Box) -> None:
    counts(box, 99_999, 1)
    assert "99.9 % of 100000" in str(resolver.look(box.machine))


@pytest.mark.parametrize(
    ("found", "failed", "begins"),
    [(0, 0, "resolver: nobody"), (50, 50, "RESOLVER: 50 %"), (40, 50, "resolver: 44.4 %")],
)
def test_status_tells_and_that_is_no_fault_of_the_box(
    box: Box, found: int, failed: int, begins: str
) -> None:
    configured(box)
    counts(box, found, failed)
    told = Told()
    assert commands.status(box.machine, told)
    assert any(line.startswith(begins) for line in told), told


def test_a_resolver_that_does_not_tell_has_no_line(box: Box) -> None:
    configured(box)
    told = Told()
    assert commands.status(box.machine, told)
    assert not any(line.lower().startswith("resolver:") for line in told)


def test_a_damaged_record_is_told_and_begins_anew(box: Box) -> None:
    configured(box)
    counts(box, 10, 0)
    for text in ("{}", '[["a", 1, 0]]', "[[1, 1, 2]]", "[[1, -1, -1]]", "[3]"):
        (box.machine.state / PLACE).write_text(text)
        told = Told()
        assert not commands.status(box.machine, told)
        assert any(line.startswith("UNKNOWN: what the resolver answers") for line in told)
        resolver.note(box.machine)
        assert commands.status(box.machine, Told())
