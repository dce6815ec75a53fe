"""Which program may listen where on a configured box."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan
from firstboot.site.model import PortRole, Site
from firstboot.site.services import Listens, Place, Service

NO_JAIL = "none"


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that waits for others, as sockstat(1) tells it.

    `program` may be cut short. `protocol` is ``tcp`` or ``udp``. `host` is an address, or ``*`` for
    all addresses. `port` is 0 for a socket that has none yet. `jail` is the name of the jail that
    the process is in, NO_JAIL outside of all, and "" where nobody asked.
    """

    program: str
    protocol: str
    host: str
    port: int
    jail: str = ""

    def __str__(self) -> str:
        return f"{self.program} listens on {self.host} port {self.port} ({self.protocol})"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the services of a box may listen on, and what its addresses are for."""

    services: tuple[Service, ...]
    places: dict[Place, frozenset[Address]]

    @classmethod
    def of(cls, site: Site, plan: Plan, services: Iterable[Service]) -> "Rules":
        return cls(tuple(services), addresses(site, plan))

    def allow(self, socket: Socket) -> bool:
        """Whether a service declares `socket`."""
        return any(self.fits(service, one, socket) for service, one in self.declared())

    def declared(self) -> Iterator[tuple[Service, Listens]]:
        return ((service, one) for service in self.services for one in service.listens)

    def fits(self, service: Service, one: Listens, socket: Socket) -> bool:
        """Whether `socket` is what `service` declares with `one`."""
        return (
            any(name.startswith(socket.program) for name in service.processes)
            and one.protocol.value == socket.protocol
            and one.port in (None, socket.port)
            and one.on in self._of(socket.host)
        )

    def _of(self, host: str) -> set[Place]:
        """What the address `host` is for; nothing if the box should not have it."""
        if host == "*":
            return {Place.ANY}
        try:
            address = ip_address(host)
        except ValueError:
            return set()
        found = {place for place, known in self.places.items() if address in known}
        return found | ({Place.LOOPBACK} if address.is_loopback else set())


def addresses(site: Site, plan: Plan) -> dict[Place, frozenset[Address]]:
    """The addresses of a box by what they are for, loopbacks excepted."""

    def ports(role: PortRole) -> frozenset[Address]:
        found = (port for port in site.ports if port.role is role)
        return frozenset(face.ip for port in found for face in port.addresses)

    return {
        Place.ROUTER: frozenset(plan.router),
        Place.RESOLVER: frozenset(plan.resolver),
        Place.RELAYS: frozenset(one for relay in plan.relays for one in relay.listen),
        Place.EXITS: frozenset(one for relay in plan.relays for one in relay.source),
        Place.MANAGEMENT: ports(PortRole.MANAGEMENT),
        Place.LAN: ports(PortRole.LAN),
        Place.SESSIONS: frozenset(session.local for session in plan.sessions),
    }
