"""What a site says to its neighbours and takes from them: derived from the site, not from any
template."""

from collections.abc import Iterable, Mapping

from firstboot.core.values import Network
from firstboot.site import bogons
from firstboot.site.address_plan import Session, allot
from firstboot.site.announcement import Announcement
from firstboot.site.model import Peer, PeerRole, PortRole, Routes, Site
from firstboot.site.parts import parts
from firstboot.site.verify.bgpd.rules import (
    ASNS,
    EITHER,
    LAST_ADDRESS,
    LENGTHS,
    NUMBERS,
    PATH_LENGTHS,
    STATES,
    UNKNOWN,
    VALID,
    YES,
    all_routes,
)
from firstboot.site.verify.boxes import Box, common, split
from firstboot.site.verify.intervals import (
    Intervals,
    of_networks,
    of_numbers,
    subtract,
    union,
)

LENGTHS_TAKEN: Mapping[int, tuple[int, int]] = {4: (8, 24), 6: (16, 48)}
LONGEST_PATH = 64

TIER1 = (174, 701, 1299, 2914, 3257, 3320, 3356, 3491, 5511, 6453, 6461, 6762, 6830, 7018, 12956)
"""Networks that buy transit from nobody: behind a peer or a route server they are a leak."""

MOST: Mapping[PeerRole, Mapping[int, int]] = {
    PeerRole.TRANSIT: {4: 2_000_000, 6: 500_000},
    PeerRole.ROUTE_SERVER: {4: 500_000, 6: 200_000},
    PeerRole.PEER: {4: 50_000, 6: 20_000},
    PeerRole.TWIN: {4: 2_000_000, 6: 500_000},
}
"""Routes taken of a neighbour before its session is closed."""

PREFERENCE = {
    PeerRole.TWIN: 50,
    PeerRole.TRANSIT: 100,
    PeerRole.ROUTE_SERVER: 150,
    PeerRole.PEER: 200,
}
"""Own neighbours come before those of the twin."""

MARKS = {PeerRole.TRANSIT: 1, PeerRole.ROUTE_SERVER: 2, PeerRole.PEER: 3, PeerRole.TWIN: 4}
ROLES = {
    PeerRole.TRANSIT: "customer",
    PeerRole.ROUTE_SERVER: "rs-client",
    PeerRole.PEER: "peer",
}
"""What this network is to a neighbour (RFC 9234); a twin is this network."""


def group(peer: Peer) -> str:
    """The group of bgpd.conf that a neighbour is in: those of whom the same is taken."""
    kind = peer.role.value
    return kind if peer.routes is Routes.FULL else f"{kind}-{peer.routes.value}"


BLACKHOLES = 8
"""Addresses that a transit may be asked to drop everything for, at a time."""


def announced(site: Site, version: int) -> list[Box]:
    """What every neighbour hears: the own scopes, as they are, and marked as originated here."""
    return [exact(scope, YES) for scope in site.scopes if scope.version == version]


def announced_to(site: Site, session: Session) -> list[Box]:
    """What this neighbour hears: the scopes, and a transit that declares a community for that also
    single addresses of them that are given up."""
    version = session.remote.version
    if session.peer.role is PeerRole.TWIN:
        return _told_to_twin(site, session)
    heard = [one for one in site.scopes if one.version == version]
    heard = [one for one in heard if not withheld(session.peer, one)]
    given_up = [_given_up(scope) for scope in heard if session.peer.blackhole]
    return [*(exact(scope, YES) for scope in heard), *given_up]


def _told_to_twin(site: Site, session: Session) -> list[Box]:
    """What the other box of two hears: everything that has no address of the scopes, and this box's
    parts of them."""
    version = session.remote.version
    cuts = [_or_longer(scope) for scope in site.scopes if scope.version == version]
    others = split([all_routes(version)], cuts)[1]
    return [*others, *_parts(parts(site)[0], version)]


def _parts(networks: Iterable[Network], version: int) -> list[Box]:
    """Parts of the scopes as routes that are marked as such."""
    at = NUMBERS.index("part")
    boxes = (exact(one) for one in networks if one.version == version)
    return [(*box[:at], YES, *box[at + 1 :]) for box in boxes]


def withheld(peer: Peer, scope: Network) -> bool:
    """Whether a peer does not hear of a scope."""
    return any(entry.withheld for entry in _entries(peer, scope))


def _entries(peer: Peer, scope: Network) -> list[Announcement]:
    named = [one for one in peer.announce if scope in one.scopes]
    return named or [one for one in peer.announce if not one.scopes]


