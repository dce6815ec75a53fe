"""The address plan of a box with some of a provider's addresses.

Of the addresses that the provider gave, the network's own and the broadcast address, routers', and
those of a LAN are left out. The first is the router's: the address of the transit port, where that
is one of them. Then come the resolver's, and for every eight relays two: what other relays connect
to, and what the exit traffic of the first of the eight comes from. That of the others comes from
the last addresses, from the end on; where there are none left, from that of the first.

With too few for that, the resolver asks from the router's address: both are quiet. With fewer
still, each eight relays have one address for everything. The resolver never shares with relays:
name servers drop questions from exits, and two jails cannot have the same address.

In an IPv6 prefix of /96 or larger, the router has ::1 (or the port's address), the resolver ::53:1,
relay N listens on ::443:N, and its exit traffic comes from ::80:N.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_network
from itertools import islice

from firstboot.core.values import Address, Network, within
from firstboot.site.model import MOST_RELAYS, PortRole, Site

RELAYS_AN_ADDRESS = 8
"""The directory authorities' limit on an IPv4 address."""

MOST_USED = 2 + 2 * (MOST_RELAYS // RELAYS_AN_ADDRESS) + MOST_RELAYS
"""Addresses that all relays, the router and the resolver could use."""

WIDE = 96
"""An IPv6 prefix of this length or shorter has room for numbers of relays in the last 32 bits."""

RESOLVER_PART, LISTEN_PART, EXIT_PART = 0x53, 0x443, 0x80
"""The last but one 16 bits of IPv6 addresses."""


@dataclass(frozen=True)
class Shares:
    """Addresses of one family: of the router, of the resolver, and of each relay in order."""

    router: Address
    resolver: Address
    listen: tuple[Address, ...]
    source: tuple[Address, ...]


@dataclass(frozen=True)
class Named:
    """Addresses of one family that the site names itself."""

    router: Sequence[Address] = ()
    resolver: Sequence[Address] = ()
    listen: Sequence[Address] = ()
    source: Sequence[Address] = ()


def share(site: Site, version: int, named: Named) -> Shares | None:
    """What the plan gives to whom; None for a family without addresses.

    Raises ValueError if there are too few.
    """
    scopes = [scope for scope in site.scopes if scope.version == version]
    if not scopes:
        return None
    at_port = _at_port(site, scopes)
    if isinstance(scopes[0], IPv6Network) and scopes[0].prefixlen <= WIDE:
        return _in_parts(scopes[0], at_port, site.relays.count)
    taken = {*named.router, *named.resolver, *named.listen, *named.source}
    pool = [one for one in usable(site, scopes) if one not in taken]
    return _in_order(pool, named, site.relays.count, version)


def usable(site: Site, scopes: Iterable[Network]) -> list[Address]:
    """The addresses of `scopes` that hosts can have, that of the transit port first."""
    scopes = list(scopes)
    first = _at_port(site, scopes)
    others = {face.ip for port in site.ports for face in port.addresses}
    others |= {router for port in site.ports for router in port.gateway}
    lans = [
        ip_network(face.network)
        for port in site.ports
        if port.role is PortRole.LAN
        for face in port.addresses
    ]
    near = links(site)
    edges = {edge for link in near for edge in _edges(link)}
    found = (
        address
        for scope in scopes
        for address in islice(_hosts(scope, near), MOST_USED)
        if address not in others and address not in edges
        if not any(address in lan for lan in lans)
    )
    return list(islice(dict.fromkeys([*([first] if first else []), *found]), MOST_USED))


def links(site: Site) -> tuple[Network, ...]:
    """The networks of the ports towards strangers."""
    return tuple(
        ip_network(face.network)
        for port in site.ports
        if port.role.outside
        for face in port.addresses
    )


def _at_port(site: Site, scopes: Sequence[Network]) -> Address | None:
    """The first address of a port towards strangers that is one of the provider's for this box."""
    return next(
        (
            face.ip
            for port in site.ports
            if port.role.outside
            for face in port.addresses
            if any(face.ip in scope for scope in scopes)
        ),
        None,
    )


def _hosts(scope: Network, near: Iterable[Network]) -> Iterator[Address]:
    """The addresses of `scope` in order. A part of a link is no network of its own; of all others,
    the network's own and the broadcast address are left out."""
    edges: set[Address] = set() if any(within(scope, one) for one in near) else _edges(scope)
    numbers = range(min(scope.num_addresses, MOST_USED + len(edges) + 1))
    return (one for at in numbers if (one := scope[at]) not in edges)


def _edges(network: Network) -> set[Address]:
    if network.prefixlen >= network.max_prefixlen - 1:
        return set()
    first: Address = network.network_address
    return {first, network.broadcast_address} if network.version == 4 else {first}


def _in_order(pool: list[Address], named: Named, count: int, version: int) -> Shares:
    groups = eights(count)
    lacking = [_lacking(addresses, count, groups) for addresses in (named.listen, named.source)]
    routers = 0 if named.router else 1
    least = routers + max(lacking)
    if len(pool) < least:
        raise ValueError(
            f"{len(pool)} of the IPv{version} addresses can be used, and the router and {count} "
            f"relay{'s' * (count > 1)} need {least}"
        )
    router = named.router[0] if named.router else pool[0]
    rest = pool[routers:]
    resolver = router
    if not named.resolver and len(rest) > sum(lacking):
        resolver, *rest = rest
    if len(rest) >= 2 * groups:
        pairs = [(rest[2 * at], rest[2 * at + 1]) for at in range(groups)]
        others = reversed(rest[2 * groups :])
    else:
        pairs = [(one, one) for one in (rest or [router])[:groups]]
        pairs += pairs[-1:] * (groups - len(pairs))
        others = reversed(rest[groups:])
    alike = [pairs[at // RELAYS_AN_ADDRESS] for at in range(count)]
    return Shares(
        router,
        resolver,
        tuple(listen for listen, _ in alike),
        tuple(
            next(others, source) if at % RELAYS_AN_ADDRESS else source
            for at, (_, source) in enumerate(alike)
        ),
    )


def _lacking(named: Sequence[Address], count: int, groups: int) -> int:
    """Groups of eight relays for which the site names no address."""
    return 0 if len(named) >= count else max(groups - len(named), 0)


def eights(count: int) -> int:
    """How many groups of eight `count` relays are; the last one may be smaller."""
    return -(-count // RELAYS_AN_ADDRESS)


def _in_parts(scope: IPv6Network, at_port: Address | None, count: int) -> Shares:
    def host(part: int, number: int) -> Address:
        return scope.network_address + (part << 16) + number

    return Shares(
        at_port or host(0, 1),
        host(RESOLVER_PART, 1),
        tuple(host(LISTEN_PART, number) for number in range(1, count + 1)),
        tuple(host(EXIT_PART, number) for number in range(1, count + 1)),
    )
