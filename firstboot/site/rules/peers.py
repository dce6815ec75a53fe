"""Peers: whether each can be reached, fits its role, and has sensible limits."""

import re
from collections.abc import Iterator

from firstboot.core.document import Key, quote
from firstboot.core.fault import quote_value
from firstboot.core.values import Address
from firstboot.site.model import HOPS, Peer, PeerRole, Port, PortRole, Routes, Site
from firstboot.site.rules.finding import Finding, advice, error, warning
from firstboot.site.rules.hosts import Neighbourhood, inside, no_host

_SET = "AS(?:[0-9]{1,10}|-[A-Z0-9_-]{1,60})"
IRR = re.compile(rf"(?i)(?:[A-Z]{{1,20}}::)?{_SET}(?::{_SET}){{0,5}}")
"""RFC 2622, section 5: AS64500, AS-EXAMPLE or AS64500:AS-ALL, perhaps after RIPE::."""

FULL_TABLE = 500_000
"""Far below the IPv4 Internet of the day, which has about a million routes."""

A_DEFAULT_ROUTE = 100
"""A limit below this is for an upstream that sends a default route and perhaps its own routes."""


def check(site: Site) -> Iterator[Finding]:
    if site.provided:
        return  # `provider.check` has the rules of such a site
    if all(peer.role is PeerRole.TWIN for peer in site.peers):
        yield error(
            ("peers",),
            "there is no peer, so nobody learns the scopes",
            "Add the upstream's router, or write addresses: provider if the scopes are a "
            "provider's, who routes them to this box",
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
    yield from _default_routes(site)
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
        if peer.first_hop(address) == address:
            yield from _address(site, neighbourhood, where, peer, address)
        else:
            yield from _far_address(site, neighbourhood, where, peer, address)
        port, _ = neighbourhood.beside(peer.first_hop(address)) or (None, None)
        if port and port.role.outside:
            ports.append(port)
    yield from _gateways(neighbourhood, key, peer)
    if ports:
        yield from _missing_families(site, neighbourhood, key, peer, ports[0])
    if len({port.name for port in ports}) > 1:
        yield warning(
            (*key, "addresses"),
            "the IPv4 and the IPv6 address are on different ports",
            "If this is right, make them two peers",
        )
    yield from _routes(site, key, peer)
    if peer.blackhole and peer.role is not PeerRole.TRANSIT:
        yield error(
            (*key, "blackhole"),
            f"only transits are asked to drop packets, and the role is {peer.role.value}",
            "Remove the key, or correct the role",
        )


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
    elif address.is_link_local:
        yield error(
            key,
            f"{address} is of link scope, and bgpd.conf and pf.conf name a neighbour by an address "
            "that nobody else has on another port",
            "Ask the peer for an address in the network of the port, one of each family: IPv4 "
            "routes come over IPv4 alone (no RFC 8950)",
        )
    elif port is None:
        # The wizard asks a transit for the router next.
        yield error(
            (*key[:2], "gateway") if peer.role is PeerRole.TRANSIT else key,
            f"{address} is in the network of no port",
            "Correct it, or the addresses of the port that leads to the peer; if it is a loopback "
            "several hops away (multihop), name the router that leads there with the key gateway",
        )
    elif (port.role is PortRole.TWIN) != (peer.role is PeerRole.TWIN):
        yield error(
            key,
            f"{address} is in the network of the {port.role.value} port {quote(port.name)}, and "
            f"the role of the peer is {peer.role.value}",
            "Correct the address, or the role of the peer or of the port",
        )
    elif port.role is not PortRole.TWIN and not port.role.outside:
        yield error(
            key,
            f"{address} is in the network of the {port.role.value} port {quote(port.name)}, where "
            "BGP is not used",
            "Give the port the role transit or exchange, or correct the address",
        )
    elif port.role.outside:
        yield from _role(key, peer, port)
    if address in neighbourhood.own:
        yield error(key, f"{address} is the box's own address", "Give the address of the peer")
    why = no_host(address, network) if network else None
    if why:
        yield error(key, f"{address} {why} of {network}", "Give the address of the peer's router")


def _far_address(
    site: Site, neighbourhood: Neighbourhood, key: Key, peer: Peer, address: Address
) -> Iterator[Finding]:
    """An address that a gateway leads to."""
    port, _ = neighbourhood.beside(address) or (None, None)
    if inside(address, site.scopes):
        yield error(
            key,
            f"{address} is in the own scopes, where no other network has a router",
            "Give the loopback of the peer's router",
        )
    elif port is not None:
        yield error(
            key,
            f"{address} is in the network of the port {quote(port.name)}, so no gateway leads to "
            "it",
            "Remove the gateway of that family, or give the loopback of the peer's router",
        )
    elif (
        address.is_link_local
        or address.is_multicast
        or address.is_loopback
        or address.is_unspecified
    ):
        yield error(
            key,
            f"no router leads to {address}, which is no address of a host several hops away",
            "Give the loopback of the peer's router",
        )


def _gateways(neighbourhood: Neighbourhood, key: Key, peer: Peer) -> Iterator[Finding]:
    """The routers that lead to a peer several hops away."""
    families = set()
    for at, gateway in enumerate(peer.gateway):
        where: Key = (*key, "gateway", at)
        port, network = neighbourhood.beside(gateway) or (None, None)
        why = no_host(gateway, network) if network else None
        if gateway.version in families:
            yield error(where, f"this is the second IPv{gateway.version} gateway", "Keep one")
        elif all(gateway.version != one.version for one in peer.addresses):
            yield error(
                where,
                f"the peer has no IPv{gateway.version} address that this router leads to",
                "Remove it, or give the peer's address",
            )
        families.add(gateway.version)
        if gateway in peer.addresses:
            yield error(
                where,
                f"{gateway} is the peer itself, which is on the link",
                "Remove it, or give the loopback of the peer's router as its address",
            )
        if port is None:
            yield error(
                where,
                f"{gateway} is in the network of no port",
                "Give the address of the router on the link of the transit port",
            )
        elif port.role is not PortRole.TRANSIT:
            yield error(
                where,
                f"{gateway} is in the network of the {port.role.value} port {quote(port.name)}: a "
                "router several hops away is reached by a transit port",
                "Give the address of the router on the link of a transit port",
            )
        else:
            yield from _role(where, peer, port)
        if gateway in neighbourhood.own:
            yield error(
                where, f"{gateway} is the box's own address", "Give the address of the router"
            )
        if why:
            yield error(where, f"{gateway} {why} of {network}", "Give the address of the router")
    if not peer.gateway and peer.hops != HOPS[0]:
        yield error(
            (*key, "hops"),
            "the peer is on the link of a port, one hop away",
            "Remove the key, or name the router that leads to it with the key gateway",
        )
    if peer.gateway and not peer.gtsm and peer.md5 is None:
        yield warning(
            (*key, "gateway"),
            "the session takes packets from whoever says that they are the peer's",
            "Agree on a secret (md5), or on GTSM, which refuses those from more hops away",
        )


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


def _missing_families(
    site: Site, neighbourhood: Neighbourhood, key: Key, peer: Peer, port: Port
) -> Iterator[Finding]:
    say = warning if peer.role is PeerRole.TRANSIT else advice
    for version in (4, 6):
        on_port = any(own.version == version for own in port.addresses)
        in_scopes = any(scope.version == version for scope in site.scopes)
        spoken = any(address.version == version for address in peer.addresses)
        if not (on_port and in_scopes) or spoken:
            continue
        if not _elsewhere(site, neighbourhood, peer, port, version):
            yield say(
                (*key, "addresses"),
                f"port and scopes have IPv{version}, but the peer has no IPv{version} address",
                f"Ask the peer for one; leave it if the peer has no IPv{version}",
            )


def _elsewhere(
    site: Site, neighbourhood: Neighbourhood, peer: Peer, port: Port, version: int
) -> bool:
    """Whether the same network has its address of that family on `port` in another entry."""
    return any(
        (found := neighbourhood.beside(other.first_hop(address))) is not None and found[0] == port
        for other in site.peers
        if (other.asn, other.role) == (peer.asn, peer.role)
        for address in other.addresses
        if address.version == version
    )


def _routes(site: Site, key: Key, peer: Peer) -> Iterator[Finding]:
    most = peer.max_prefix
    if _sends_a_default(peer):
        reached = any(
            other.role is PeerRole.TRANSIT and not _sends_a_default(other) for other in site.peers
        )
        say = warning if reached else error
        yield say(
            (*key, "max_prefix"),
            f"a transit of at most {most} routes sends a default route in place of the Internet's, "
            "and with routes: full that is refused: "
            + ("all traffic leaves by other transits" if reached else "relays would reach nobody"),
            "Write routes: default, or ask the upstream for a full table and remove the key",
        )
    elif most is not None and _sends_all(peer) and most < FULL_TABLE:
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


def _sends_all(peer: Peer) -> bool:
    """Whether the peer is there for its whole table."""
    return peer.role is PeerRole.TRANSIT and peer.routes is Routes.FULL


def _sends_a_default(peer: Peer) -> bool:
    most = peer.max_prefix
    return _sends_all(peer) and most is not None and most < A_DEFAULT_ROUTE


def _default_routes(site: Site) -> Iterator[Finding]:
    """A static default route does not notice that the upstream behind it has none: there is one of
    each family, and BGP brings no other."""
    static: dict[int, str] = {}
    by_bgp = [peer for peer in site.peers if peer.routes is Routes.DEFAULT]
    for at, peer in enumerate(site.peers):
        key = ("peers", at, "routes")
        if peer.routes is not Routes.FULL and peer.role is not PeerRole.TRANSIT:
            yield error(
                key,
                f"a {peer.role.value} has no default route",
                "Remove the key, or correct the role",
            )
        if peer.routes is not Routes.STATIC:
            continue
        yield advice(
            key,
            "a static default route stays when this upstream loses the Internet",
            "Ask the upstream to send a default route, and write routes: default",
        )
        for version in {address.version for address in peer.addresses}:
            if version in static:
                yield error(
                    key,
                    f"{quote(static[version])} has the static default route of IPv{version} "
                    "already, and neither would take over from the other",
                    "Write routes: default for both",
                )
            static.setdefault(version, peer.name)
        if by_bgp:
            yield error(
                key,
                f"{quote(by_bgp[0].name)} sends a default route by BGP, and this static one would "
                "stand in its place",
                "Write routes: default for both",
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
        others = (peer for peer in site.peers if peer.role is not PeerRole.TWIN)
        spoken = [a for peer in others for a in peer.addresses if a.version == version]
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
        for address in peer.addresses
        if (found := neighbourhood.beside(peer.first_hop(address)))
    }
    for at, port in enumerate(site.ports):
        if port.role.outside and port.addresses and site.peers and port.name not in used:
            yield warning(
                ("ports", at),
                f"no peer is in a network of the {port.role.value} port {quote(port.name)}",
                "Add the peers behind it, or remove the port",
            )
