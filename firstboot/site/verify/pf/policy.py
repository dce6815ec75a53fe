"""Which packets a site lets through which port: derived from the site, not from any template."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network

from firstboot.core.values import Address
from firstboot.site import alarms, bogons
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Port, PortRole, Protocol, Site
from firstboot.site.verify.boxes import Box, split
from firstboot.site.verify.context import Context
from firstboot.site.verify.intervals import (
    Intervals,
    intersect,
    of_networks,
    of_numbers,
    subtract,
    union,
)
from firstboot.site.verify.packets import (
    ADDRESSES,
    BYTES,
    PORTS,
    Kind,
    Region,
    Space,
    difference,
    everything,
    joined,
)
from firstboot.site.verify.pf.rules import Direction, State

BGP, SSH, DNS, NTP, HTTP, HTTPS, RSYNC = 179, 22, 53, 123, 80, 443, 873

ND = of_numbers((135, 136))
"""Types of neighbour discovery (RFC 4861)."""

GROUPS = of_numbers((131, 132, 143))
"""Types by which a host says which groups it hears (RFC 2710, 3810)."""

REACHABILITY = {4: of_numbers((0, 3, 8, 11, 12)), 6: of_numbers((1, 2, 3, 4, 128, 129))}
"""Types of ICMP that end hosts and path MTU discovery need: echoes, errors (RFC 792, 4890)."""

ECHO = {4: of_numbers((8,)), 6: of_numbers((128,))}
ROUTERS = of_numbers((133, 134, 137))
"""Router solicitations, advertisements and redirects (RFC 4861)."""

LINK_LOCAL, UNSPECIFIED = IPv6Network("fe80::/10"), IPv6Network("::/128")
SOLICITED = (IPv6Network("ff02::1/128"), IPv6Network("ff02::1:ff00:0/104"))

LISTENING: Region = {
    (6, Kind.ICMP): (
        (
            of_networks([LINK_LOCAL, UNSPECIFIED], 6),
            of_networks([IPv6Network("ff02::/16")], 6),
            GROUPS,
            BYTES,
        ),
    )
}
"""What the kernel says of itself whenever a port goes up, and what no router here hears."""

OPENING = of_numbers(flags for flags in range(256) if flags & 0b10010 == 0b10)
"""TCP's flags with SYN and without ACK."""

ACKNOWLEDGING = of_numbers(flags for flags in range(256) if flags & 0b10000)
RESETTING = of_numbers(flags for flags in range(256) if flags & 0b110 == 0b100)

RELAY_PORTS = union(of_numbers((HTTP, HTTPS)), ((1024, 65535),))
"""Where a relay's own connections end: its listeners, and what the kernel picks for others."""


@dataclass(frozen=True)
class Flow:
    """Packets that have to pass, and how: `what` says for whom."""

    what: str
    interface: str
    direction: Direction
    packets: Region
    state: State = State.NONE


def flows(context: Context) -> list[Flow]:
    """All packets that may pass the ports of a site, and that have to. Nothing else may."""
    site, plan = context.site, context.plan
    found: list[Flow] = []
    for port in site.ports:
        match port.role:
            case PortRole.TRANSIT | PortRole.EXCHANGE | PortRole.TWIN:
                found += _Outside(site, plan, port).flows()
            case PortRole.MANAGEMENT:
                found += _management(context, port)
            case PortRole.LAN:
                found += _lan(site, plan, port)
    return [flow for flow in found if any(flow.packets.values())]


def fallback_flows(context: Context) -> list[Flow]:
    """The same where pf.conf does not load: management, nothing else."""
    ports = [port for port in context.site.ports if port.role is PortRole.MANAGEMENT]
    found = (flow for port in ports for flow in _management(context, port))
    return [flow for flow in found if any(flow.packets.values())]


def _own_addresses(site: Site) -> tuple[Address, ...]:
    """All addresses that the box has."""
    on_ports = (interface.ip for port in site.ports for interface in port.addresses)
    return (*allot(site).addresses, *on_ports)


