"""The proof of a site's rendered files, told: what passes each port and by which rule, what each
neighbour hears and is believed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, summarize_address_range

from firstboot.core.refusal import Refusal
from firstboot.site import bogons
from firstboot.site.address_plan import Session
from firstboot.site.model import PortRole, Site
from firstboot.site.render import Box as Machine
from firstboot.site.render import Rendered
from firstboot.site.verify.bgpd.check import in_order_of_decision
from firstboot.site.verify.bgpd.parser import parse as parse_bgpd
from firstboot.site.verify.bgpd.rules import Configuration, Filter
from firstboot.site.verify.boxes import Box
from firstboot.site.verify.context import Context
from firstboot.site.verify.intervals import Intervals, of_networks, subtract, union
from firstboot.site.verify.packets import (
    ADDRESSES,
    BYTES,
    ICMP_NUMBER,
    PORTS,
    Kind,
    Space,
    all_packets,
    difference,
    joined,
)
from firstboot.site.verify.pf.evaluate import decided, passes
from firstboot.site.verify.pf.parser import ICMP_TYPES, parse
from firstboot.site.verify.pf.policy import flows
from firstboot.site.verify.pf.rules import Direction, RuleSet, State

MOST_NETWORKS = 3
"""Networks that a cell of the table names one by one."""

STATES = {
    State.NONE: "no state",
    State.IF_BOUND: "state of this port",
    State.FLOATING: "state of any port",
}


@dataclass(frozen=True, slots=True)
class Passing:
    """Packets that a rule lets pass. `what` says for whom, `line` is the rule's in pf.conf."""

    what: str
    protocol: str
    source: str
    destination: str
    state: str
    line: int
    label: str


@dataclass(frozen=True, slots=True)
class Way:
    """One direction of a port. `blocked` has labels and lines of the rules that stop all else."""

    port: str
    interface: str
    role: PortRole
    direction: Direction
    passing: tuple[Passing, ...]
    blocked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sessions:
    """Neighbours of one role and family, to whom the same rules apply, as bgpd.conf has them."""

    role: str
    version: int
    neighbours: tuple[str, ...]
    announced: tuple[str, ...]
    by: tuple[str, ...]
    """Lines of bgpd.conf that announce."""

    accepted: tuple[str, ...]
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    ways: tuple[Way, ...]
    sessions: tuple[Sessions, ...]


def explain(site: Site, machine: Machine, files: Iterable[Rendered]) -> Explanation:
    """What `files`, which have no flaws, let pass, announce and accept. Raises Refusal for files
    that cannot be read, or that lack pf.conf or bgpd.conf."""
    texts = {file.path: file.text for file in files}
    context = Context.of(site, machine)
    rules, unread = parse(_text(texts, "etc/pf.conf"))
    if unread:
        raise Refusal(
            f"/etc/pf.conf:{unread[0].line}", unread[0].reason, "Correct what exitisp verify tells"
        )
    sessions = () if site.provided else tuple(_sessions(context, _text(texts, BGPD)))
    return Explanation(tuple(_ways(context, rules)), sessions)


BGPD = "etc/local/bgpd.conf"


def _text(texts: Mapping[str, str], path: str) -> str:
    if path not in texts:
        raise Refusal(f"/{path}", "is missing", "Render the site again")
    return texts[path]


