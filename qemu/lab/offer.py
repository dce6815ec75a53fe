"""What a neighbour announces to see what the box takes of it: routes that it has to refuse, and
some that it has to take."""

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from firstboot.core.values import Network
from firstboot.site.address_plan import allot
from firstboot.site.model import Peer, PeerRole, Routes, Site
from qemu.lab.hearing import Announced
from qemu.world.bird import Route
from qemu.world.routes import ORIGIN, unwanted

LEAKS = ("12.7.0.0/24", "2d07::/32")
"""Prefixes with TIER_1 in the path, which buys transit from nobody: from a peer or a route server
they are somebody's leak."""

TIER_1 = 3356

GOOD = ("12.9.0.0/24", "2d09::/32")
"""Prefixes that are taken of everybody who sends more than a default route."""

DEFAULT, LEAK = "default routes", "leaks"


TABLES = "whole tables"

WHY = {
    "hijacks of the own scopes": "Nobody else originates the own scopes, or parts of them "
    "(RFC 7454).",
    DEFAULT: "Nobody who was not asked for one may take all packets (RFC 7454).",
    "bogons": "These addresses are nobody's on the Internet (RFC 6890), or not assigned.",
    "networks of exchanges": "The networks of exchanges are for their members' routers and are "
    "announced by nobody (RFC 7454).",
    "prefixes that are too long": "Longer than /24 and /48, which networks do not take from each "
    "other (RFC 7454).",
    "paths with an ASN that is nobody's": "23456 stands for numbers that an old router cannot "
    "write (RFC 6793), and from 4200000000 on they are private (RFC 6996).",
    "origins that RPKI calls invalid": "The holder of the prefix says that another network "
    "announces it (RFC 6811).",
    LEAK: "A network that buys transit from nobody is behind no peer and no route server: somebody "
    "leaks (RFC 7908).",
    TABLES: "This transit is asked for a default route or for nothing, and more is not taken.",
}
"""Why routes of a kind are refused, as sentences."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Routes of one kind that a neighbour announced, how many of them came and were taken, and why
    they have to be refused."""

    kind: str
    why: str
    peer: str
    routes: tuple[Announced, ...]
    came: int
    taken: int


@dataclass(frozen=True, slots=True)
class Offer:
    """`bad` has by kind what has to be refused, `good` what has to be taken."""

    bad: Mapping[str, tuple[Route, ...]]
    good: tuple[Route, ...]

    @property
    def routes(self) -> tuple[Route, ...]:
        return (*self.good, *itertools.chain(*self.bad.values()))


def announcer(site: Site) -> Peer:
    """Who announces it: a peer if there is one, else a route server, else a transit; one with both
    families before one with a single one. Raises ValueError if there is nobody."""
    order = (PeerRole.PEER, PeerRole.ROUTE_SERVER, PeerRole.TRANSIT)
    sends = (Routes.FULL, Routes.DEFAULT, Routes.STATIC)

    def place(peer: Peer) -> tuple[int, int, int]:
        return order.index(peer.role), sends.index(peer.routes), -len(families(site, peer))

    others = (peer for peer in site.peers if peer.role in order and families(site, peer))
    return min(others, key=place)


def offered(site: Site, peer: Peer) -> Offer:
    """What `peer` announces. If it may send few routes, there are some of each kind, until there is
    no more room."""
    versions = families(site, peer)
    kinds = {name: list(routes) for name, routes in unwanted(site).items()}
    kinds[LEAK] = [Route.to(prefix, ORIGIN, TIER_1) for prefix in LEAKS]
    good = [Route.to(prefix, ORIGIN) for prefix in GOOD]
    if peer.role is PeerRole.TRANSIT:
        del kinds[LEAK]
        if peer.routes is Routes.DEFAULT:
            del kinds[DEFAULT]
        if peer.routes is not Routes.FULL:
            kinds[TABLES], good = good, []
    few = peer.role is PeerRole.TRANSIT and peer.routes is not Routes.FULL
    room = max(peer.max_prefix - 2, 0) if few and peer.max_prefix else None
    chosen: dict[str, list[Route]] = {name: [] for name in kinds}
    for version in versions:
        _fill(chosen, kinds, version, room)
    bad = {name: tuple(routes) for name, routes in chosen.items() if routes}
    return Offer(bad, tuple(route for route in good if route.prefix.version in versions))


def families(site: Site, peer: Peer) -> set[int]:
    """The families of the sessions with `peer`."""
    return {one.remote.version for one in allot(site).sessions if one.peer == peer}


def _fill(
    chosen: dict[str, list[Route]],
    kinds: Mapping[str, list[Route]],
    version: int,
    room: int | None,
) -> None:
    """Add routes of a family to `chosen`, one of each kind after the other, `room` at most."""
    lines = [
        [(name, route) for route in routes if route.prefix.version == version]
        for name, routes in kinds.items()
    ]
    turns = (one for turn in itertools.zip_longest(*lines) for one in turn if one is not None)
    for name, route in itertools.islice(turns, room):
        chosen[name].append(route)


def refusals(
    offer: Offer, peer: Peer, came: Collection[Network], taken: Collection[Network]
) -> tuple[Refusal, ...]:
    """What became of what `peer` offered that had to be refused."""
    return tuple(
        Refusal(
            kind,
            WHY[kind],
            peer.name,
            tuple(
                Announced(str(route.prefix), " ".join(map(str, (peer.asn, *route.path))))
                for route in routes
            ),
            sum(route.prefix in came for route in routes),
            sum(route.prefix in taken for route in routes),
        )
        for kind, routes in offer.bad.items()
    )
