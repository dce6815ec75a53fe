"""A rule set of pf as data: what the kernel is told, and which packets each rule is about.

Source: pf.conf(5) of FreeBSD 15, and its grammar, sbin/pfctl/parse.y.
"""

from dataclasses import dataclass, field
from enum import Enum

from firstboot.site.verify.boxes import Box
from firstboot.site.verify.intervals import Intervals
from firstboot.site.verify.packets import Region, Space


class Direction(Enum):
    IN = "in"
    OUT = "out"


class Action(Enum):
    PASS = "pass"  # noqa: S105
    BLOCK = "block"


class State(Enum):
    """Whether what passes may be answered, and by which interface."""

    NONE = "no state"
    IF_BOUND = "if-bound"
    FLOATING = "floating"


@dataclass(frozen=True)
class Rule:
    """A rule that decides over packets, its lists written out.

    `interfaces` None stands for all of them, `directions` is never empty. A packet is matched if
    it is in `packets`.
    """

    line: int
    action: Action
    directions: frozenset[Direction]
    quick: bool
    interfaces: frozenset[str] | None
    packets: Region
    state: State
    label: str

    def about(self, interface: str, direction: Direction) -> bool:
        return direction in self.directions and (
            self.interfaces is None or interface in self.interfaces
        )

    def boxes(self, space: Space) -> tuple[Box, ...]:
        return self.packets.get(space, ())


@dataclass(frozen=True)
class FrameRule:
    """A rule about frames by their type (IEEE 802); `ethertype` None stands for any."""

    line: int
    action: Action
    directions: frozenset[Direction]
    quick: bool
    interfaces: frozenset[str] | None
    ethertype: int | None


@dataclass(frozen=True)
class Table:
    """A table of networks, by version of IP."""

    line: int
    networks: dict[int, Intervals]
    constant: bool


@dataclass(frozen=True)
class Option:
    """A `set` statement: its words, lists sorted."""

    line: int
    name: str
    value: tuple[str, ...]


@dataclass(frozen=True)
class RuleSet:
    options: tuple[Option, ...]
    tables: dict[str, Table]
    frames: tuple[FrameRule, ...]
    rules: tuple[Rule, ...]
    _orders: dict[tuple[str, Direction], tuple[Rule, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def in_order_of_decision(self, interface: str, direction: Direction) -> tuple[Rule, ...]:
        """Rules about an interface and a direction: the first one that matches a packet decides
        over it. Those with `quick` come in their order, then the others from the last one on."""
        key = interface, direction
        if key not in self._orders:
            about = [rule for rule in self.rules if rule.about(interface, direction)]
            quick = [rule for rule in about if rule.quick]
            others = [rule for rule in reversed(about) if not rule.quick]
            self._orders[key] = (*quick, *others)
        return self._orders[key]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is not in the language that can be judged, and where."""

    line: int
    reason: str
