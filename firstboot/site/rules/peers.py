"""Peers: whether each can be reached, fits its role, and has sensible limits."""

import re
from collections.abc import Iterator

from firstboot.core.document import Key, quote
from firstboot.core.fault import quote_value
from firstboot.core.values import Address
from firstboot.site.model import Peer, PeerRole, Port, PortRole, Site
from firstboot.site.rules.finding import Finding, advice, error, warning
from firstboot.site.rules.hosts import Neighbourhood, inside, no_host

_SET = "AS(?:[0-9]{1,10}|-[A-Z0-9_-]{1,60})"
IRR = re.compile(rf"(?i)(?:[A-Z]{{1,20}}::)?{_SET}(?::{_SET}){{0,5}}")
"""RFC 2622, section 5: AS64500, AS-EXAMPLE or AS64500:AS-ALL, perhaps after RIPE::."""

FULL_TABLE = 500_000
"""Far below the IPv4 Internet of the day, which has about a million routes."""


def check(site: Site) -> Iterator[Finding]:
    if not site.peers:
        yield error(
            ("peers",), "there is no peer, so nobody learns the scopes", "Add the upstream's router"
        )
    elif not any(peer.role is PeerRole.TRANSIT for peer in site.peers):
        yield warning(
            ("peers",),
            "no peer has the role transit, so only networks at the exchange are reachable, and "
            "exits must reach all",
            "Add an upstream with the role transit",
        )
    ports = Neighbourhood(site)
    for at, peer in enumerate(site.peers):
        yield from _one(site, ports, ("peers", at), peer)
    yield from _apart(site)
    yield from _families(site)
    yield from _ports_in_use(site, ports)


def _one(site: Site, neighbourhood: Neighbourhood, key: Key, peer: Peer) -> Iterator[Finding]:
    if not peer.addresses:
        yield error(
            key, "the peer has no address", "Give one for each address family of its session"
        )
    for version in (4, 6):
        of_family = [at for at, one in enumerate(peer.addresses) if one.version == version]
        for at in of_family[1:]:
            yield error(
                (*key, "addresses", at),
                f"this is the second IPv{version} address of the peer",
                "Add the second router as a peer of its own",
            )
    ports = []
    for at, address in enumerate(peer.addresses):
        where = (*key, "addresses", at)
        yield from _address(site, neighbourhood, where, peer, address)
        port, _ = neighbourhood.beside(address) or (None, None)
        if port and port.role.outside:
            ports.append(port)
    if ports:
        yield from _missing_families(site, key, peer, ports[0])
    if len({port.name for port in ports}) > 1:
        yield warning(
            (*key, "addresses"),
            "the IPv4 and the IPv6 address are on different ports",
            "If this is right, make them two peers",
        )
    yield from _routes(key, peer)


def _address(
    site: Site, neighbourhood: Neighbourhood, key: Key, peer: Peer, address: Address
) -> Iterator[Finding]:
    port, network = neighbourhood.beside(address) or (None, None)
    if inside(address, site.scopes):
        yield error(
            key,
            f"{address} is in the own scopes, where no other network has a router",
            "Give the address of the peer's router in the network of the port",
        )
    elif port is None:
        yield error(
            key,
            f"{address} is in the network of no port",
            "Correct it, or the addresses of the port that leads to the peer",
        )
    elif not port.role.outside:
        yield error(
            key,
            f"{address} is in the network of the {port.role.value} port {quote(port.name)}, where "
            "BGP is not used",
            "Give the port the role transit or exchange, or correct the address",
        )
    else:
        yield from _role(key, peer, port)
    if address in neighbourhood.own:
        yield error(key, f"{address} is the box's own address", "Give the address of the peer")
    why = no_host(address, network) if network else None
    if why:
        yield error(key, f"{address} {why} of {network}", "Give the address of the peer's router")