class _Outside:
    """A port towards strangers, or to the twin, which has strangers behind it."""

    def __init__(self, site: Site, plan: Plan, port: Port) -> None:
        self.site, self.plan, self.port = site, plan, port
        self.bogons = bogons.of(site).prefixes
        self.relays = [a for relay in plan.relays for a in (*relay.listen, *relay.source)]
        lans = (port for port in site.ports if port.role is PortRole.LAN)
        self.lan = [interface for one in lans for interface in one.addresses]
        self.to_twin = port.role is PortRole.TWIN
        self.mine = plan.mine if self.to_twin else plan.own
        """The own addresses that are on this side of the port."""

    def flows(self) -> Iterator[Flow]:
        yield from self._sessions()
        for version in (4, 6):
            yield from self._leaving(version)
            yield from self._coming(version)
        if any(interface.version == 6 for interface in self.port.addresses):
            yield from self._discovery()

    def _flow(
        self, what: str, direction: Direction, *boxes: tuple[Space, Box], state: State = State.NONE
    ) -> Flow:
        return Flow(what, self.port.interface, direction, region(boxes), state)

    def _sessions(self) -> Iterator[Flow]:
        """BGP, opened by either side."""
        remotes: dict[Address, list[Address]] = {}
        for session in self.plan.sessions:
            if session.port == self.port:
                remotes.setdefault(session.local, []).append(session.remote)
        for local, neighbours in remotes.items():
            version = local.version
            ours, theirs = of_networks([local], version), of_networks(neighbours, version)
            port = of_numbers((BGP,))
            out = (version, Kind.TCP), (ours, theirs, PORTS, port, OPENING)
            back = (version, Kind.TCP), (theirs, ours, PORTS, port, OPENING)
            yield self._flow("BGP to neighbours", Direction.OUT, out, state=State.IF_BOUND)
            yield self._flow("BGP from neighbours", Direction.IN, back, state=State.IF_BOUND)

    def _discovery(self) -> Iterator[Flow]:
        ours = [one for one in self.port.addresses if one.version == 6]
        aliases = [one.address for one in self.plan.aliases if one.port == self.port]
        mine = of_networks([LINK_LOCAL, *(one.ip for one in ours), *aliases], 6)
        near = of_networks([LINK_LOCAL, *(one.network for one in ours)], 6)
        unspecified, all_nodes = of_networks([UNSPECIFIED], 6), of_networks(SOLICITED, 6)
        out = (6, Kind.ICMP), (union(mine, unspecified), union(near, all_nodes), ND, BYTES)
        back = (6, Kind.ICMP), (union(near, unspecified), union(mine, all_nodes), ND, BYTES)
        yield self._flow("neighbour discovery", Direction.OUT, out)
        yield self._flow("neighbour discovery", Direction.IN, back)

    def _leaving(self, version: int) -> Iterator[Flow]:
        own = of_networks(self.mine, version)
        reachable = subtract(ADDRESSES[version], of_networks(self.bogons, version))
        resolver = of_networks(self.plan.resolver, version)
        asking_alone = of_networks(self.plan.unshared_resolver, version)
        router = of_networks(self.plan.router, version)
        relays = of_networks(self.relays, version)
        tcp, udp, icmp = ((version, kind) for kind in (Kind.TCP, Kind.UDP, Kind.ICMP))

        def opened(source: Intervals, *ports: int) -> tuple[Space, Box]:
            return tcp, (source, reachable, PORTS, of_numbers(ports), OPENING)

        def asked(source: Intervals, port: int) -> tuple[Space, Box]:
            return udp, (source, reachable, PORTS, of_numbers((port,)))

        out = Direction.OUT
        asking = self._flow(
            "the resolver's questions", out, opened(resolver, DNS), asked(resolver, DNS),
            state=State.FLOATING,
        )  # fmt: skip
        clock = self._flow("the router's clock", out, asked(router, NTP), state=State.FLOATING)
        what, ports = "RPKI and releases for the router", [HTTPS, RSYNC]
        if self.site.provided:
            what, ports = "releases for the router", [HTTPS]
        fetching = self._flow(
            what, out, opened(router, *ports),
            state=State.FLOATING,
        )  # fmt: skip
        yield from (asking, clock, fetching)
        yield self._flow("the relays", out, (tcp, (relays, reachable, PORTS, PORTS, BYTES)))
        yield self._flow(
            "ICMP of the own addresses",
            out,
            (icmp, (subtract(own, asking_alone), reachable, REACHABILITY[version], BYTES)),
        )
        telling = self._flow(
            "alarms of the router", out,
            *(
                (tcp, (router, _at(one, reachable, version), PORTS, of_numbers((one.port,)),
                       OPENING))
                for one in alarms.openings(self.site, but=alarms.FETCHED)
            ),
            state=State.FLOATING,
        )  # fmt: skip
        yield telling
        # A LAN may have addresses of the plan in it: what these send with a state keeps it.
        lan = subtract(of_networks([one.network for one in self.lan], version), resolver)
        machines = region([(tcp, (lan, reachable, PORTS, PORTS, BYTES))])
        with_states = joined(flow.packets for flow in (clock, fetching, telling))
        yield Flow("machines on a LAN", self.port.interface, out, difference(machines, with_states))
        errors = region([(icmp, (lan, reachable, REACHABILITY[version], BYTES))])
        anything = _without_routers(version, _anything(version, lan, reachable))
        questions = region(one for one in anything if one[0][1] is not Kind.TCP)
        what = "questions of machines on a LAN"
        yield Flow(what, self.port.interface, out, difference(questions, errors), State.FLOATING)
        twins = of_networks(self.plan.twins, version)
        if self.to_twin:
            strangers = subtract(reachable, of_networks(self.plan.own, version))
            yield self._flow(
                "what came here for the twin", out, *_anything(version, strangers, twins)
            )
        else:
            yield self._flow("the twin by this edge", out, *_anything(version, twins, reachable))

    def _coming(self, version: int) -> Iterator[Flow]:
        own = of_networks(self.mine, version)
        reachable = subtract(ADDRESSES[version], of_networks(self.bogons, version))
        strangers = subtract(reachable, own)
        resolver = of_networks(self.plan.unshared_resolver, version)
        relays = of_networks(self.relays, version)
        tcp, icmp = (version, Kind.TCP), (version, Kind.ICMP)

        def opened(addresses: Iterable[Address], port: int) -> tuple[Space, Box]:
            there = of_networks(addresses, version)
            return tcp, (strangers, there, PORTS, of_numbers((port,)), OPENING)

        into = Direction.IN
        yield self._flow(
            "connections of the relays",
            into,
            (tcp, (strangers, relays, PORTS, RELAY_PORTS, ACKNOWLEDGING)),
            (tcp, (strangers, relays, PORTS, RELAY_PORTS, RESETTING)),
        )
        for relay in self.plan.relays:
            listening = opened(relay.listen, relay.port)
            yield self._flow(f"connections to relay {relay.number}", into, listening)
        notices = [address for relay in self.plan.relays for address in relay.notice]
        yield self._flow("the exit notices", into, opened(notices, HTTP))
        yield self._flow(
            "ICMP to the own addresses",
            into,
            (icmp, (strangers, subtract(own, resolver), REACHABILITY[version], BYTES)),
        )
        lan = of_networks([one.network for one in self.lan], version)
        not_theirs = (
            of_networks([one.ip for one in self.lan], version),
            resolver,
            relays,
        )
        machines = subtract(lan, union(*not_theirs))
        yield self._flow(
            "replies to machines on a LAN",
            into,
            (tcp, (strangers, machines, PORTS, PORTS, ACKNOWLEDGING)),
            (tcp, (strangers, machines, PORTS, PORTS, RESETTING)),
        )
        for one in (one for port in self.site.ports for one in port.reachable):
            there = intersect(machines, of_networks([one.address], version))
            ports = PORTS if one.port is None else of_numbers((one.port,))
            opens: tuple[Space, Box] = tcp, (strangers, there, PORTS, ports, OPENING)
            if one.protocol is Protocol.UDP:
                opens = (version, Kind.UDP), (strangers, there, PORTS, ports)
            yield self._flow(f"what is open at {one.address}", into, opens)
        twins = of_networks(self.plan.twins, version)
        if self.to_twin:
            on_ports = (
                face.ip
                for port in self.site.ports
                if port.role is not PortRole.LAN
                for face in port.addresses
            )
            elsewhere = subtract(
                reachable,
                union(of_networks(self.plan.own, version), of_networks(on_ports, version)),
            )
            what, boxes = "the twin by this edge", _anything(version, twins, elsewhere)
        else:
            what, boxes = "what is for the twin", _anything(version, strangers, twins)
        yield self._flow(what, into, *_without_routers(version, boxes))


