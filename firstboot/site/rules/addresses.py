"""The box's own addresses, planned or chosen: they are in the scopes, and each has one use.

Other networks block exit addresses, and name servers drop queries from them. So neither the
resolver nor the addresses that other relays connect to may be exit addresses.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key, quote
from firstboot.core.values import Address, within
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PortRole, Site
from firstboot.site.provided_addresses import RELAYS_AN_ADDRESS, eights, links
from firstboot.site.rules.finding import Finding, error, warning
from firstboot.site.rules.hosts import inside, no_host

ROUTER = "the router's"
RESOLVER = "the resolver's source"
OR = "where relays listen"
EXIT = "where exit traffic comes from"

SHARED = ({ROUTER, RESOLVER}, {OR, EXIT})
"""Uses that have one address where a provider gives few."""


def check(site: Site) -> Iterator[Finding]:
    chosen = _chosen(site)
    for address, key in chosen:
        yield from _in_scope(site, address, key)
    yield from _how_many(site)
    try:
        plan = allot(site)
    except ValueError:
        return  # `scopes.check` reports it
    keys = dict(reversed([(address, key) for address, key in chosen]))
    yield from _one_use(site, plan, keys)
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
            f"{address} is in none of the scopes, and no other address may leave the box",
            "Give an address in a scope, or remove it and the plan chooses one",
        )
    for scope in site.scopes:
        part = site.provided and any(within(scope, link) for link in links(site))
        why = no_host(address, scope) if address in scope and not part else None
        if why:
            yield warning(
                key,
                f"{address} {why} of {scope}, and some networks drop packets from it",
                "Give another address in the scope",
            )


def _how_many(site: Site) -> Iterator[Finding]:
    allowed: tuple[tuple[Key, tuple[Address, ...], str], ...] = (
        (("router",), site.router, "the router has"),
        (("dns", "addresses"), site.dns.addresses, "the resolver has"),
        (("relays", "or_addresses"), site.relays.or_addresses, ""),
        (("relays", "exit_addresses"), site.relays.exit_addresses, ""),
    )
    relays, groups = site.relays.count, eights(site.relays.count)
    for key, addresses, whose in allowed:
        repeated = {address for address, times in Counter(addresses).items() if times > 1}
        for at, address in enumerate(addresses):
            if address in repeated and addresses.index(address) != at:
                yield error(
                    (*key, at),
                    f"{address} is listed twice",
                    "Give each relay, or each group of eight, its own address"
                    if not whose
                    else "Remove one of the two",
                )
        for version in (4, 6):
            of_family = [at for at, one in enumerate(addresses) if one.version == version]
            each = not whose and len(of_family) >= relays
            for at in of_family[1 if whose else relays if each else groups :]:
                if whose:
                    yield error(
                        (*key, at), f"{whose} only one IPv{version} address", "Remove all but one"
                    )
                else:
                    yield warning(
                        (*key, at),
                        f"no relay uses {addresses[at]}: {relays} relays need {groups} "
                        f"IPv{version} addresses, or {relays} to have one each",
                        "Remove it, or give each relay its own",
                    )


def _one_use(site: Site, plan: Plan, keys: dict[Address, Key]) -> Iterator[Finding]:
    uses: dict[Address, str] = {}
    told: set[tuple[Address, str]] = set()
    wanted: list[tuple[Address, str]] = [(address, ROUTER) for address in plan.router]
    wanted += [(address, RESOLVER) for address in plan.resolver]
    for relay in plan.relays:
        wanted += [(address, OR) for address in relay.listen]
        wanted += [(address, EXIT) for address in relay.source]
    for address, use in wanted:
        other = uses.setdefault(address, use)
        shared = site.provided and {other, use} in SHARED
        if other == use or shared or (address, use) in told:
            continue
        told.add((address, use))
        yield error(
            keys.get(address, ("scopes",)),
            f"{address} is {other} and also {use}" + _why({other, use}),
            "Give each use its own address, or remove the keys and the plan chooses",
        )


def _why(uses: set[str]) -> str:
    if RESOLVER in uses and uses & {EXIT, OR}:
        return "; name servers drop queries from exit addresses, and names no longer resolve"
    if uses == {OR, EXIT}:
        return "; exit addresses end up on block lists, and then other relays cannot connect"
    return ""


def _crowded(plan: Plan, keys: dict[Address, Key]) -> Iterator[Finding]:
    for address, relays in Counter(relay.listen.v4 for relay in plan.relays).items():
        if address is not None and relays > RELAYS_AN_ADDRESS:
            yield error(
                keys.get(address, ("relays", "count")),
                f"{relays} relays are on {address}, and the directory authorities accept "
                f"{RELAYS_AN_ADDRESS} on an IPv4 address",
                "Give each group of eight relays its own address, or run fewer relays",
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
        if address in own and address not in plan.homes:
            yield error(
                keys.get(address, ("scopes",)),
                f"the plan gives {address} to the box, and it is an address of the port "
                f"{quote(own[address].name)}",
                "Give the port another address, or change the plan with router, dns.addresses, "
                "relays.or_addresses or relays.exit_addresses",
            )
    for port, network, lan in lans:
        within = [address for address in plan.addresses if address in network]
        within = [address for address in within if address not in own]
        if within:
            yield warning(
                lan,
                f"{network} of the port {quote(port.name)} contains addresses that the plan gives "
                f"to the box ({len(within)}, first {within[0]}), and machines on the LAN look for "
                "them on the wire",
                "Use a part of the scope without them for the LAN",
            )
