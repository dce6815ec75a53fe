"""`exitisp status` of boxes in seven states: what it says, and whether all is as it has to be."""

from collections.abc import Callable

import pytest

from firstboot.box import blackhole, commands
from firstboot.box.drain import drain
from tests.firstboot.box.box import Box, example
from tests.firstboot.box.test_apply import Told, configured
from tests.firstboot.box.test_blackhole import with_blackhole
from tests.firstboot.box.test_consensus import GOOD, all_listed, consensus, keeps
from tests.firstboot.box.test_resolver import counts


def new(box: Box) -> None:
    pass


def well(box: Box) -> None:
    all_listed(configured(box))
    counts(box, 997, 3)


def leaking(box: Box) -> None:
    well(box)
    box.answer("pfctl -s info", "Status: Disabled")


def drained(box: Box) -> None:
    well(box)
    drain("upstream-a", box.machine, Told(), 30)


def flooded(box: Box) -> None:
    configured(box, with_blackhole())
    blackhole.blackhole("198.51.100.11", box.machine, Told(), 60)


def unseen(box: Box) -> None:
    well(box)
    keeps(box, consensus({1: GOOD}))
    box.speaks(example().value, state="Active")


def ailing(box: Box) -> None:
    well(box)
    counts(box, 100, 900)
    box.programs.up.discard("ntpd")


@pytest.mark.parametrize(
    ("state", "good", "lines"),
    [
        (new, False, ["not configured"]),
        (
            well,
            True,
            [
                "up: resolver",
                "drained: nobody",
                "blackholed: no address",
                "leaks: none since the boot",
                "resolver: 99.7 % of 1000 questions",
                "consensus of ",
                "BGP: upstream-a",
                "holds: ",
            ],
        ),
        (leaking, False, ["NOT SO: ", "resolver: 99.7 %"]),
        (drained, True, ["drained: upstream-a (exitisp undrain upstream-a), ", "blackholed: no"]),
        (flooded, True, ["drained: nobody", "blackholed: 198.51.100.11 ("]),
        (unseen, True, ["NOT LISTED: relay 2", "DOWN: BGP with upstream-a"]),
        (ailing, False, ["RESOLVER: 10 % of 1000 questions", "DOWN: "]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_state_is_told(
    box: Box, state: Callable[[Box], None], good: bool, lines: list[str]
) -> None:
    state(box)
    told = Told()
    assert commands.status(box.machine, told) is good, told
    for begins in lines:
        assert any(line.startswith(begins) for line in told), (begins, told)
