"""What is sent to the appliance, and how what programs say is read."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qemu.bench import resolver, rules
from qemu.world.net import Failed
from qemu.world.packets import UDP, Frame

SAID = """\
[Status] Testing complete (time limit)
> NOERROR n0.example A 0.000298
> SERVFAIL n1.example A 0.900000
> T n2.example A
> NOERROR n3.example A 0.002000

Statistics:

  Run time (s):         0.500000
  Queries per second:   6.000000
"""


def test_only_answers_count_of_what_dnsperf_says() -> None:
    assert resolver.read(SAID) == (4.0, 2.0)


@pytest.mark.parametrize("said", ["", SAID.replace("NOERROR", "REFUSED")])
def test_a_resolver_without_answers_is_a_failure(said: str) -> None:
    with pytest.raises(Failed, match="no answer"):
        resolver.read(said)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_packets_are_what_a_router_passes_on(source: IPv4Address, destination: IPv4Address) -> None:
    raw = rules.frame("02:00:5e:10:04:02", source, destination)
    assert raw[:6] == bytes.fromhex("02005e100402")
    assert len(raw) == 14 + rules.SIZE
    assert rules.checksum(raw[14:34]) == 0
    packet = Frame("", int.from_bytes(raw[12:14], "big"), raw[14:]).packet
    assert (packet.source, packet.destination) == (source, destination)
    assert (packet.protocol, packet.ports) == (UDP, (rules.DISCARD, rules.DISCARD))


def test_the_processors_time_is_that_of_all_but_idling() -> None:
    clock = "{ hz = 1000, tick = 1000, profhz = 8126, stathz = 127 }"
    assert rules.spent(f"127 0 254 127 99999\n{clock}") == 4.0