def _role(key: Key, peer: Peer, port: Port) -> Iterator[Finding]:
    exchange = port.role is PortRole.EXCHANGE
    if peer.role is PeerRole.ROUTE_SERVER and not exchange:
        yield error(
            key,
            f"route servers are at exchanges, and {quote(port.name)} is a transit port",
            "Correct the role of the peer or of the port",
        )
    elif peer.role is PeerRole.TRANSIT and exchange:
        yield warning(
            key,
            f"{quote(port.name)} is an exchange port, and most exchanges forbid transit across "
            "them or must be told",
            "Ask the exchange, or correct the role",
        )
    elif peer.role is PeerRole.PEER and not exchange:
        yield advice(
            key,
            f"{quote(port.name)} is a transit port, and this is a peer",
            "Leave it if this is a private interconnection, otherwise correct the role",
        )


def _missing_families(site: Site, key: Key, peer: Peer, port: Port) -> Iterator[Finding]:
    say = warning if peer.role is PeerRole.TRANSIT else advice
    for version in (4, 6):
        on_port = any(own.version == version for own in port.addresses)
        in_scopes = any(scope.version == version for scope in site.scopes)
        spoken = any(address.version == version for address in peer.addresses)
        if on_port and in_scopes and not spoken:
            yield say(
                (*key, "addresses"),
                f"port and scopes have IPv{version}, but the peer has no IPv{version} address",
                f"Ask the peer for one; leave it if the peer has no IPv{version}",
            )


def _routes(key: Key, peer: Peer) -> Iterator[Finding]:
    most = peer.max_prefix
    if most is not None and peer.role is PeerRole.TRANSIT and most < FULL_TABLE:
        yield warning(
            (*key, "max_prefix"),
            f"a full table has far more than {most} routes, so the session would be closed",
            "Remove the key, unless the upstream sends only its customers' routes",
        )
    elif most is not None and peer.role is PeerRole.PEER and most >= FULL_TABLE:
        yield warning(
            (*key, "max_prefix"),
            f"a peer that leaks a full table would stay below {most} routes",
            "Use the number from PeeringDB with a margin",
        )
    if peer.irr is not None and not IRR.fullmatch(peer.irr):
        yield error(
            (*key, "irr"),
            f"{quote_value(peer.irr)} is not an as-set or ASN of a routing registry",
            "Write one such as AS-EXAMPLE or AS64500:AS-ALL",
        )


def _apart(site: Site) -> Iterator[Finding]:
    names: set[str] = set()
    addresses: dict[Address, str] = {}
    roles: dict[int, PeerRole] = {}
    for at, peer in enumerate(site.peers):
        if peer.name.lower() in names:
            yield error(
                ("peers", at, "name"),
                f"two peers have the name {quote(peer.name)}",
                "Give each its own name",
            )
        names.add(peer.name.lower())
        for nth, address in enumerate(peer.addresses):
            if address in addresses:
                yield error(
                    ("peers", at, "addresses", nth),
                    f"{address} is also an address of {quote(addresses[address])}",
                    "Give every peer its own address",
                )
            addresses[address] = peer.name
        if roles.setdefault(peer.asn, peer.role) is not peer.role:
            yield warning(
                ("peers", at, "role"),
                f"AS{peer.asn} has another session with the role {roles[peer.asn].value}, so the "
                "roles do not say which of its routes win",
                "Give all sessions with this AS the same role",
            )


def _families(site: Site) -> Iterator[Finding]:
    for version in (4, 6):
        scope = next((at for at, scope in enumerate(site.scopes) if scope.version == version), None)
        spoken = [a for peer in site.peers for a in peer.addresses if a.version == version]
        if scope is not None and site.peers and not spoken:
            yield error(
                ("scopes", scope),
                f"no peer has an IPv{version} address, so nobody learns this scope",
                f"Ask the upstream for an IPv{version} session, or remove the scope",
            )
        if scope is None and spoken:
            yield warning(
                ("peers",),
                f"some peers have IPv{version} addresses, but no scope is IPv{version}",
                f"Remove these addresses, or add an IPv{version} scope",
            )


def _ports_in_use(site: Site, neighbourhood: Neighbourhood) -> Iterator[Finding]:
    used = {
        found[0].name
        for peer in site.peers
        for found in map(neighbourhood.beside, peer.addresses)
        if found
    }
    for at, port in enumerate(site.ports):
        if port.role.outside and port.addresses and site.peers and port.name not in used:
            yield warning(
                ("ports", at),
                f"no peer is in a network of the {port.role.value} port {quote(port.name)}",
                "Add the peers behind it, or remove the port",
            )