def _ways(context: Context, rules: RuleSet) -> Iterator[Way]:
    names = _Names(context)
    wanted = flows(context)
    for port in context.site.ports:
        for direction in Direction:
            here = [
                flow
                for flow in wanted
                if (flow.interface, flow.direction) == (port.interface, direction)
            ]
            rows = [
                Passing(
                    flow.what,
                    _protocol(space, box),
                    names.of(box[0], space[0]),
                    names.of(box[1], space[0]),
                    STATES[rule.state],
                    rule.line,
                    rule.label,
                )
                for flow in here
                for rule, space, boxes in decided(rules, port.interface, direction, flow.packets)
                if rule is not None and passes(rule)
                for box in _merged(boxes)
            ]
            blocked: dict[str, set[int]] = {}
            for version in (4, 6):
                rest = difference(all_packets(version), joined(flow.packets for flow in here))
                for rule, _, _ in decided(rules, port.interface, direction, rest):
                    if rule is not None:
                        blocked.setdefault(rule.label, set()).add(rule.line)
            yield Way(
                port.name,
                port.interface,
                port.role,
                direction,
                tuple(dict.fromkeys(rows)),
                tuple(
                    f"{label} (line{'s' * (len(lines) > 1)} {_ranges(lines)})"
                    for label, lines in sorted(blocked.items(), key=lambda one: max(one[1]))
                ),
            )


def _ranges(lines: Iterable[int]) -> str:
    """Numbers of lines, those next to each other as one: 81-88, 97."""
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and line == found[-1][-1] + 1:
            found[-1].append(line)
        else:
            found.append([line])
    return ", ".join(f"{one[0]}-{one[-1]}" if len(one) > 1 else str(one[0]) for one in found)


def _merged(boxes: Sequence[Box]) -> list[Box]:
    """The same packets in fewer boxes: two that differ in one number become one."""
    left = list(boxes)
    at = 0
    while at < len(left):
        for other in range(at + 1, len(left)):
            both = list(zip(left[at], left[other], strict=True))
            if sum(one != two for one, two in both) <= 1:
                left[at] = tuple(one if one == two else union(one, two) for one, two in both)
                del left[other]
                at = -1
                break
        at += 1
    return left


class _Names:
    """Sets of addresses in an engineer's words."""

    def __init__(self, context: Context) -> None:
        site, plan = context.site, context.plan
        self.known: dict[tuple[int, Intervals], str] = {}
        for version in (4, 6):
            every = ADDRESSES[version]
            own = of_networks(plan.own, version)
            nobodys = of_networks(bogons.of(site).prefixes, version)
            resolver = of_networks(plan.unshared_resolver, version)
            lans = [port for port in site.ports if port.role is PortRole.LAN]
            lan = of_networks([one.network for port in lans for one in port.addresses], version)
            relays = [one for relay in plan.relays for one in (*relay.listen, *relay.source)]
            for name, addresses in (
                ("anybody", every),
                ("anybody but bogons", subtract(every, nobodys)),
                ("strangers", subtract(every, union(own, nobodys))),
                ("the own scopes", own),
                ("the own scopes but the resolver", subtract(own, resolver)),
                ("the resolver", resolver),
                ("the router", of_networks(plan.router, version)),
                ("the relays", of_networks(relays, version)),
                ("the LAN", lan),
                ("administrators", of_networks(site.management.networks, version)),
            ):
                self.known.setdefault((version, addresses), name)

    def of(self, addresses: Intervals, version: int) -> str:
        if known := self.known.get((version, addresses)):
            return known
        networks = [
            str(network)
            for first, last in addresses
            for network in summarize_address_range(
                ip_address(first.to_bytes(4 if version == 4 else 16)),
                ip_address(last.to_bytes(4 if version == 4 else 16)),
            )
        ]
        hosts = [one.removesuffix("/32").removesuffix("/128") for one in networks]
        if len(hosts) > MOST_NETWORKS:
            return f"{', '.join(hosts[: MOST_NETWORKS - 1])} and {len(hosts) - 2} more networks"
        return ", ".join(hosts)


