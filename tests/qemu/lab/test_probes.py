"""The lab's checks with daemons that run on this host in place of the virtual machine, with what a
site renders. Each check is shown to fail when it should."""

import sys
from typing import cast

import pytest

from firstboot.site.model import PeerRole
from qemu.lab import fault_actions, fault_checks, offer, probes
from qemu.lab.appliance import Appliance
from qemu.lab.progress import Progress
from qemu.lab.session import Lab, until_holds
from qemu.world.bird import Route
from qemu.world.internet import Internet
from qemu.world.routes import ORIGIN
from tests.live.appliance import Bgpd
from tests.qemu.lab.native import Native
from tests.qemu.world.box import SITE, Box

STRAY = """\
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.bind(("203.0.113.10", 0))
    sock.sendto(b"?", ("203.0.113.20", 53))
"""
"""Sends from the exchange port's address, as a resolver that is bound to all addresses does."""

pytestmark = pytest.mark.xdist_group("lab")


TAKEN = Route.to("12.10.0.0/16", ORIGIN)


@pytest.fixture(scope="module")
def lab(internet: Internet, box: Box, bgpd: Bgpd) -> Lab:
    return Lab(internet, cast(Appliance, Native(box.party)), SITE, Progress())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait only shortly for what does not hold."""
    monkeypatch.setattr(probes, "PATIENCE", 5.0)
    monkeypatch.setattr(fault_checks, "PATIENCE", 5.0)


def test_the_scopes_are_announced_to_everybody(lab: Lab) -> None:
    verdict = probes.announced(lab)
    assert verdict.holds, verdict.evidence
    assert "11 sessions" in verdict.evidence


@pytest.mark.usefixtures("quick")
def test_a_neighbour_that_hears_nothing_is_seen(lab: Lab) -> None:
    router = lab.internet.routers["upstream-b"]
    router.shut(*lab.internet.of_site("upstream-b"))
    try:
        verdict = probes.announced(lab)
        assert not verdict.holds
        assert "upstream-b 4 does not hear 198.51.100.0/24" in verdict.evidence
    finally:
        router.open(*lab.internet.of_site("upstream-b"))
    assert until_holds(lambda: probes.announced(lab), 60).holds


def test_hijacks_leaks_and_bogons_are_refused(lab: Lab) -> None:
    verdict = probes.refused(lab)
    assert verdict.holds, verdict.evidence
    assert "9 of hijacks of the own scopes" in verdict.evidence


@pytest.mark.usefixtures("quick")
def test_a_bogon_that_is_taken_is_seen(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offer, "unwanted", lambda _: {"bogons": [TAKEN]})
    verdict = probes.refused(lab)
    assert not verdict.holds
    assert "12.10.0.0/16 taken" in verdict.evidence
    assert [(one.kind, one.came, one.taken) for one in lab.refusals] == [
        ("bogons", 1, 1),
        ("leaks", 2, 0),
    ]


def test_what_bgpd_sends_strays_nowhere_and_another_address_is_seen(lab: Lab) -> None:
    for check in (probes.contained, probes.permitted):
        verdict = check(lab)
        assert verdict.holds, verdict.evidence
    lab.appliance.said(f"{sys.executable} -c '{STRAY}'")
    verdict = probes.contained(lab)
    assert not verdict.holds
    assert "exchange" in verdict.evidence


@pytest.mark.usefixtures("quick")
def test_a_transit_that_signs_with_another_secret_is_alone_gone(lab: Lab) -> None:
    fault_actions.sign_wrongly(lab)
    try:
        assert fault_checks.gone(PeerRole.TRANSIT)(lab).holds
    finally:
        fault_actions.sign_rightly(lab)
    assert until_holds(lambda: probes.announced(lab), 90).holds
