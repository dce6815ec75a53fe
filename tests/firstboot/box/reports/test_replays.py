"""The incident of 2018 and a campaign of others, minute by minute on a stand-in of a box: the
report tells one from the other, and names the cause."""

import shutil
from collections.abc import Callable

import pytest

from firstboot.box.ports import lower
from firstboot.box.reports import command
from tests.firstboot.box.journal.keeping import KeyedBox
from tests.firstboot.box.journal.test_evidence import SOCKSTAT, counts
from tests.firstboot.box.journal.test_minute import looked, minute, well
from tests.firstboot.box.test_apply import Told

__all__ = ["minute", "well"]

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")

LISTENING = "unbound  local-unbo 900 5 udp4 192.0.2.2:53 *:*\n"


def report(box: KeyedBox) -> str:
    told = Told()
    assert command.report("incident", "", box.machine, told, as_html=False)
    return " ".join(" ".join(told).split())


def test_a_resolver_on_a_port_s_address_behind_a_broken_filter(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    counts(well, ("ix0", " inet proto udp", "<near-transit:2>", 0))
    looked(well)
    minute()
    counts(well, ("ix0", " inet proto udp", "<near-transit:2>", 4))
    well.answer("sockstat -46qw", SOCKSTAT)
    well.answer("sockstat -46lqw", LISTENING)
    looked(well)
    minute()
    well.answer("pfctl -s info", "Status: Disabled")
    lower(well.machine, "pf is off")
    looked(well)
    found = report(well)
    assert "Cause: A program of the box used an address that is not one of the box's own" in found
    assert "local-unbo listens on 192.0.2.2 port 53 (udp)" in found
    assert "the packet filter did not guard every port (pf is off)" in found
    assert "Packets may have left, and nothing counted them" in found
    assert "4 ix0 LEAK4 udp a port's transit local-unbo" in found
    assert "The transit and exchange ports went down" in found
    assert "Somebody sends with this network's addresses" not in found
    assert "8.8.4.4" not in found


def test_a_campaign_of_others(well: KeyedBox, minute: Callable[..., None]) -> None:
    counts(well, ("ix0", " proto tcp", "<own>", 5))
    looked(well)
    for many in (700, 1400, 2100):
        minute()
        counts(well, ("ix0", " proto tcp", "<own>", 5 + many))
        looked(well)
    found = report(well)
    assert "Somebody sends with this network's addresses. 2100 answers came" in found
    assert "Nothing of it left from this box" in found
    assert "Cause:" not in found
