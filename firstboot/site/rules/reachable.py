"""What strangers reach of machines on a LAN: whether there can be such machines."""

from collections.abc import Iterator

from firstboot.core.document import Key
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PortRole, Reachable, Site
from firstboot.site.rules.finding import Finding, error
from firstboot.site.rules.hosts import no_host


def check(site: Site) -> Iterator[Finding]:
    if not any(port.reachable for port in site.ports):
        return
    try:
        plan = allot(site)
    except ValueError:
        return  # `scopes.check` says so.
    for at, port in enumerate(site.ports):
        if port.reachable and port.role is not PortRole.LAN:
            yield error(
                ("ports", at, "reachable"),
                f"a {port.role.value} port has no machines of this operator",
                "Write the key at the LAN port that leads to the machine",
            )
            continue
        seen: set[Reachable] = set()
        for nth, one in enumerate(port.reachable):
            where: Key = ("ports", at, "reachable", nth)
            yield from _machine(site, plan, at, where, one)
            if one in seen:
                yield error(where, "this is there twice", "Remove one of them")
            seen.add(one)


def _machine(site: Site, plan: Plan, at: int, key: Key, one: Reachable) -> Iterator[Finding]:
    where: Key = (*key, "address")
    networks = [face.network for face in site.ports[at].addresses]
    network = next((net for net in networks if one.address in net), None)
    if network is None:
        yield error(
            where,
            f"{one.address} is in no network of this port",
            "Give the address of a machine on this LAN",
        )
    elif why := no_host(one.address, network):
        yield error(where, f"{one.address} {why} of {network}", "Give the address of a machine")
    on_ports = {face.ip for port in site.ports for face in port.addresses}
    if one.address in on_ports or one.address in plan.addresses:
        yield error(
            where,
            f"{one.address} is the box's own address, which is no machine on a LAN",
            "Give the address of a machine on this LAN",
        )
