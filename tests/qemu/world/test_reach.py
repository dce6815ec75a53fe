"""How long an address was unreachable follows from which requests had answers."""

from ipaddress import ip_address

import pytest

from qemu.world.internet import Internet
from qemu.world.net import wait
from qemu.world.reach import Reach, Round, rounds, unreachable

HERE, THERE = ip_address("198.51.100.11"), ip_address("2001:db8:ee::11")

SAID = """\
sent 0 100.000
answer 0 198.51.100.11
sent 1 100.500
sent 2 101.000
answer 1 2001:db8:ee::11
answer 2 198.51.100.11
sent 3 101.500
answer 3 198."""


def test_an_answer_counts_for_its_request_however_late_it_is() -> None:
    assert rounds(SAID) == [
        Round(100.0, frozenset({HERE})),
        Round(100.5, frozenset({THERE})),
        Round(101.0, frozenset({HERE})),
        Round(101.5, frozenset()),
    ]


def test_the_numbers_of_answers_begin_anew_after_65535() -> None:
    lines = [f"sent {n} {n}.000" for n in range(65540)]
    found = rounds("\n".join([*lines, "answer 2 198.51.100.11", ""]))
    assert [one.at for one in found if one.answered] == [65538.0]


@pytest.mark.parametrize(
    ("answers", "seconds"),
    [("1111", 0.0), ("1011", 0.5), ("1001", 1.0), ("0111", 0.5), ("10010", 2.0), ("0000", 4.0)],
)
def test_it_is_unreachable_from_the_first_lost_request_to_the_next_answer(
    answers: str, seconds: float
) -> None:
    asked = [
        Round(n * 0.5, frozenset({HERE} if one == "1" else ())) for n, one in enumerate(answers)
    ]
    assert unreachable(HERE, asked, until=4.0) == seconds


@pytest.mark.xdist_group("world")
def test_those_who_are_there_answer_and_others_do_not(internet: Internet) -> None:
    web = internet.topology.host("web")
    absent = ip_address("11.250.3.99")
    reach = Reach(internet.parties["client"], [web.v4(), web.v6(), absent])
    wait("two rounds", lambda: len(reach.rounds()) > 3)
    assert {one for some in reach.rounds()[:2] for one in some.answered} == {web.v4(), web.v6()}
