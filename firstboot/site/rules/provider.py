"""A site with a provider's addresses: one link with a router on it, no BGP, and addresses that the
router reaches, on the link or by a route to this box."""

from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key, quote
from firstboot.core.values import Address, Network
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Port, PortRole, Site
from firstboot.site.provided_addresses import usable
from firstboot.site.rules.finding import Finding, advice, error
from firstboot.site.rules.hosts import inside, no_host


def check(site: Site) -> Iterator[Finding]:
    if not site.provided:
        return
    if site.peers:
        yield error(
            ("peers",),
            "the addresses are a provider's, and a box with them speaks BGP with nobody",
            "Remove the peers, or the key addresses if the address space is yours",
        )
    yield from _ports(site)
    yield from _on_the_link(site)
    yield from _of_use(site)
    try:
        plan = allot(site)
    except ValueError:
        return  # `scopes.check` reports it
    yield from _routers(site, plan)
    yield from _taken(site, plan)
    yield from _few(plan)


def _ports(site: Site) -> Iterator[Finding]:
    found: list[Port] = []
    for at, port in enumerate(site.ports):
        key: Key = ("ports", at)
        if port.role is PortRole.EXCHANGE:
            yield error(
                (*key, "role"),
                "exchanges are for networks with an AS number, and the addresses are a provider's",
                "Correct the role, or remove the port",
            )
        if port.role is not PortRole.TRANSIT:
            continue
        found.append(port)
        if len(found) > 1:
            yield error(
                (*key, "role"),
                f"{quote(found[0].name)} leads to the provider already, and without BGP nothing "
                "says by which of two ports a packet has to leave",
                "Keep one transit port",
            )
        for version in (4, 6):
            yield from _way_out(site, key, port, version)


def _way_out(site: Site, key: Key, port: Port, version: int) -> Iterator[Finding]:
    if not any(scope.version == version for scope in site.scopes):
        return
    if not any(face.version == version for face in port.addresses):
        yield error(
            (*key, "addresses"),
            f"there are IPv{version} scopes, and the port to the provider has no IPv{version} "
            "address",
            "Give it the one that the provider assigned to the machine",
        )
    elif not any(router.version == version for router in port.gateway):
        yield error(
            (*key, "gateway"),
            f"there are IPv{version} scopes, and no IPv{version} router is named by which they "
            "reach the Internet",
            "Add the provider's router with the key gateway",
        )


def _on_the_link(site: Site) -> Iterator[Finding]:
    """Scopes in the network of the port: the port's own address is one of the box's."""
    for at, port in enumerate(site.ports):
        for nth, face in enumerate(port.addresses):
            near = [scope for scope in site.scopes if _overlap(scope, ip_network(face.network))]
            if port.role.outside and near and not inside(face.ip, site.scopes):
                yield error(
                    ("ports", at, "addresses", nth),
                    f"{near[0]} is in the network of this port, and {face.ip} is in none of the "
                    "scopes: the box would have an address there that it may not use",
                    f"Add {face.ip} to the scopes, and it is the router's",
                )


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _of_use(site: Site) -> Iterator[Finding]:
    for at, scope in enumerate(site.scopes):
        if not usable(site, [scope]):
            yield error(
                ("scopes", at),
                f"{scope} has no address for this box: routers, networks and ports have them all",
                "Name the addresses that the provider gave to this machine",
            )


def _routers(site: Site, plan: Plan) -> Iterator[Finding]:
    for address in plan.router:
        port = plan.homes.get(address)
        if port is None:
            continue
        first = next(face.ip for face in port.addresses if face.version == address.version)
        if address != first:
            named = ("router", site.router.index(address)) if address in site.router else None
            yield error(
                named or ("scopes",),
                f"{address} is the router's, and what the kernel sends by itself comes from the "
                f"address of the port, {first}",
                f"Let the router have {first}, and nobody else",
            )


def _taken(site: Site, plan: Plan) -> Iterator[Finding]:
    """Addresses on the link that the site names, and that others have there."""
    routers = {router for port in site.ports for router in port.gateway}
    for key, addresses in (
        (("router",), site.router),
        (("dns", "addresses"), site.dns.addresses),
        (("relays", "or_addresses"), site.relays.or_addresses),
        (("relays", "exit_addresses"), site.relays.exit_addresses),
    ):
        for at, address in enumerate(addresses):
            why = "is the provider's router" if address in routers else _edge(plan, address)
            if why:
                yield error(
                    (*key, at), f"{address} {why}", "Give an address that the provider gave you"
                )


def _edge(plan: Plan, address: Address) -> str | None:
    port = plan.homes.get(address)
    networks = [ip_network(face.network) for face in port.addresses] if port else []
    return next((no_host(address, one) for one in networks if address in one), None)


def _few(plan: Plan) -> Iterator[Finding]:
    shared = [relay for relay in plan.relays if {*relay.listen} & {*relay.source}]
    if shared:
        yield advice(
            ("scopes",),
            f"{len(shared)} relays listen on the addresses that their exit traffic comes from, and "
            "other networks block exits",
            "Ask the provider for two more addresses, or run fewer relays",
        )
