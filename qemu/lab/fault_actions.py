"""Ways to do harm in a lab, to the appliance and to the world around it, and to undo it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from firstboot.site.model import PeerRole, PortRole
from qemu.lab.session import Lab
from qemu.world.nameservers import Nameserver
from qemu.world.routes import thousands

Step = Callable[[Lab], None]

FLAPS = 5

UNBOUND = "/var/unbound/unbound.conf"

PF = "/boot/kernel/pf.ko"


def root(*commands: str) -> Step:
    """Commands of root's on the appliance, the next only if the last one succeeds. In them,
    {resolver}, {relays} and {clock} are how its system speaks to each."""

    def step(lab: Lab) -> None:
        system = lab.appliance.system
        for command in commands:
            lab.appliance.said(
                command.format(resolver=system.resolver, relays=system.relays, clock=system.clock)
            )

    return step


def nothing(lab: Lab) -> None:
    """It passes by itself."""


def restart(*commands: str) -> Step:
    """A restart after such commands."""

    def step(lab: Lab) -> None:
        root(*commands)(lab)
        lab.appliance.restart()

    return step


def recover(*commands: str) -> Step:
    """A restart after such commands, from which everything comes up."""

    def step(lab: Lab) -> None:
        restart(*commands)(lab)
        lab.appliance.teach(lab.internet.trust)

    return step


def lose_power(lab: Lab) -> None:
    lab.appliance.lose_power()
    lab.appliance.teach(lab.internet.trust)


def flap(lab: Lab) -> None:
    """The first transit closes its sessions and opens them again, several times."""
    lab.internet.routers[first(lab, PeerRole.TRANSIT)].flap(FLAPS, 2)


def sign_wrongly(lab: Lab) -> None:
    """The first transit signs its segments with another secret than the one agreed on."""
    _sign(lab, first(lab, PeerRole.TRANSIT), "of-somebody-else")


def sign_rightly(lab: Lab) -> None:
    peer = first(lab, PeerRole.TRANSIT)
    _sign(lab, peer, next(one.md5 for one in lab.site.peers if one.name == peer))
    _clear(lab, peer)


def _sign(lab: Lab, peer: str, secret: str | None) -> None:
    for session in lab.internet.of_site(peer):
        lab.internet.routers[peer].change(session, password=secret)


def _clear(lab: Lab, peer: str) -> None:
    """The appliance begins its sessions with this peer anew, at once."""
    for session in lab.plan.sessions:
        if session.peer.name == peer:
            lab.appliance.said(f"bgpctl neighbor {session.remote} clear")


def announce_too_many(lab: Lab) -> None:
    """The first peer announces more routes than it may."""
    peer = first(lab, PeerRole.PEER)
    most = next(one.max_prefix for one in lab.site.peers if one.name == peer) or 1000
    lab.internet.routers[peer].announce(thousands(most + 1, 0))


def announce_enough(lab: Lab) -> None:
    peer = first(lab, PeerRole.PEER)
    lab.internet.routers[peer].announce([])
    _clear(lab, peer)


def unplug(lab: Lab) -> None:
    lab.unplug(exchange(lab))


def plug(lab: Lab) -> None:
    lab.plug(exchange(lab))


def mislead(lab: Lab) -> None:
    """A route server says that it is the router for all, and redirects what is for the web
    server."""
    peer, web = first(lab, PeerRole.ROUTE_SERVER), lab.internet.topology.host("web")
    lab.internet.advertise(peer)
    for address in web.addresses:
        lab.internet.redirect(peer, address)


def blackhole_exits(lab: Lab) -> None:
    """The name servers drop what comes from addresses that exit traffic comes from."""
    for server in _servers(lab):
        server.blackhole(*lab.exits)


def hear_exits(lab: Lab) -> None:
    for server in _servers(lab):
        server.hear(*lab.exits)


def set_clock(ahead: timedelta) -> Step:
    """The appliance's clock is so much ahead of this machine's."""

    def step(lab: Lab) -> None:
        lab.appliance.said(f"date -u {datetime.now(UTC) + ahead:%Y%m%d%H%M.%S}")

    return step


def in_turn(*steps: Step) -> Step:
    def step(lab: Lab) -> None:
        for one in steps:
            one(lab)

    return step


def first(lab: Lab, role: PeerRole) -> str:
    """The name of the first peer of this role that speaks both families."""
    return next(p.name for p in lab.site.peers if p.role is role and len(p.addresses) > 1)


def exchange(lab: Lab) -> str:
    """The name of the port to the exchange."""
    return next(port.name for port in lab.site.ports if port.role is PortRole.EXCHANGE)


def _servers(lab: Lab) -> tuple[Nameserver, ...]:
    servers = lab.internet.nameservers
    return servers.roots, servers.registry, servers.zones
