"""What the checks go by: which addresses are whose."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from firstboot.core.values import Address, Network
from firstboot.site.address_plan import Plan
from firstboot.site.model import PortRole, Site


@dataclass(frozen=True, slots=True)
class AddressRoles:
    """The addresses of a site by what they are for."""

    site: Site
    scopes: tuple[Network, ...]
    ports: frozenset[Address]
    """Of transit and exchange ports: only BGP and neighbour discovery may use them."""

    lan: frozenset[Address]
    management: frozenset[Address]
    resolver: frozenset[Address]
    listening: frozenset[Address]
    """Where other relays connect to."""

    exits: frozenset[Address]
    router: frozenset[Address]
    neighbours: frozenset[Address]

    @classmethod
    def of(cls, site: Site, plan: Plan) -> "AddressRoles":
        def addresses(*roles: PortRole) -> frozenset[Address]:
            ports = (port for port in site.ports if port.role in roles)
            return frozenset(interface.ip for port in ports for interface in port.addresses)

        return cls(
            site=site,
            scopes=site.scopes,
            ports=addresses(PortRole.TRANSIT, PortRole.EXCHANGE),
            lan=addresses(PortRole.LAN),
            management=addresses(PortRole.MANAGEMENT),
            resolver=frozenset(plan.resolver),
            listening=frozenset(address for relay in plan.relays for address in relay.listen),
            exits=frozenset(address for relay in plan.relays for address in relay.source),
            router=frozenset(plan.router),
            neighbours=frozenset(session.remote for session in plan.sessions),
        )

    def owns(self, address: Address) -> bool:
        return any(address in scope for scope in self.scopes)

    def foreign(self, address: Address) -> str | None:
        """Why nothing may be sent from `address`; None if it may."""
        if address in self.ports:
            return f"{address} is the address of a port towards strangers"
        if not self.owns(address):
            return f"{address} is not in the own scopes"
        return None


def numbered(text: str, comment: str = "#") -> Iterator[tuple[int, str]]:
    """Lines that say something, with their numbers, without comments and outer blanks."""
    for number, line in enumerate(text.splitlines(), 1):
        said = line.split(comment, 1)[0].strip()
        if said:
            yield number, said


def address_of(text: str) -> Address | None:
    """The address that `text` is, brackets or not; None if it is none."""
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def network_of(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def within(network: Network, scopes: Iterable[Network]) -> bool:
    """Whether all of `network` is in one of `scopes`."""
    return any(
        network.version == scope.version and network.subnet_of(scope)  # type: ignore[arg-type]
        for scope in scopes
    )
