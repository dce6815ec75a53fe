"""Draw the network in plain characters, at most 78 columns wide.

On the left is what is at the far end of each port, on the right the box.
"""

import itertools

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Port, PortRole, Site

FAR = 25
"""Columns for what is at the far end."""

WIRE = 7
NEAR = 12
BOX = 30
"""Columns of the text inside the box."""

MOST = 6
"""The most peers of a port that are drawn."""


def draw(site: Site) -> str:
    """Draw `site`. Raises ValueError if its prefixes have no room for its address plan."""
    plan = allot(site)
    outside = [port for port in site.ports if port.role.outside]
    inside = [port for port in site.ports if not port.role.outside]
    wires = [line for port in [*outside, *inside] for line in _wires(site, plan, port)]
    texts = _texts(site, plan)
    edge = " " * (FAR + WIRE + NEAR) + "+" + "-" * (BOX + 2) + "+"
    blank = " " * (FAR + WIRE + NEAR)
    pairs = itertools.zip_longest(wires, texts)
    rows = [f"{wire or blank}| {text or '':{BOX}} |" for wire, text in pairs]
    return "\n".join([edge, *rows, edge])


def _wires(site: Site, plan: Plan, port: Port) -> list[str]:
    """Return the lines of a port: each far end with its wire, and the name above the device."""
    far = _far_ends(site, plan, port)
    near = [_cut(port.name, NEAR - 1), _cut(port.interface, NEAR - 1)]
    lines = []
    for at, (end, label) in enumerate(itertools.zip_longest(far, near)):
        wire = _wire(at, len(far)) if end else ""
        lines.append(f"{end or '':>{FAR - 1}} {wire:{WIRE - 1}} {label or '':{NEAR - 1}} ")
    return [*lines, " " * (FAR + WIRE + NEAR)]


def _wire(at: int, count: int) -> str:
    """Return the wire of the far end number `at` of the `count` that share a port."""
    if count == 1:
        return "------"
    if at == 0:
        return "---.--"
    return "---+" if at < count - 1 else "---'"


def _far_ends(site: Site, plan: Plan, port: Port) -> list[str]:
    if port.role is PortRole.LAN:
        return ["your machines"]
    if port.role is PortRole.MANAGEMENT:
        return ["administrators"]
    if site.provided:
        return ["the provider"]
    found = dict.fromkeys(s.peer.name for s in plan.sessions if s.port.name == port.name)
    asns = {peer.name: f" AS{peer.asn}" for peer in site.peers}
    names = [_cut(name, FAR - 1 - len(asns[name])) + asns[name] for name in found]
    if len(names) > MOST:
        names = [*names[: MOST - 1], f"and {len(names) - MOST + 1} more"]
    return names or ["nobody yet"]


def _texts(site: Site, plan: Plan) -> list[str]:
    names = [relay.nickname for relay in plan.relays]
    listen = [address for relay in plan.relays for address in relay.listen]
    source = [address for relay in plan.relays for address in relay.source]
    whose = names[0] if len(names) == 1 else f"{names[0]} to {len(names)}"
    texts = [
        site.operator.name,
        "a provider's addresses" if site.asn is None else f"AS{site.asn}",
        *map(str, site.scopes),
        "",
        *_of_each("router", [*plan.router]),
        *_of_each("resolver", [*plan.resolver]),
        "",
        whose,
        *_of_each("listen", listen),
        *_of_each("exit", source),
    ]
    return [_cut(text, BOX) for text in texts]


def _of_each(label: str, addresses: list[Address]) -> list[str]:
    """Return the first address of each family, and how many more there are."""
    lines = []
    for version in (4, 6):
        family = list(dict.fromkeys(a for a in addresses if a.version == version))
        if family:
            more = f" +{len(family) - 1}" if len(family) > 1 else ""
            lines.append(f"{label:9}{family[0]}{more}")
            label = ""
    return lines


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: columns - 2] + ".."
