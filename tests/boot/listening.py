"""Who listens on a configured box, against what the overlays list."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from firstboot.site.address_plan import Plan
from firstboot.site.model import PortRole, Site
from image import overlay
from image.overlay import Listens, Place
from tests.boot.conftest import ROOT


@dataclass(frozen=True)
class Socket:
    """A line of ``sockstat -46lqw``; the port of a socket that has none yet is 0."""

    program: str
    protocol: str
    address: str
    port: int


def listed() -> list[Listens]:
    return [
        rule for one in overlay.load_all(ROOT / "overlays") for rule in one.recipe.value.listens
    ]


def read(text: str) -> Iterator[Socket]:
    for line in text.splitlines():
        _, program, _, _, protocol, local, *_ = line.split()
        host, _, port = local.rpartition(":")
        address = host.strip("[]").partition("%")[0]
        yield Socket(program, protocol[:3], address, int(port) if port.isdigit() else 0)


def places(address: str, site: Site, plan: Plan) -> set[Place]:
    """What an address of the box is for."""
    if address == "*":
        return {Place.ANY}
    one = ip_address(address)
    relays = plan.relays
    ports = {
        role: {face.ip for port in site.ports if port.role is role for face in port.addresses}
        for role in PortRole
    }
    of = {
        Place.ROUTER: set(plan.router),
        Place.RESOLVER: set(plan.resolver),
        Place.RELAYS: {found for relay in relays for found in relay.listen},
        Place.EXITS: {found for relay in relays for found in relay.source},
        Place.MANAGEMENT: ports[PortRole.MANAGEMENT],
        Place.LAN: ports[PortRole.LAN],
        Place.SESSIONS: {session.local for session in plan.sessions},
    }
    found = {place for place, addresses in of.items() if one in addresses}
    return found | ({Place.LOOPBACK} if one.is_loopback else set())


def fits(rule: Listens, socket: Socket, where: set[Place]) -> bool:
    # sockstat(1) cuts names off.
    return (
        rule.program.startswith(socket.program)
        and rule.protocol.value == socket.protocol
        and rule.on in where
        and rule.port in (None, socket.port)
    )


def differences(text: str, site: Site, plan: Plan) -> list[str]:
    """Sockets that no rule allows, and rules with a port that no socket fits."""
    sockets = [(one, places(one.address, site, plan)) for one in read(text)]
    rules = listed()
    strange = [
        f"not listed: {one}"
        for one, where in sockets
        if not any(fits(rule, one, where) for rule in rules)
    ]
    roles = {port.role for port in site.ports}
    missing = [
        f"does not listen: {rule}"
        for rule in rules
        if rule.port is not None
        and (rule.on is not Place.LAN or PortRole.LAN in roles)
        and not any(fits(rule, one, where) for one, where in sockets)
    ]
    return strange + missing
