"""Two sides are measured in turns, and the appliance gets its configuration back."""

from collections.abc import Mapping

import pytest

from qemu.bench.contest import Contest, played, turns
from qemu.bench.figures import Measure, Side
from qemu.failure import Failure
from qemu.lab.progress import Progress

RATE = Measure("a rate", "things a second")


def test_each_side_is_first_in_turn() -> None:
    assert list(turns(2)) == [
        (0, Side.TUNED),
        (0, Side.STOCK),
        (1, Side.STOCK),
        (1, Side.TUNED),
    ]


def test_what_is_measured_is_the_side_that_is_in_force() -> None:
    taken: list[Side] = []

    def look() -> Mapping[Measure, float]:
        return {RATE: len(taken) + (100 if taken[-1] is Side.STOCK else 0)}

    samples = list(played(Contest("it", taken.append, look), 2, Progress()))
    assert [(one.turn, one.side, one.value) for one in samples] == [
        (0, Side.TUNED, 1),
        (0, Side.STOCK, 102),
        (1, Side.STOCK, 103),
        (1, Side.TUNED, 4),
    ]
    assert taken[-1] is Side.TUNED


def test_the_appliance_is_as_it_was_after_a_failure_too() -> None:
    taken: list[Side] = []

    def look() -> Mapping[Measure, float]:
        if taken[-1] is Side.STOCK:
            raise TimeoutError
        return {RATE: 1.0}

    found = played(Contest("it", taken.append, look), 1, Progress())
    with pytest.raises(TimeoutError):
        list(found)
    assert taken == [Side.TUNED, Side.STOCK, Side.TUNED]


def test_what_failed_first_is_told_if_the_appliance_cannot_be_put_right() -> None:
    broken = False

    def take(side: Side) -> None:
        nonlocal broken
        if broken:
            raise Failure("no shell answered")
        broken = side is Side.STOCK

    def look() -> Mapping[Measure, float]:
        if broken:
            raise Failure("the resolver does not start")
        return {RATE: 1.0}

    with pytest.raises(Failure, match="the resolver does not start"):
        list(played(Contest("it", take, look), 1, Progress()))