def _management(context: Context, port: Port) -> Iterator[Flow]:
    site = context.site
    managing = [one for one in site.ports if one.role is PortRole.MANAGEMENT]
    addresses = [interface.ip for one in managing for interface in one.addresses]
    for version in (4, 6):
        admins = of_networks(site.management.networks, version)
        there = of_networks(addresses, version)
        reached: list[tuple[Space, Box]] = []
        for protocol, numbers in context.management_ports.items():
            ports = of_numbers(numbers)
            if protocol == Kind.TCP.value:
                reached.append(((version, Kind.TCP), (admins, there, PORTS, ports, OPENING)))
            else:
                reached.append(((version, Kind.UDP), (admins, there, PORTS, ports)))
        ping: Box = (admins, there, ECHO[version], BYTES)
        for what, boxes in (
            ("administrators", reached),
            ("administrators who ping", [((version, Kind.ICMP), ping)]),
        ):
            yield Flow(what, port.interface, Direction.IN, region(boxes), State.IF_BOUND)
        told = (
            ((version, Kind.TCP), (there, _at(one, ADDRESSES[version], version), PORTS,
                                   of_numbers((one.port,)), OPENING))
            for one in alarms.openings(site)
        )  # fmt: skip
        yield Flow("alarms", port.interface, Direction.OUT, region(told), State.IF_BOUND)
    discovery = region([((6, Kind.ICMP), (ADDRESSES[6], ADDRESSES[6], ND, BYTES))])
    for direction in Direction:
        yield Flow("neighbour discovery", port.interface, direction, discovery)


