"""What a check or a fault needs a site to have, and what is told where a site lacks it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from firstboot.site.address_plan import allot
from firstboot.site.alarms import destinations
from firstboot.site.model import PeerRole, PortRole, Routes, Site
from firstboot.site.reach import lets_out
from qemu.lab.administrator import way_in
from qemu.world.services import ECHO

WEB = 80

SOMEBODY = IPv4Address("11.250.3.10")
"""An address of the simulated Internet."""


@dataclass(frozen=True, slots=True)
class Need:
    """`lack` is what is so at a site of which `met` is not true, as a sentence without its end."""

    lack: str
    met: Callable[[Site], bool]


def lacking(site: Site, needs: Iterable[Need]) -> str:
    """Why something with these needs does not apply to `site`; "" if it does."""
    return "; ".join(dict.fromkeys(need.lack for need in needs if not need.met(site)))


def has_peer(role: PeerRole) -> Callable[[Site], bool]:
    return lambda site: any(session.peer.role is role for session in allot(site).sessions)


def all_let_out(site: Site, port: int) -> bool:
    """Whether all exits let out TCP `port` to the simulated Internet."""
    relays = site.relays
    policies = (relays.lets_out(number) for number in range(1, relays.count + 1))
    return all(lets_out(one, port, SOMEBODY) for one in policies)


def _ways(site: Site) -> set[str]:
    """The ports of sessions over IPv4 with transits that send a table or a default route."""
    return {
        session.port.name
        for session in allot(site).sessions
        if session.peer.role is PeerRole.TRANSIT
        and session.peer.routes is not Routes.STATIC
        and session.remote.version == 4
    }


def _has_exchange(site: Site) -> bool:
    return any(port.role is PortRole.EXCHANGE for port in site.ports)


def _has_exchange_peer(site: Site) -> bool:
    return any(one.port.role is PortRole.EXCHANGE for one in allot(site).sessions)


def _resolver_apart(site: Site) -> bool:
    plan = allot(site)
    exits = {address for relay in plan.relays for address in relay.source}
    return not exits & {*plan.resolver}


def _transit_apart(site: Site) -> bool:
    sessions = allot(site).sessions
    return not any(
        one.peer.role is PeerRole.TRANSIT and one.port.role is PortRole.EXCHANGE for one in sessions
    )


def _two_relays(site: Site) -> bool:
    return site.relays.count > 1


ALARM = Need("the site names nobody who is told of alarms", lambda site: bool(destinations(site)))
BGP = Need("the addresses are a provider's, so there is no BGP", lambda site: not site.provided)
BUNDLE = Need(
    "no port has a bundle of cards", lambda site: any(len(one.members) > 1 for one in site.ports)
)
EXCHANGE = Need("no port leads to an exchange", _has_exchange)
EXCHANGE_PEER = Need("nobody at an exchange is a peer", _has_exchange_peer)
TRANSIT = Need("there is no session with a transit", has_peer(PeerRole.TRANSIT))
TRANSIT_APART = Need("a transit is at an exchange", _transit_apart)
PEER = Need("no peer has the role peer", has_peer(PeerRole.PEER))
MANAGED = Need("no management port has a router", lambda site: way_in(site) is not None)
OTHER_WAY = Need(
    "transits that send routes over IPv4 are not on two ports, so there is no other way out",
    lambda site: len(_ways(site)) > 1,
)
PAGES = Need(f"exits do not let out port {WEB}", lambda site: all_let_out(site, WEB))
STREAMS = Need(f"exits do not let out port {ECHO}", lambda site: all_let_out(site, ECHO))
TWO_RELAYS = Need("there is one relay", _two_relays)
RESOLVER_APART = Need("the resolver asks from an address of exit traffic", _resolver_apart)
