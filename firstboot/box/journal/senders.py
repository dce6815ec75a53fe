"""Which of the box's programs may have sent a packet with a foreign source: those with a socket at
an address that is not theirs. That they sent it is likely and not proven, so reports say so."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from firstboot.site.address_plan import allot
from firstboot.site.listening import Rules, Socket
from firstboot.site.model import Site
from firstboot.site.services import Service

UNKNOWN = "not known"
MOST = 5


@dataclass(frozen=True, slots=True)
class Sender:
    """`source` says whose address the socket has: a port's, or none of ours. `jail` is the one that
    the program is in, NO_JAIL outside of all, and "" where that is not known."""

    program: str
    source: str
    jail: str = ""


def senders(
    site: Site, services: Iterable[Service], sockets: Iterable[Socket], protocol: str
) -> tuple[Sender, ...]:
    """At most a few, in alphabetical order."""
    found = set(_strange(site, tuple(services), sockets, protocol))
    return tuple(sorted(found, key=lambda one: (one.program, one.source, one.jail))[:MOST])


def _strange(
    site: Site, services: tuple[Service, ...], sockets: Iterable[Socket], protocol: str
) -> Iterator[Sender]:
    plan = allot(site)
    rules = Rules.of(site, plan, services)
    own = {*plan.addresses}
    ports = {face.ip for port in site.ports for face in port.addresses}
    sessions = {session.local for session in plan.sessions}
    for socket in sockets:
        try:
            address = ip_address(socket.host)
        except ValueError:
            # Of all addresses: the kernel gives a packet that of the port that it leaves by.
            if socket.protocol == protocol and not rules.allow(socket):
                yield Sender(socket.program, "a port's, chosen by the kernel", socket.jail)
            continue
        if socket.protocol != protocol or address in own or address.is_loopback:
            continue
        if rules.allow(socket) or (address in sessions and socket.program == "bgpd"):
            continue
        source = "a port's" if address in ports else "none of ours"
        yield Sender(socket.program, source, socket.jail)