def _at(opening: alarms.Opening, every: Intervals, version: int) -> Intervals:
    """The addresses of a version that `opening` leads to, of `every` one."""
    if opening.address is None:
        return every
    if opening.address.version != version:
        return ()
    return intersect(every, of_networks([opening.address], version))


def _lan(site: Site, plan: Plan, port: Port) -> Iterator[Flow]:
    lans = [one for one in site.ports if one.role is PortRole.LAN]
    networks = [interface.network for one in lans for interface in one.addresses]
    discovery = region([((6, Kind.ICMP), (ADDRESSES[6], ADDRESSES[6], ND, BYTES))])
    for direction in Direction:
        yield Flow("neighbour discovery", port.interface, direction, discovery)
    for version in (4, 6):
        lan = of_networks(networks, version)
        every = ADDRESSES[version]
        logins: Box = (
            every, of_networks(_own_addresses(site), version), PORTS, of_numbers((SSH,)), BYTES,
        )  # fmt: skip
        coming: list[tuple[Space, Box]] = []
        for space, box in _anything(version, lan, every):
            allowed = split([box], [logins])[1] if space[1] is Kind.TCP else [box]
            coming += [(space, one) for one in allowed]
        yield Flow("machines on a LAN", port.interface, Direction.IN, region(coming))
        going = region(_anything(version, every, lan))
        yield Flow("machines on a LAN", port.interface, Direction.OUT, going)


def _anything(version: int, sources: Intervals, destinations: Intervals) -> list[tuple[Space, Box]]:
    return [
        ((version, kind), (sources, destinations, *everything(version, kind)[2:])) for kind in Kind
    ]


def _without_routers(
    version: int, boxes: Iterable[tuple[Space, Box]]
) -> Iterator[tuple[Space, Box]]:
    """Without what only routers of a link may say to each other."""
    for space, box in boxes:
        if space == (6, Kind.ICMP):
            yield space, (*box[:2], subtract(box[2], ROUTERS), *box[3:])
        else:
            yield space, box


def region(boxes: Iterable[tuple[Space, Box]]) -> Region:
    """The packets in `boxes`; those that are empty in one of their numbers are left out."""
    found: dict[Space, tuple[Box, ...]] = {}
    for space, box in boxes:
        if all(box):
            found[space] = (*found.get(space, ()), box)
    return found
