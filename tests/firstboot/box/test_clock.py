"""What is said of the clock, by what ntpq(8) prints."""

import pytest

from firstboot.box import clock
from tests.firstboot.box.box import Box

SYSINFO = """associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,
system peer:        {peer}
system peer mode:   client
leap indicator:     00
stratum:            3
log2 precision:     -21
root delay:         12.011
reference ID:       11.250.7.10
associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,
offset={offset}
"""


def answered(box: Box, text: str) -> str:
    box.programs.answers["ntpq -n -c sysinfo -c rv 0 offset"] = text
    return clock.sentence(clock.look(box.machine))


@pytest.mark.parametrize("peer", ["11.250.7.10:123", "[2d0f:7::a]:123", "11.250.7.10"])
def test_offset_and_source_are_told(box: Box, peer: str) -> None:
    address = peer.removesuffix(":123").strip("[]")
    said = answered(box, SYSINFO.format(peer=peer, offset="-0.2571"))
    assert said == f"-0.3 ms off, from {address}, stratum 3"


@pytest.mark.parametrize(
    "text",
    [
        SYSINFO.format(peer="0.0.0.0:0", offset="0.0"),
        SYSINFO.format(peer="[::]:0", offset="0.0"),
    ],
)
def test_a_clock_that_no_server_has_set_is_told(box: Box, text: str) -> None:
    assert answered(box, text).startswith("NOT SET by any server")


@pytest.mark.parametrize(
    "text",
    ["localhost: timed out, nothing received\n", "ntpq: read: Connection refused\n", ""],
)
def test_an_ntpd_that_does_not_answer_has_not_lost_its_servers(box: Box, text: str) -> None:
    assert answered(box, text) == "UNKNOWN: ntpd does not answer, or not within 10 s"
