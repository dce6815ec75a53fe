"""The conditions under which the transit and exchange ports may go up, so that nothing can leak.

They are judged by what the box does, not by what its files say: the addresses of its interfaces,
and which program listens where. Each system in box/systems collects these facts with its own
programs and adds the conditions that it alone can check, such as the packet filter's rules.

Each condition has its effect: whether a foreign packet could leave, for which the ports go down, or
whether something does not work, which is told and no reason to take the rest away.

Relays that have reached the network and established BGP sessions are not conditions, for neither
can exist while the ports are down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from firstboot.box.verdict import Effect, Verdict
from firstboot.core.values import Address
from firstboot.site.address_plan import LOOPBACK, Plan, allot
from firstboot.site.listening import Rules, Socket
from firstboot.site.model import Site
from firstboot.site.services import Each, Service

LEAK, OUTAGE = Effect.LEAK, Effect.OUTAGE


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running box does, on any system."""

    addresses: Mapping[str, set[Address]]
    """By interface."""

    sockets: tuple[Socket, ...]

    gateways: frozenset[str]
    """Of the default routes in the first routing table; of link-local ones with the interface."""

    stand_ins: frozenset[str] = frozenset()
    """Interfaces that take the place of a network card that is gone."""

    bundles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The cards in each bundle."""

    up: frozenset[str] = frozenset()
    """Interfaces that are up."""

    neighbours: Mapping[Address, str] = field(default_factory=dict)
    """The router of the static route to each neighbour several hops away that there is one to."""


def judge(site: Site, facts: Facts, services: Iterable[Service]) -> tuple[Verdict, ...]:
    """The conditions on every system, in the order in which they are told. `services` are those of
    the box."""
    plan = allot(site)
    services = tuple(services)
    rules = Rules.of(site, plan, services)
    moving = [one for one in facts.sockets if _moves(site, services, one)]
    others = [one for one in facts.sockets if one not in moving]
    return (
        Verdict("the kernel answers from the router's address", LEAK, _nameless(plan, facts)),
        Verdict("no interface has a foreign address", LEAK, _foreign(site, plan, facts.addresses)),
        Verdict(
            "no default route but the site's",
            LEAK,
            _strange_way_out(plan, facts),
        ),
        Verdict(
            "everybody listens where the plan says",
            LEAK,
            _misplaced(rules, others),
        ),
        Verdict("relays have moved to their addresses", OUTAGE, _misplaced(rules, moving)),
        Verdict("the box has its own addresses", OUTAGE, _missing(plan, facts.addresses)),
        Verdict("every port is there, with its addresses", OUTAGE, _incomplete(site, facts)),
        Verdict("neighbours several hops away have their routes", OUTAGE, _routeless(plan, facts)),
    )


def _strange_way_out(plan: Plan, facts: Facts) -> str:
    strange = sorted(facts.gateways - plan.ways_out)
    return f"there is one by {strange[0]}" if strange else ""


def _nameless(plan: Plan, facts: Facts) -> str:
    """The kernel's own errors come from the first address of the interface that has the router's
    (net.inet.icmp.reply_src), and without one from the port that they leave by."""
    return _lacking(plan, plan.router, facts.addresses, " and ")


def _foreign(site: Site, plan: Plan, addresses: Mapping[str, set[Address]]) -> str:
    """The first interface with an address that neither the site nor the plan gives it."""
    wanted = {port.interface: {face.ip for face in port.addresses} for port in site.ports}
    own = {LOOPBACK, *map(plan.home, plan.addresses)}
    for interface, found in addresses.items():
        strange = {one for one in found - wanted.get(interface, set()) if not _always(one)}
        if interface in own:
            # Addresses that a change of the site took from the plan stay until the next boot.
            strange = {one for one in strange - {*plan.addresses} if not _in(site, one)}
        if strange:
            return f"{interface} has {min(map(str, strange))}"
    return ""


def _always(address: Address) -> bool:
    return address.is_loopback or address.is_link_local


def _in(site: Site, address: Address) -> bool:
    return any(address in scope for scope in site.scopes)


def _missing(plan: Plan, addresses: Mapping[str, set[Address]]) -> str:
    return _lacking(plan, plan.addresses, addresses, ", ")


def _lacking(
    plan: Plan,
    wanted: Iterable[Address],
    addresses: Mapping[str, set[Address]],
    between: str,
) -> str:
    """The interfaces that lack some of the own addresses in `wanted`, each with those."""
    lacking: dict[str, list[str]] = {}
    for one in wanted:
        interface = plan.home(one)
        if one not in addresses.get(interface, set()):
            lacking.setdefault(interface, []).append(str(one))
    return "; ".join(f"{name} lacks {between.join(found)}" for name, found in lacking.items())


def _incomplete(site: Site, facts: Facts) -> str:
    """Every port without its network card, every other one with the addresses that it lacks, and
    bundles with the cards that are not in them."""
    reasons = []
    for port in site.ports:
        found = facts.addresses.get(port.interface)
        if found is None or port.interface in facts.stand_ins:
            reasons.append(f"there is no {port.interface}")
        elif lacking := [str(face.ip) for face in port.addresses if face.ip not in found]:
            reasons.append(f"{port.interface} lacks {' and '.join(lacking)}")
        there = facts.bundles.get(port.device, frozenset())
        if apart := [card for card in port.members if card not in there]:
            reasons.append(f"{port.device} goes on without {' and '.join(apart)}")
    return "; ".join(dict.fromkeys(reasons))


def _routeless(plan: Plan, facts: Facts) -> str:
    """The neighbours whose route is missing, or goes by another router. While a port is down, none
    is there."""
    reasons = []
    for one in plan.far:
        found = facts.neighbours.get(one.remote)
        if one.port.interface in facts.up and found != str(one.first_hop):
            instead = f", and goes by {found}" if found else ""
            reasons.append(f"the route to {one.remote} by {one.first_hop} is missing{instead}")
    return "; ".join(reasons)


def _moves(site: Site, services: Iterable[Service], socket: Socket) -> bool:
    """Whether `socket` is one of a relay on an own address, as while relays move to others: nothing
    foreign leaves by it."""
    address = address_of(socket.host)
    return (address is not None and _in(site, address)) and any(
        name.startswith(socket.program)
        for service in services
        if service.each is Each.RELAY
        for name in service.processes
    )


def _misplaced(rules: Rules, sockets: Iterable[Socket]) -> str:
    """The first socket that no service declares. On a loopback, anybody may listen."""
    for one in sockets:
        address = address_of(one.host)
        if not (address is not None and address.is_loopback) and not rules.allow(one):
            return str(one)
    return ""


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that `text` is, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None
