"""What strangers reach of machines on a LAN: only where there can be such machines."""

import pytest

from firstboot.site.check import Severity
from tests.firstboot.site.sites import found, says

LAN, TRANSIT = "    role: lan\n", "    role: transit\n    addresses: [192.0.2.2/30"


def reachable(entries: str, port: str = LAN) -> tuple[str, str]:
    return port, port.replace("\n", f"\n    reachable: [{entries}]\n", 1)


def test_ports_of_machines_are_reachable() -> None:
    some = "{address: 198.51.100.130, port: 443}, {address: 198.51.100.130, protocol: udp}"
    assert found(reachable(some)) == []


@pytest.mark.parametrize(
    ("entries", "key", "reason"),
    [
        ("{address: 203.0.113.7, port: 443}", "[0].address", "is in no network of this port"),
        ("{address: 198.51.100.129}", "[0].address", "is the box's own address"),
        ("{address: 198.51.100.191}", "[0].address", "is the broadcast address"),
        ("{address: 198.51.100.130, port: 0}", "[0].port", "0 is not between 1 and 65535"),
        ("{address: 198.51.100.130}, {address: 198.51.100.130}", "[1]", "there twice"),
    ],
)
def test_what_is_no_machine_on_the_lan_is_refused(entries: str, key: str, reason: str) -> None:
    assert says(found(reachable(entries)), Severity.ERROR, f"ports[2].reachable{key}", reason)


def test_there_are_no_machines_at_a_transit_port() -> None:
    findings = found(reachable("{address: 192.0.2.1}", TRANSIT))
    assert says(findings, Severity.ERROR, "ports[0].reachable", "a transit port has no machines")
