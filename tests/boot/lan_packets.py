"""What strangers send to machines on a LAN, and whether it comes in at the port to the upstream:
said by hand for examples/machines-on-a-lan.yaml, as an operator reads the site.

The proof and the kernel's pf are both asked (`test_pf_parts`, `test_pf`).
"""

from dataclasses import dataclass
from ipaddress import ip_address

from firstboot.site.verify.packets import Kind, Packet
from tests.boot.pf_packets import ACK, FIN, PUSH, RST, SYN

EXAMPLE = "machines-on-a-lan"

TRANSIT, LAN = "vtnet0", "vtnet1"
"""Its ports on `pf_rules.INTERFACES`."""

STRANGER = {4: "9.9.9.9", 6: "2620:fe::9"}
WEB, WEB6 = "198.51.100.70", "2001:db8:ee:10::70"
MAIL, MAIL6 = "198.51.100.71", "2001:db8:ee:10::71"
CLOSED, CLOSED6 = "198.51.100.72", "2001:db8:ee:10::72"
GATEWAY, GATEWAY6 = "198.51.100.65", "2001:db8:ee:10::1"

ECHO_REQUEST = {4: 8, 6: 128}
GRE = 47


@dataclass(frozen=True)
class Said:
    what: str
    packet: Packet
    comes_in: bool


def tcp(to: str, port: int, flags: int, source: str | None = None) -> Packet:
    return _packet(Kind.TCP, source, to, (40_000, port, flags))


def udp(to: str, port: int, source: str | None = None) -> Packet:
    return _packet(Kind.UDP, source, to, (40_000, port))


def ping(to: str) -> Packet:
    return _packet(Kind.ICMP, None, to, (ECHO_REQUEST[ip_address(to).version], 0))


def other(to: str, protocol: int) -> Packet:
    return _packet(Kind.OTHER, None, to, (protocol,))


def _packet(kind: Kind, source: str | None, to: str, rest: tuple[int, ...]) -> Packet:
    there = ip_address(to)
    here = ip_address(source or STRANGER[there.version])
    return Packet(there.version, kind, (int(here), int(there), *rest))


SAID = (
    Said("a connection to the web server", tcp(WEB, 443, SYN), True),
    Said("one to it by IPv6", tcp(WEB6, 443, SYN), True),
    Said("one to a port of it that is not named", tcp(WEB, 80, SYN), False),
    Said("one to such a port by IPv6", tcp(WEB6, 80, SYN), False),
    Said("its datagrams", udp(WEB, 443), True),
    Said("datagrams to a port that is not named", udp(WEB, 53), False),
    Said("datagrams by IPv6, which are not named", udp(WEB6, 443), False),
    Said("mail", tcp(MAIL, 25, SYN), True),
    Said("a login at the mail server", tcp(MAIL, 22, SYN), False),
    Said("any port of TCP, where none is named", tcp(MAIL6, 22, SYN), True),
    Said("another one", tcp(MAIL6, 65535, SYN), True),
    Said("datagrams there", udp(MAIL6, 53), False),
    Said("a connection to a machine that is not named", tcp(CLOSED, 443, SYN), False),
    Said("one to it by IPv6", tcp(CLOSED6, 443, SYN), False),
    Said("datagrams to it", udp(CLOSED, 443), False),
    Said("a tunnel to it", other(CLOSED, GRE), False),
    Said("a tunnel to a machine that is named", other(WEB, GRE), False),
    Said("the answer to a connection of its own", tcp(CLOSED, 50_000, SYN | ACK), True),
    Said("what follows on it", tcp(CLOSED, 50_001, ACK), True),
    Said("data on it", tcp(CLOSED6, 50_002, ACK | PUSH), True),
    Said("the end of it", tcp(CLOSED, 50_003, ACK | FIN), True),
    Said("a refusal", tcp(CLOSED, 50_004, RST), True),
    Said("an echo request", ping(CLOSED), True),
    Said("one by IPv6", ping(CLOSED6), True),
    Said("a connection to the box's own address there", tcp(GATEWAY, 443, SYN), False),
    Said("one to it by IPv6", tcp(GATEWAY6, 443, SYN), False),
    Said("a segment to it", tcp(GATEWAY, 80, ACK), False),
    Said("a connection from an own address", tcp(WEB, 443, SYN, "198.51.100.9"), False),
    Said("one from nobody's address", tcp(WEB, 443, SYN, "10.1.2.3"), False),
)

QUESTIONS = (udp(STRANGER[4], 123, CLOSED), udp(STRANGER[6], 123, CLOSED6))
"""What a machine that is not named asks of strangers, who may answer then."""


def answer(question: Packet) -> Packet:
    """The datagram that answers `question`."""
    source, to, here, there = question.numbers
    return Packet(question.version, question.kind, (to, source, there, here))
