"""Two sides that take turns."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from qemu.bench.figures import Measure, Sample, Side
from qemu.failure import Failure
from qemu.lab.progress import Progress

PLACE = "/var/bench"
"""On the appliance, for what the other side needs; in memory, and for root's eyes."""


@dataclass(frozen=True)
class Contest:
    """`take` puts a side in force, `look` measures it."""

    name: str
    take: Callable[[Side], None]
    look: Callable[[], Mapping[Measure, float]]


def turns(rounds: int) -> Iterator[tuple[int, Side]]:
    """Who is next, and in which round. Who was second is first in the next round, so that a machine
    that becomes slower all the time favours neither."""
    for turn in range(rounds):
        sides = (Side.TUNED, Side.STOCK) if turn % 2 == 0 else (Side.STOCK, Side.TUNED)
        yield from ((turn, side) for side in sides)


def played(contest: Contest, rounds: int, progress: Progress) -> Iterator[Sample]:
    """What was measured. At the end the appliance is as it was, whatever happened: what
    fails first is what is told."""
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
