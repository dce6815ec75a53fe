"""Names of the addresses, which say what they are: an exit, a relay, a router, the link of a port.

Below the domain of the site: ``tor-exit-1`` is where the exit traffic of relay 1 comes from,
``tor-relay-1`` where other relays connect to it, ``router``, ``resolver``, and ``link-NAME`` the
address of a port. The management port has no name: nobody else has to find it. Nor has an address
that means something else in every network, such as a private one.

Of two boxes that share the scopes, each name has that of its box behind it: ``tor-exit-1.edge-a``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.model import PortRole, Site
from firstboot.site.paper.pair import boxes
from firstboot.site.registries import ADDRESSES


@dataclass(frozen=True)
class Named:
    """An address and a name of it below the domain: a label, or two for one of two boxes."""

    label: str
    address: Address


def names(site: Site, twin: Site | None = None) -> list[Named]:
    """Every name of every address. Of the names of one address, the first is what it is above all,
    and what a lookup of the address tells: an exit before anything else. With the site of the other
    box of two, both boxes' names."""
    found: dict[Named, None] = {}
    for one, box in boxes(site, twin):
        behind = f".{_plain(box)}" if box else ""
        found.update(dict.fromkeys(replace(n, label=n.label + behind) for n in _names(one)))
    return list(found)


def first_names(site: Site, twin: Site | None = None) -> dict[Address, str]:
    """The label that a lookup of each address tells."""
    found: dict[Address, str] = {}
    for one in names(site, twin):
        found.setdefault(one.address, one.label)
    return found


def _names(site: Site) -> Iterator[Named]:
    plan = allot(site)
    for relay in plan.relays:
        yield from (Named(f"tor-exit-{relay.number}", address) for address in relay.source)
    for relay in plan.relays:
        yield from (Named(f"tor-relay-{relay.number}", address) for address in relay.listen)
    yield from (Named("router", address) for address in plan.router)
    yield from (Named("resolver", address) for address in plan.resolver)
    for port, label in link_labels(site).items():
        yield from (
            Named(label, face.ip)
            for face in next(one for one in site.ports if one.name == port).addresses
            if _is_global(face.ip)
        )


def link_labels(site: Site) -> dict[str, str]:
    """The label of each port but the management port, by the port's name: letters, digits and
    hyphens, with a number behind where two would be the same."""
    found: dict[str, str] = {}
    for port in site.ports:
        if port.role is PortRole.MANAGEMENT:
            continue
        plain = f"link-{_plain(port.name)}"
        label, number = plain, 2
        while label in found.values():
            label, number = f"{plain}-{number}", number + 1
        found[port.name] = label
    return found


def _plain(name: str) -> str:
    """A name that people gave as a label: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _is_global(address: Address) -> bool:
    return not any(address in one.network and not one.documentation for one in ADDRESSES)
