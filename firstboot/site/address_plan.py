"""The address plan: which address of the scopes is whose.

In the first IPv4 scope: .1 the router, .2 the resolver's questions, then for every eight relays
two addresses, .11 and .12, .13 and .14, ...: what other relays connect to, and what exit traffic
comes from. In the first IPv6 scope: ::1 the router, ::53 the resolver, ::1:N what others connect
to and ::2:N where the exit traffic of relay N comes from.

Tor counts at most eight relays on an IPv4 address. Exit addresses are apart because they end up
on block lists, and the resolver's because authorities drop questions from exits. The site may
override each: `router`, `dns.addresses`, `relays.or_addresses`, `relays.exit_addresses`.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from firstboot.core.values import Address, Interface
from firstboot.site.model import Peer, Port, Site

RELAYS_AN_ADDRESS = 8
"""The directory authorities' limit on an IPv4 address."""

FIRST_RELAY_HOST = 11
OR_PORTS = (443, 9001, 9002, 9003, 9004, 9005, 9006, 9007)
"""Of the relays that share an address, in their order."""


@dataclass(frozen=True)
class Pair:
    """An address of each family, where there is one."""

    v4: IPv4Address | None = None
    v6: IPv6Address | None = None

    def __iter__(self) -> Iterator[IPv4Address | IPv6Address]:
        return (address for address in (self.v4, self.v6) if address is not None)


@dataclass(frozen=True)
class Relay:
    """One relay: its number from 1 on, its name, where it listens and what it sends from."""

    number: int
    nickname: str
    listen: Pair
    port: int
    source: Pair
    serves_notice: bool
    """Whether it answers on port 80 of its exit address: one relay an address does."""


@dataclass(frozen=True)
class Session:
    """A BGP session: a peer's address, and the port and the address of ours that share its
    network."""

    peer: Peer
    remote: IPv4Address | IPv6Address
    port: Port
    local: IPv4Address | IPv6Address


@dataclass(frozen=True)
class Plan:
    router: Pair
    resolver: Pair
    relays: tuple[Relay, ...]
    sessions: tuple[Session, ...]
    """With every address of a peer that is in the network of an outside port."""

    @property
    def addresses(self) -> tuple[Address, ...]:
        """All addresses of the box inside the scopes, each once, in order."""
        found = [*self.router, *self.resolver]
        for relay in self.relays:
            found += [*relay.listen, *relay.source]
        return tuple(dict.fromkeys(found))


def allot(site: Site) -> Plan:
    """The plan of `site`. Every address is inside the scopes unless the site overrides it; a
    family without a scope has no addresses. Raises ValueError if a scope is too small."""
    v4 = next((scope for scope in site.scopes if isinstance(scope, IPv4Network)), None)
    v6 = next((scope for scope in site.scopes if isinstance(scope, IPv6Network)), None)
    return Plan(
        router=_override(site.router, Pair(_host4(v4, 1), _host6(v6, 1))),
        resolver=_override(site.dns.addresses, Pair(_host4(v4, 2), _host6(v6, 0x53))),
        relays=tuple(_relay(site, number, v4, v6) for number in range(1, site.relays.count + 1)),
        sessions=tuple(
            Session(peer, remote, port, interface.ip)
            for peer in site.peers
            for remote in peer.addresses
            for port, interface in _beside(site, remote)
        ),
    )


def _beside(site: Site, remote: Address) -> list[tuple[Port, Interface]]:
    """The first outside port, and its address, in whose network `remote` is, if there is one."""
    found = (
        (port, interface)
        for port in site.ports
        if port.role.outside
        for interface in port.addresses
        if remote in interface.network
    )
    return list(itertools.islice(found, 1))


def _relay(site: Site, number: int, v4: IPv4Network | None, v6: IPv6Network | None) -> Relay:
    group, place = divmod(number - 1, RELAYS_AN_ADDRESS)
    host = FIRST_RELAY_HOST + 2 * group
    listen = Pair(_host4(v4, host), _host6(v6, 0x10000 + number))
    source = Pair(_host4(v4, host + 1), _host6(v6, 0x20000 + number))
    return Relay(
        number,
        site.relays.nickname.replace("{n}", str(number)),
        _override(_nth(site.relays.or_addresses, group), listen),
        OR_PORTS[place],
        _override(_nth(site.relays.exit_addresses, group), source),
        serves_notice=place == 0,
    )


def _nth(addresses: Iterable[Address], at: int) -> tuple[Address, ...]:
    """The address of each family at place `at` among those of its family."""
    found = list(addresses)
    families = ([a for a in found if a.version == version] for version in (4, 6))
    return tuple(family[at] for family in families if at < len(family))


def _override(addresses: Iterable[Address], planned: Pair) -> Pair:
    v4, v6 = planned.v4, planned.v6
    for address in addresses:
        if isinstance(address, IPv4Address):
            v4 = address
        else:
            v6 = address
    return Pair(v4, v6)


def _host4(scope: IPv4Network | None, host: int) -> IPv4Address | None:
    if scope is None:
        return None
    if host >= scope.num_addresses - 1:
        raise ValueError(f"{scope} has no address number {host}")
    return scope.network_address + host


def _host6(scope: IPv6Network | None, host: int) -> IPv6Address | None:
    if scope is None:
        return None
    if host >= scope.num_addresses:
        raise ValueError(f"{scope} has no address number {host}")
    return scope.network_address + host