def put_on(peer: Peer, scope: Network) -> tuple[str, ...]:
    """What a peer hears of a scope beside the scope itself, as bgpd.conf(5) sets it: what the entry
    says that names the scope, or else the one that names none."""
    said: list[str] = []
    for entry in _entries(peer, scope):
        said += ["prepend-self", str(entry.prepend)] if entry.prepend else []
        said += ["med", str(entry.med)] if entry.med is not None else []
        for community in entry.communities:
            kind = "large-community" if community.count(":") == 2 else "community"
            said += [kind, str(community)]
        said += ["community", "NO_EXPORT"] if entry.no_export else []
    return ("{", *said, "}") if said else ()


def accepted(site: Site, session: Session, *, aspa: bool) -> list[Box]:
    """What is taken of a neighbour."""
    version, routes = session.remote.version, session.peer.routes
    if routes is Routes.STATIC:
        return []
    every = all_routes(version)
    shortest, longest = LENGTHS_TAKEN[version]
    addresses = every[0]
    if routes is Routes.DEFAULT:
        shortest, longest, addresses = 0, 0, ((0, 0),)
    refused_asns = union(tuple(bogons.of(site).asns), _others_transits(site, session))
    left: Box = (
        addresses,
        ((shortest, longest),),
        subtract(ASNS, refused_asns),
        ((PATH_LENGTHS[0][0], LONGEST_PATH),),
        union(VALID, UNKNOWN),
        union(VALID, UNKNOWN) if aspa else STATES,
        EITHER,
        _next_hops(site, session),
        EITHER,
        EITHER,
    )
    refused = (*site.scopes, *bogons.of(site).prefixes, *_exchanges(site))
    cuts = [_or_longer(one) for one in refused if one.version == version]
    if session.peer.role is not PeerRole.TWIN:
        return split([left], cuts)[1]
    # Of the twin also a default route, and its parts of the scopes, which no ROA has.
    a_default: Box = (((0, 0),), ((0, 0),), *left[2:])
    its = [
        common(box, (*every[:2], *left[2:4], STATES, *left[5:]))
        for box in _parts(parts(site)[1], version)
    ]
    return [*split([left], cuts)[1], a_default, *(box for box in its if box is not None)]


def _next_hops(site: Site, session: Session) -> Intervals:
    """The neighbour alone; of a route server whoever may be at its exchange: not this box, and no
    neighbour of it that is elsewhere."""
    version = session.remote.version
    if session.peer.role is not PeerRole.ROUTE_SERVER:
        return of_networks([session.remote], version)
    plan = allot(site)
    elsewhere = [other.remote for other in plan.sessions if other.port != session.port]
    box = [
        interface.ip
        for port in site.ports
        if port.role is not PortRole.MANAGEMENT
        for interface in port.addresses
    ]
    refused = of_networks([*elsewhere, *box, *plan.addresses], version)
    return subtract(((0, LAST_ADDRESS[version]),), refused)


def _others_transits(site: Site, session: Session) -> Intervals:
    """ASNs that only a transit may have in its paths: networks that buy from nobody, and those that
    this site buys from."""
    if session.peer.role in (PeerRole.TRANSIT, PeerRole.TWIN):
        return ()
    peered = {int(peer.asn) for peer in site.peers if peer.role is PeerRole.PEER}
    bought = {int(peer.asn) for peer in site.peers if peer.role is PeerRole.TRANSIT}
    return of_numbers({*TIER1, *bought} - peered)


def _exchanges(site: Site) -> Iterable[Network]:
    for port in site.ports:
        if port.role is PortRole.EXCHANGE:
            yield from (interface.network for interface in port.addresses)


def exact(network: Network, marked: Intervals = EITHER) -> Box:
    """The route of a network and none longer."""
    box = list(all_routes(network.version))
    first = int(network.network_address)
    box[0], box[1] = ((first, first),), ((network.prefixlen, network.prefixlen),)
    box[6] = marked
    return tuple(box)


def _given_up(scope: Network) -> Box:
    """The single addresses of a scope."""
    box = list(_or_longer(scope))
    box[1] = ((LENGTHS[scope.version], LENGTHS[scope.version]),)
    box[NUMBERS.index("given up")] = YES
    return tuple(box)


def _or_longer(network: Network) -> Box:
    box = list(all_routes(network.version))
    box[0] = ((int(network.network_address), int(network.broadcast_address)),)
    box[1] = ((network.prefixlen, LENGTHS[network.version]),)
    return tuple(box)
