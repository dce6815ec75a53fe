"""Whether pf.conf lets pass what a site says, and nothing else, on every port and in both ways."""

from collections.abc import Iterable, Iterator, Mapping

from firstboot.core.values import Network
from firstboot.site.model import Site
from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.intervals import of_networks
from firstboot.site.verify.packets import (
    Kind,
    Region,
    all_packets,
    difference,
    everything,
    example,
    joined,
)
from firstboot.site.verify.pf.evaluate import decided, frame_decision, passes
from firstboot.site.verify.pf.parser import parse
from firstboot.site.verify.pf.policy import LISTENING, Flow, fallback_flows, flows, region
from firstboot.site.verify.pf.rules import Action, Direction, Option, RuleSet, State

LOOPBACKS = ("lo0", "lo1")
"""pf does not look at them: lo1 has the own addresses, and nothing leaves by either."""

OPTIONS = {
    "skip": LOOPBACKS,
    "block-policy": ("drop",),
    "state-policy": ("if-bound",),
    "reassemble": ("yes",),
    "keepcounters": (),
    "ruleset-optimization": ("none",),
    "limit": ("frags 100000", "states 1000000", "table-entries 400000"),
}
"""What `set` says in pf.conf."""

COUNTERS: Mapping[Direction, tuple[str, ...]] = {
    Direction.IN: ("ra-in", "spoof-in", "not-ours4", "not-ours6", "dns-unasked", "relay-unasked"),
    Direction.OUT: ("LEAK4", "LEAK6", "bogon-out", "dns-other"),
}
"""Labels of rules that block on every port towards strangers, and on that to the twin: what they
hold back is counted."""

FALLBACK_OPTIONS = {"skip": LOOPBACKS}

ANY_OTHER = "other0"
"""Stands for every interface that no rule names."""

FRAMES = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6"}
"""What an exchange takes (IEEE 802 numbers, IANA)."""

OTHER_FRAMES = (0x88CC, 0x8809, 0x8863, 0x0000)
"""LLDP, LACP, PPPoE, and spanning tree for every type below 0x0600. A rule names one type or all of
them, so these and those that rules name stand for every type."""


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    site = context.site
    rules, flaws = _read(file, OPTIONS)
    yield from flaws
    if flaws:
        return
    yield from _judge(file.path, rules, site, flows(context))
    yield from _labels(file.path, rules, context, flows(context))
    yield from _frames(file.path, rules, site)


def check_fallback(file: Rendered, context: Context) -> Iterator[Flaw]:
    rules, flaws = _read(file, FALLBACK_OPTIONS)
    yield from flaws
    if not flaws:
        yield from _judge(file.path, rules, context.site, fallback_flows(context))
        for frame in rules.frames:
            yield Flaw(file.path, frame.line, "frames are no business of the fallback")


def _read(file: Rendered, options: Mapping[str, tuple[str, ...]]) -> tuple[RuleSet, list[Flaw]]:
    rules, mistakes = parse(file.text)
    flaws = [
        Flaw(file.path, one.line, f"{one.reason}: what it does cannot be proved")
        for one in mistakes
    ]
    flaws += [Flaw(file.path, line, reason) for line, reason in _options(rules.options, options)]
    flaws += [
        Flaw(file.path, table.line, f"{name} is not const: it could be changed while pf runs")
        for name, table in rules.tables.items()
        if not table.constant
    ]
    return rules, flaws


def _options(
    options: Iterable[Option], wanted: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[int, str]]:
    seen = set()
    for option in options:
        value = wanted.get(option.name)
        if value is None:
            yield option.line, f"set {option.name} is not rendered"
        elif option.name in seen:
            yield option.line, f"set {option.name} is there twice"
        elif option.value != value:
            said = " ".join(option.value)
            yield option.line, f"set {option.name} is {said}, and has to be {' '.join(value)}"
        seen.add(option.name)
    for name in wanted.keys() - seen:
        yield 1, f"set {name} {' '.join(wanted[name])} is missing".replace("  ", " ")


def _judge(path: str, rules: RuleSet, site: Site, wanted: list[Flow]) -> Iterator[Flaw]:
    """Each rule that does what the site does not say, once, with a packet that shows it."""
    told: set[tuple[int, bool]] = set()
    interfaces = {ANY_OTHER, *(port.interface for port in site.ports)}
    interfaces |= {name for port in site.ports for name in (port.device, *port.members)}
    interfaces |= {name for rule in rules.rules for name in rule.interfaces or ()}
    interfaces -= set(LOOPBACKS)
    for interface in sorted(interfaces):
        for direction in Direction:
            here = _there(wanted, interface, direction)
            where = f"{direction.value} on {interface}"
            for line, reason, passed in (
                *_too_much(rules, interface, direction, joined(one.packets for one in here)),
                *_too_little(rules, here),
            ):
                if (line, passed) not in told:
                    told.add((line, passed))
                    yield Flaw(path, line, f"{where}: {reason}")


