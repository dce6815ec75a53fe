"""What a rule set does with sets of packets: which rule decides over which of them.

The first `quick` rule that matches a packet decides over it; without one, the last rule that
matches does; without any, the packet passes (pf.conf(5)).
"""

from collections.abc import Iterable, Iterator

from firstboot.site.verify.boxes import Box, split
from firstboot.site.verify.packets import Packet, Region, Space
from firstboot.site.verify.pf.rules import Action, Direction, FrameRule, Rule, RuleSet


def decided(
    rules: RuleSet, interface: str, direction: Direction, region: Region
) -> Iterator[tuple[Rule | None, Space, list[Box]]]:
    """Divide `region` by the rule that decides over it on an interface: each rule with its part,
    None with what no rule matches. States are not looked at."""
    ordered = rules.in_order_of_decision(interface, direction)
    for space, boxes in region.items():
        left = list(boxes)
        for rule in ordered:
            if not left:
                break
            matched, left = split(left, rule.boxes(space))
            if matched:
                yield rule, space, matched
        if left:
            yield None, space, left


def passes(rule: Rule | None) -> bool:
    return rule is None or rule.action is Action.PASS


def decision(rules: RuleSet, interface: str, direction: Direction, packet: Packet) -> Rule | None:
    """The rule that decides over one packet; None if none matches it."""
    space = packet.version, packet.kind
    for rule in rules.in_order_of_decision(interface, direction):
        if any(map(packet.is_in, rule.boxes(space))):
            return rule
    return None


def frame_decision(
    frames: Iterable[FrameRule], interface: str, direction: Direction, ethertype: int
) -> FrameRule | None:
    """The rule that decides over a frame; None, so it passes, if none matches it."""
    last = None
    for rule in frames:
        if direction not in rule.directions:
            continue
        if rule.interfaces is not None and interface not in rule.interfaces:
            continue
        if rule.ethertype in (None, ethertype):
            last = rule
            if rule.quick:
                break
    return last
