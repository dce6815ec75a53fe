"""The box's own addresses, planned or chosen: inside the scopes, and each for one use alone.

Other networks block exit addresses and name servers drop their questions, so neither the resolver
nor the address where other relays connect to is ever one of them.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key, quote
from firstboot.core.values import Address
from firstboot.site.address_plan import RELAYS_AN_ADDRESS, Plan, allot
from firstboot.site.model import PortRole, Site
from firstboot.site.rules.finding import Finding, error, warning
from firstboot.site.rules.hosts import inside, no_host

ROUTER = "the router's"
RESOLVER = "the resolver's source"
OR = "where relays listen"
EXIT = "where exit traffic comes from"


def check(site: Site) -> Iterator[Finding]:
    chosen = _chosen(site)
    for address, key in chosen:
        yield from _in_scope(site, address, key)
    yield from _how_many(site)
    try:
        plan = allot(site)
    except ValueError:
        return  # said of the scopes
    keys = dict(reversed([(address, key) for address, key in chosen]))
    yield from _one_use(plan, keys)
    yield from _crowded(plan, keys)
    yield from _on_ports(site, plan, keys)


def _chosen(site: Site) -> list[tuple[Address, Key]]:
    lists: dict[Key, tuple[Address, ...]] = {
        ("router",): site.router,
        ("dns", "addresses"): site.dns.addresses,
        ("relays", "or_addresses"): site.relays.or_addresses,
        ("relays", "exit_addresses"): site.relays.exit_addresses,
    }
    return [
        (address, (*key, at))
        for key, addresses in lists.items()
        for at, address in enumerate(addresses)
    ]


def _in_scope(site: Site, address: Address, key: Key) -> Iterator[Finding]:
    if not inside(address, site.scopes):
        yield error(
            key,
            f"{address} is in none of the scopes, and whatever leaves the box comes from them",
            "Give an address of a scope, or leave it to the plan",
        )
    for scope in site.scopes:
        why = no_host(address, scope) if address in scope else None
        if why:
            yield warning(
                key,
                f"{address} {why} of {scope}, and some networks drop such packets",
                "Give another address of the scope",
            )


def _how_many(site: Site) -> Iterator[Finding]:
    groups = -(-site.relays.count // RELAYS_AN_ADDRESS)
    allowed: tuple[tuple[Key, tuple[Address, ...], int, str], ...] = (
        (("router",), site.router, 1, "the router has"),
        (("dns", "addresses"), site.dns.addresses, 1, "the resolver has"),
        (("relays", "or_addresses"), site.relays.or_addresses, groups, ""),
        (("relays", "exit_addresses"), site.relays.exit_addresses, groups, ""),
    )
    for key, addresses, most, whose in allowed:
        repeated = {address for address, times in Counter(addresses).items() if times > 1}
        for at, address in enumerate(addresses):
            if address in repeated and addresses.index(address) != at:
                yield error(
                    (*key, at),
                    f"{address} is there twice",
                    "Give every eight relays an address of their own"
                    if not whose
                    else "Remove one of the two",
                )
        for version in (4, 6):
            of_family = [at for at, one in enumerate(addresses) if one.version == version]
            for at in of_family[most:]:
                if whose:
                    yield error(
                        (*key, at), f"{whose} one IPv{version} address", "Remove all but one"
                    )
                else:
                    yield warning(
                        (*key, at),
                        f"no relay uses it: {site.relays.count} relays need {most} of IPv{version}",
                        "Remove it, or run more relays",
                    )


def _one_use(plan: Plan, keys: dict[Address, Key]) -> Iterator[Finding]:
    uses: dict[Address, str] = {}
    told: set[tuple[Address, str]] = set()
    wanted: list[tuple[Address, str]] = [(address, ROUTER) for address in plan.router]
    wanted += [(address, RESOLVER) for address in plan.resolver]
    for relay in plan.relays:
        wanted += [(address, OR) for address in relay.listen]
        wanted += [(address, EXIT) for address in relay.source]
    for address, use in wanted:
        other = uses.setdefault(address, use)
        if other == use or (address, use) in told:
            continue
        told.add((address, use))
        yield error(
            keys.get(address, ("scopes",)),
            f"{address} is {other} and also {use}" + _why({other, use}),
            "Give each use an address of its own, or leave it to the plan",
        )


def _why(uses: set[str]) -> str:
    if RESOLVER in uses and uses & {EXIT, OR}:
        return "; name servers drop questions from addresses of exits, and names stop resolving"
    if uses == {OR, EXIT}:
        return "; exit addresses end up on block lists, and then relays cannot be reached"
    return ""


def _crowded(plan: Plan, keys: dict[Address, Key]) -> Iterator[Finding]:
    for address, relays in Counter(relay.listen.v4 for relay in plan.relays).items():
        if address is not None and relays > RELAYS_AN_ADDRESS:
            yield error(
                keys.get(address, ("relays", "count")),
                f"{relays} relays are on {address}, and the directory authorities count "
                f"{RELAYS_AN_ADDRESS} an IPv4 address",
                "Give every eight relays an address of their own, or run fewer",
            )


def _on_ports(site: Site, plan: Plan, keys: dict[Address, Key]) -> Iterator[Finding]:
    own = {interface.ip: port for port in site.ports for interface in port.addresses}
    lans = [
        (port, ip_network(interface.network), ("ports", at, "addresses", nth))
        for at, port in enumerate(site.ports)
        for nth, interface in enumerate(port.addresses)
        if port.role is PortRole.LAN
    ]
    for address in plan.addresses:
        if address in own:
            yield error(
                keys.get(address, ("scopes",)),
                f"{address} is an address of the box in the plan, and of the port "
                f"{quote(own[address].name)}",
                "Give the port another address, or the plan one with router, dns.addresses, "
                "relays.or_addresses or relays.exit_addresses",
            )
    for port, network, lan in lans:
        within = [address for address in plan.addresses if address in network]
        within = [address for address in within if address not in own]
        if within:
            yield warning(
                lan,
                f"{network} of the port {quote(port.name)} has addresses of the plan in it "
                f"({len(within)}, {within[0]} is the first), and machines there look for them on "
                "the wire",
                "Give the LAN a part of the scope without them",
            )
