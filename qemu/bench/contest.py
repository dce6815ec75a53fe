"""Measures two configurations in turns."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from qemu.bench.figures import Measure, Sample, Side
from qemu.failure import Failure
from qemu.lab.progress import Progress

PLACE = "/var/bench"
"""A folder on the appliance for the files of the stock side: in memory, readable by root alone."""


@dataclass(frozen=True)
class Contest:
    """`take` applies the configuration of a side, `look` measures it."""

    name: str
    take: Callable[[Side], None]
    look: Callable[[], Mapping[Measure, float]]


def turns(rounds: int) -> Iterator[tuple[int, Side]]:
    """Yield the round and the side of each turn. The order changes with each round, so that a host
    that becomes slower favours neither side."""
    for turn in range(rounds):
        sides = (Side.TUNED, Side.STOCK) if turn % 2 == 0 else (Side.STOCK, Side.TUNED)
        yield from ((turn, side) for side in sides)


def played(contest: Contest, rounds: int, progress: Progress) -> Iterator[Sample]:
    """Yield the samples of all rounds. Afterwards the appliance has its own configuration again,
    even after a failure; the first failure is the one that is raised."""
    try:
        for turn, side in turns(rounds):
            with progress.stage(f"{contest.name}, {turn + 1} of {rounds}: {side.value}"):
                contest.take(side)
                found = contest.look()
            for measure, value in found.items():
                yield Sample(measure, side, turn, value)
    except BaseException:
        with suppress(Failure):
            contest.take(Side.TUNED)
        raise
    contest.take(Side.TUNED)
