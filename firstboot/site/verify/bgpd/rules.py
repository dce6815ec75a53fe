"""A configuration of bgpd as data: sessions, sets, and which routes each filter rule is about.

Source: bgpd.conf(5) of OpenBGPD 7.7 to 9, and its grammar, usr.sbin/bgpd/parse.y.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from firstboot.site.verify.boxes import Box, common
from firstboot.site.verify.intervals import Intervals

Words = tuple[str, ...]

LAST_ADDRESS = {4: 2**32 - 1, 6: 2**128 - 1}
LENGTHS = {4: 32, 6: 128}
ASNS: Intervals = ((0, 2**32 - 1),)
PATH_LENGTHS: Intervals = ((1, 255),)
STATES: Intervals = ((0, 2),)
"""Of origin validation and of ASPA: valid, invalid, unknown."""

VALID, INVALID, UNKNOWN = ((0, 0),), ((1, 1),), ((2, 2),)
NO, YES = ((0, 0),), ((1, 1),)
EITHER: Intervals = ((0, 1),)

NUMBERS = (
    "address",
    "length",
    "asn",
    "path length",
    "ovs",
    "avs",
    "marked",
    "next hop",
    "given up",
    "part",
)
"""The numbers of a route, in the order of its box. `asn` stands for any one ASN of its path: rules
that look for an ASN only deny, so a path is denied if one of its ASNs is. `marked` is whether it
has the large community with which this box originates its scopes, `given up` whether it has that of
addresses that nobody is to send anything to, `part` whether it has that of the parts of the scopes
which two boxes tell each other. The next hop is an address of the route's own family."""


def all_routes(version: int) -> Box:
    return (
        ((0, LAST_ADDRESS[version]),),
        ((0, LENGTHS[version]),),
        ASNS,
        PATH_LENGTHS,
        STATES,
        STATES,
        EITHER,
        ((0, LAST_ADDRESS[version]),),
        EITHER,
        EITHER,
    )


@dataclass(frozen=True)
class NextHop:
    """A condition on the next hop. `address` is None for the neighbour that sends the route."""

    address: IPv4Address | IPv6Address | None


@dataclass(frozen=True)
class Filter:
    """A filter rule. `who` is any, ebgp, a group or a neighbour's address as it is written; `about`
    has the routes that it matches, by version of IP and whatever `next_hop` says; `sets` is what it
    does to them."""

    line: int
    action: str
    """allow, deny or match."""

    direction: str
    """from or to."""

    who: str
    quick: bool
    about: Mapping[int, tuple[Box, ...]]
    sets: Words
    conditions: Words
    """As they are written, for rules that only set something."""

    next_hop: NextHop | None = None

    def routes(self, neighbour: IPv4Address | IPv6Address) -> tuple[Box, ...]:
        """The routes that it matches in a session with `neighbour`."""
        about = self.about.get(neighbour.version, ())
        if self.next_hop is None:
            return about
        wanted = self.next_hop.address or neighbour
        if wanted.version != neighbour.version:
            return ()
        only = list(all_routes(neighbour.version))
        only[NUMBERS.index("next hop")] = ((int(wanted), int(wanted)),)
        both = (common(box, tuple(only)) for box in about)
        return tuple(box for box in both if box is not None)


@dataclass(frozen=True)
class Neighbour:
    line: int
    remote: str
    group: str
    options: Mapping[str, tuple[int, str]]
    """Lines and values by name; those of the group count where it has none of its own."""


@dataclass(frozen=True)
class Include:
    """A file whose rules stand in this place. `after` counts the filter rules before it."""

    line: int
    path: str
    after: int


@dataclass
class Configuration:
    """`globals` are statements by name, in their order."""

    statements: list[tuple[int, str, str]] = field(default_factory=list)
    groups: dict[str, dict[str, tuple[int, str]]] = field(default_factory=dict)
    neighbours: list[Neighbour] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    includes: list[Include] = field(default_factory=list)
    prefix_sets: dict[str, Mapping[int, tuple[Box, ...]]] = field(default_factory=dict)
    as_sets: dict[str, Intervals] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    line: int
    reason: str
