"""Routes at the borders of a policy's prefixes and ASNs, and what the proof says of each."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from firstboot.core.values import Address, Network
from firstboot.site.address_plan import Session
from firstboot.site.model import PeerRole
from firstboot.site.verify.bgpd.check import decided, in_order_of_decision
from firstboot.site.verify.bgpd.rules import ASNS, LENGTHS, NUMBERS, Configuration
from firstboot.site.verify.boxes import Box
from qemu.world.bird import Route
from qemu.world.routes import ORIGIN

OVS = {"valid": 0, "invalid": 1, "not-found": 2}
"""States of a route's origin, and how the proof counts them."""

UNKNOWN = 2
"""OpenBGPD 7.7 knows nothing of ASPA."""

ROAS: dict[Network, tuple[int, int]] = {
    IPv4Network("11.200.0.0/16"): (24, ORIGIN),
    IPv6Network("2d0f:200::/32"): (48, ORIGIN),
}
"""The longest prefix and the origin that are valid in a prefix."""

ROA_SET = "\n".join(
    [
        "roa-set {",
        *(f"  {one} maxlen {longest} source-as {asn}" for one, (longest, asn) in ROAS.items()),
        "}\n",
    ]
)
"""The same as rpki-client(8) writes it."""

ORDINARY: dict[int, tuple[Network, ...]] = {
    4: (IPv4Network("11.7.0.0/16"), IPv4Network("12.0.0.0/8"), IPv4Network("11.200.0.0/16")),
    6: (IPv6Network("2d01::/32"), IPv6Network("2c00::/16"), IPv6Network("2d0f:200::/32")),
}
LIMITS = {4: (7, 8, 9, 23, 24, 25, 32), 6: (12, 15, 16, 17, 47, 48, 49, 64)}
"""Lengths of prefixes around those that the policy takes."""

PATHS = (1, 1, 2, 2, 3, 3, 3, 63, 64, 65, 70)
"""How many ASNs a path has."""

COMMUNITIES = ("65535:0", "64511:77", "4242:1", "64511:1:1", "64511:2:3", "4100000001:1:1")
"""Graceful shutdown, and others' and the box's own, which it takes from nobody."""


@dataclass(frozen=True)
class Facts:
    """What a rule can know of a route. `path` is all of it, the neighbour first; `marked` is
    whether it has the large community with which the box originates its scopes."""

    prefix: Network
    path: tuple[int, ...]
    ovs: str
    marked: bool
    next_hop: Address


def allows(found: Configuration, direction: str, session: Session, facts: Facts) -> bool:
    """Whether the proof says that a route goes from or to a neighbour: whichever of its ASNs is
    looked at, a rule has to allow it. A route of the box itself has no ASN, so no rule knows it."""
    rules = in_order_of_decision(found.filters, direction, session)
    told = set()
    for asn in set(facts.path) or {0}:
        ((rule, _),) = decided(rules, [_point(facts, asn)], session.remote)
        told.add(rule is not None and rule.action == "allow")
    return told == {True}


def _point(facts: Facts, asn: int) -> Box:
    numbers = {
        "address": int(facts.prefix.network_address),
        "length": facts.prefix.prefixlen,
        "asn": asn,
        "path length": max(1, len(facts.path)),
        "ovs": OVS[facts.ovs],
        "avs": UNKNOWN,
        "marked": int(facts.marked),
        "next hop": int(facts.next_hop),
        # The site has no transit that drops on request and no twin, so no route has their marks.
        "given up": 0,
        "part": 0,
    }
    return tuple(((numbers[name], numbers[name]),) for name in NUMBERS)


def validity(prefix: Network, path: tuple[int, ...]) -> str:
    """The state of a route's origin (RFC 6811) by the ROAs of this module."""
    for network, (longest, asn) in ROAS.items():
        if prefix.version == network.version and prefix.subnet_of(network):  # type: ignore[arg-type]
            return "valid" if prefix.prefixlen <= longest and path[-1] == asn else "invalid"
    return "not-found"