def _protocol(space: Space, box: Box) -> str:
    version, kind = space
    suffix = "6" if version == 6 else ""
    match kind:
        case Kind.TCP | Kind.UDP:
            ports = [
                f"{end} {_numbers(numbers)}"
                for end, numbers in (("from", box[2]), ("to", box[3]))
                if numbers != PORTS
            ]
            flags = ""
            if kind is Kind.TCP and box[4] != BYTES:
                opening = all(low & 0b10010 == 0b10 for low, _ in box[4])
                flags = "opening" if opening else "not opening"
            return " ".join(filter(None, (f"{kind.value}{suffix}", *ports, flags)))
        case Kind.ICMP:
            if box[2] == BYTES:
                return f"icmp{suffix}"
            by_number = {number: name for name, number in ICMP_TYPES[version].items()}
            types = [n for low, high in box[2] for n in range(low, high + 1)]
            if len(types) > 8:
                return f"icmp{suffix} {_numbers(box[2])}"
            return f"icmp{suffix} " + " ".join(by_number.get(n, str(n)) for n in types)
        case Kind.OTHER:
            known = {6, 17, ICMP_NUMBER[version]}
            rest = set(range(256)) - known
            whole = {n for low, high in box[2] for n in range(low, high + 1)} == rest
            return f"ip{suffix} others" if whole else f"ip{suffix} {_numbers(box[2])}"


def _numbers(numbers: Intervals) -> str:
    return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in numbers)


def _sessions(context: Context, text: str) -> Iterator[Sessions]:
    found, unread = parse_bgpd(text)
    if unread:
        raise Refusal(f"/{BGPD}:{unread[0].line}", unread[0].reason, "Correct what verify tells")
    lines = text.split("\n")

    def told(line: int) -> str:
        return f"line {line}: {lines[line - 1].partition('#')[0].strip()}"

    groups: dict[tuple[str, int, tuple[int, ...]], list[Session]] = {}
    for session in context.plan.sessions:
        rules = tuple(rule.line for rule in _deciding(found, session))
        kind = session.peer.role.value, session.remote.version, rules
        groups.setdefault(kind, []).append(session)
    for (role, version, _), alike in groups.items():
        announces, accepts, refuses = (
            tuple(
                told(rule.line)
                for rule in _deciding(found, alike[0])
                if (rule.direction, rule.action) == what
            )
            for what in (("to", "allow"), ("from", "allow"), ("from", "deny"))
        )
        yield Sessions(
            role,
            version,
            tuple(f"{session.peer.name} ({session.remote})" for session in alike),
            tuple(
                str(scope)
                for scope in alike[0].peer.heard_of(context.site.scopes)
                if scope.version == version
            ),
            announces,
            accepts,
            refuses,
        )


def _deciding(found: Configuration, session: Session) -> list[Filter]:
    """The rules that decide over routes of a session, both ways."""
    rules = (
        rule
        for direction in ("to", "from")
        for rule in in_order_of_decision(found.filters, direction, session)
    )
    return [rule for rule in rules if rule.routes(session.remote)]


def table(explanation: Explanation) -> str:
    """The explanation as text, for a terminal."""
    out: list[str] = []
    for way in explanation.ways:
        where = f"{way.direction.value} on {way.port} ({way.interface}, {way.role.value})"
        out += ["", where, "-" * len(where)]
        rows = [("who", "what", "from", "to", "state", "pf.conf")]
        rows += [
            (one.what, one.protocol, one.source, one.destination, one.state,
             f"{one.line} {one.label}")
            for one in way.passing
        ]  # fmt: skip
        if way.passing:
            widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
            for at, row in enumerate(rows):
                cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
                out.append("  ".join(["  passes" if at else "        ", *cells, row[-1]]))
        else:
            out.append("  nothing passes")
        out.append(f"  all else is blocked: {', '.join(way.blocked)}")
    for one in explanation.sessions:
        where = f"BGP, IPv{one.version}, {one.role}: {', '.join(one.neighbours)}"
        out += ["", where, "-" * min(len(where), 79)]
        out.append(f"  hears     {', '.join(one.announced) or 'nothing'}, and nothing else")
        out += [f"            {text}" for text in one.by if one.announced]
        for title, texts in (("accepted", one.accepted), ("refused", one.refused)):
            out += [f"  {title if at == 0 else '':9} {text}" for at, text in enumerate(texts)]
    return "\n".join(out[1:])
