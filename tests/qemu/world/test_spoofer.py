"""What somebody sends who has others' addresses."""

import socket
import struct
from ipaddress import ip_address

import pytest

from qemu.world.packets import IPV4, IPV6, TCP, Frame
from qemu.world.spoofer import syn


@pytest.mark.parametrize(
    ("source", "to", "ethertype"),
    [("198.51.100.77", "11.250.3.10", IPV4), ("2001:db8:ee::77", "2d0f:3::a", IPV6)],
)
def test_it_is_a_syn_that_a_host_believes(source: str, to: str, ethertype: int) -> None:
    data = syn(ip_address(source), ip_address(to), 20_007, 80, 7)
    packet = Frame("02:00:00:00:00:01", ethertype, data, inbound=True).packet
    assert (packet.source, packet.destination) == (ip_address(source), ip_address(to))
    assert (packet.protocol, packet.ports) == (TCP, (20_007, 80))
    tcp = data[-20:]
    assert struct.unpack("!I", tcp[4:8]) == (7,)
    assert tcp[13] == 0x02
    ends = ip_address(source).packed + ip_address(to).packed
    whole = ends + struct.pack("!IxxxB", len(tcp), socket.IPPROTO_TCP) + tcp
    words = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    assert (words & 0xFFFF) + (words >> 16) == 0xFFFF