class Borders:
    """Draws routes at the borders of what the rules of a configuration are about."""

    def __init__(self, found: Configuration, seed: int) -> None:
        self._draw = random.Random(seed)
        boxes = list(_boxes(found))
        self._asns = sorted(set(_asns(box for _, box in boxes)))
        self._networks = {
            version: [one for of, box in boxes if of == version for one in _networks(box, of)]
            for version in (4, 6)
        }

    def routes(self, session: Session, others: Iterable[Address], count: int) -> list[Route]:
        """So many routes of a neighbour, no two for one prefix. `others` are addresses that may be
        their next hop in place of the neighbour's."""
        elsewhere = sorted(one for one in others if one.version == session.remote.version)
        found: dict[Network, Route] = {}
        while len(found) < count:
            prefix = self._prefix(session.remote.version)
            if _unsaid(prefix):
                continue
            third = self._draw.choice(elsewhere) if self._draw.random() < 0.2 else None
            path, marks = self._path(session.peer.role), self._communities()
            found.setdefault(prefix, Route(prefix, path, communities=marks, next_hop=third))
        return list(found.values())

    def _prefix(self, version: int) -> Network:
        near = self._draw.choice(self._networks[version])
        if self._draw.random() < 0.5:
            near = self._draw.choice(ORDINARY[version])
        length = near.prefixlen + self._draw.choice((-1, 0, 0, 1))
        if self._draw.random() < 0.6:
            length = self._draw.choice(LIMITS[version])
        length = min(max(length, 0), LENGTHS[version])
        if length <= near.prefixlen:
            return near.supernet(new_prefix=length)
        inside = self._draw.randrange(1 << (length - near.prefixlen))
        first = int(near.network_address) + (inside << (LENGTHS[version] - length))
        return ip_network((first if version == 4 else first.to_bytes(16, "big"), length))

    def _path(self, role: PeerRole) -> tuple[int, ...]:
        """The ASNs behind the neighbour. A route server does not add its own."""
        length = self._draw.choice(PATHS) - (role is not PeerRole.ROUTE_SERVER)
        path = [ORIGIN + self._draw.choice((0, 0, 0, 1, 2)) for _ in range(length)]
        if path and self._draw.random() < 0.4:
            path[self._draw.randrange(len(path))] = self._draw.choice(self._asns)
        return tuple(path)

    def _communities(self) -> tuple[str, ...]:
        return tuple(one for one in COMMUNITIES if self._draw.random() < 0.15)


def _unsaid(prefix: Network) -> bool:
    """Whether BIRD announces no route for a prefix, since it begins where no host can be."""
    first = prefix.network_address
    here = first.version == 4 and 0 < int(first) < 1 << 24
    return here or first.is_multicast or first.is_loopback or first.is_link_local


def _boxes(found: Configuration) -> Iterator[tuple[int, Box]]:
    for rule in found.filters:
        for version, boxes in rule.about.items():
            yield from ((version, box) for box in boxes)
    for prefixes in found.prefix_sets.values():
        for version, boxes in prefixes.items():
            yield from ((version, box) for box in boxes)


def _asns(boxes: Iterable[Box]) -> Iterator[int]:
    for box in boxes:
        for first, last in box[NUMBERS.index("asn")]:
            near = (first - 1, first, last, last + 1)
            yield from (asn for asn in near if 1 <= asn <= ASNS[0][1])


def _networks(box: Box, version: int) -> Iterator[Network]:
    """The prefix that a box begins with, and those before and behind it."""
    (first, _), (length, _) = box[0][0], box[1][0]
    size = 1 << (LENGTHS[version] - length)
    for start in (first - size, first, first + size):
        if 0 <= start < 1 << LENGTHS[version]:
            address = start if version == 4 else start.to_bytes(16, "big")
            yield ip_network((address, length), strict=False)