def _there(wanted: Iterable[Flow], interface: str, direction: Direction) -> list[Flow]:
    return [one for one in wanted if (one.interface, one.direction) == (interface, direction)]


def _too_much(
    rules: RuleSet, interface: str, direction: Direction, allowed: Region
) -> Iterator[tuple[int, str, bool]]:
    for version in (4, 6):
        forbidden = difference(all_packets(version), allowed)
        for rule, space, boxes in decided(rules, interface, direction, forbidden):
            if passes(rule):
                what = example(space, boxes[0])
                line = rule.line if rule else 1
                why = "" if rule else ", because no rule matches it"
                yield line, f"{what} passes{why}; the site has no such packet", True


def _too_little(rules: RuleSet, wanted: Iterable[Flow]) -> Iterator[tuple[int, str, bool]]:
    for flow in wanted:
        for rule, space, boxes in decided(rules, flow.interface, flow.direction, flow.packets):
            what = example(space, boxes[0])
            if rule is None:
                continue
            if rule.action is Action.BLOCK:
                reason = f"{what} is blocked, and the site has it for {flow.what}"
                yield rule.line, reason, False
            elif rule.state is not flow.state:
                reason = f"{what} passes with {STATES[rule.state]}; {flow.what} need "
                yield rule.line, f"{reason}{STATES[flow.state]}", False


STATES = {
    State.NONE: "no state",
    State.IF_BOUND: "an if-bound state",
    State.FLOATING: "a floating state",
}


def _labels(path: str, rules: RuleSet, context: Context, wanted: list[Flow]) -> Iterator[Flaw]:
    """The counters that show an attempted leak: the preflight looks for their labels."""
    site, own = context.site, context.plan.own
    unused = () if context.plan.unshared_resolver else ("dns-unasked", "dns-other")
    for port in site.ports:
        if not port.role.guarded:
            continue
        for direction, names in COUNTERS.items():
            blocking = {
                rule.label
                for rule in rules.in_order_of_decision(port.interface, direction)
                if rule.quick and rule.action is Action.BLOCK
            }
            for name in names:
                if name not in blocking and name not in unused:
                    where = f"{direction.value} on {port.interface}"
                    yield Flaw(path, 1, f"{where}: no rule counts what is held back as {name}")
        for version in (4, 6):
            here = _there(wanted, port.interface, Direction.OUT)
            out = joined(flow.packets for flow in here)
            label = f"LEAK{version}"
            foreign = difference(difference(all_packets(version), _from(own, version)), out)
            foreign = difference(foreign, LISTENING)
            for rule, space, boxes in decided(rules, port.interface, Direction.OUT, foreign):
                if rule is not None and rule.label != label and not passes(rule):
                    yield Flaw(
                        path,
                        rule.line,
                        f"out on {port.interface}: {example(space, boxes[0])} is not counted as "
                        f"{label}",
                    )
                    break


def _frames(path: str, rules: RuleSet, site: Site) -> Iterator[Flaw]:
    """Only IPv4, ARP and IPv6 leave a port towards strangers or the twin, and nothing a device
    below it."""
    ports = {port.interface: port for port in site.ports}
    below = {
        port.device
        for port in site.ports
        if port.role.guarded and port.vlan is not None and port.device not in ports
    }
    below |= {card for port in site.ports if port.role.guarded for card in port.members}
    named = {rule.ethertype for rule in rules.frames if rule.ethertype is not None}
    ethertypes = dict.fromkeys((*FRAMES, *OTHER_FRAMES, *sorted(named)))
    for interface in sorted({*ports, *below}):
        outside = interface in below or ports[interface].role.guarded
        for direction in Direction:
            for ethertype in ethertypes:
                passing = direction is Direction.IN or not outside or ethertype in FRAMES
                if interface in below and direction is Direction.OUT:
                    passing = False
                rule = frame_decision(rules.frames, interface, direction, ethertype)
                if (rule is None or rule.action is Action.PASS) != passing:
                    name = FRAMES.get(ethertype, "no type of an exchange's")
                    done = "blocked" if passing else "let through"
                    yield Flaw(
                        path,
                        rule.line if rule else 1,
                        f"{direction.value} on {interface}: frames of type {ethertype:#06x} "
                        f"({name}) are {done}",
                    )


def _from(networks: Iterable[Network], version: int) -> Region:
    """All packets with a source in one of `networks`."""
    sources = of_networks(networks, version)
    boxes = (((version, kind), (sources, *everything(version, kind)[1:])) for kind in Kind)
    return region(boxes)
