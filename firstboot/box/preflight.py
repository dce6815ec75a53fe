"""The conditions under which the transit and exchange ports may go up, so that nothing can leak.

They are judged by what the box does, not by what its files say: the addresses of its interfaces,
and which program listens where. Each system in box/systems collects these facts with its own
programs and adds the conditions that it alone can check, such as the packet filter's rules.

Relays that have reached the network and established BGP sessions are not conditions, for neither
can exist while the ports are down.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from firstboot.box.verdict import Verdict
from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.listening import Rules, Socket
from firstboot.site.model import Site
from firstboot.site.services import Service


@dataclass(frozen=True, slots=True)
class Facts:
    """What a running box does, on any system."""

    addresses: Mapping[str, set[Address]]
    """By interface."""

    sockets: tuple[Socket, ...]

    gateway: str
    """The gateway of a default route in the first routing table; empty if there is none."""

    down: tuple[str, ...]
    """The labels of services that have to run and do not."""


def judge(site: Site, facts: Facts, services: Iterable[Service]) -> tuple[Verdict, ...]:
    """The conditions on every system, in the order in which they are told. `services` are those of
    the box."""
    plan = allot(site)
    return (
        Verdict("the box has its own addresses", _missing(plan, facts.addresses)),
        Verdict("ports have the addresses of the site and no others", _strange(site, facts)),
        Verdict(
            "no default route but that of management",
            f"there is one by {facts.gateway}" if facts.gateway else "",
        ),
        Verdict(
            "everybody listens where the plan says",
            _misplaced(Rules.of(site, plan, services), facts.sockets),
        ),
        Verdict(
            "the resolver, the relays and BGP run",
            f"not running: {', '.join(facts.down)}" if facts.down else "",
        ),
    )


def _missing(plan: Plan, addresses: Mapping[str, set[Address]]) -> str:
    missing = [str(one) for one in plan.addresses if one not in addresses.get("lo1", set())]
    return f"lo1 lacks {', '.join(missing)}" if missing else ""


def _strange(site: Site, facts: Facts) -> str:
    for port in site.ports:
        if port.interface not in facts.addresses:
            return f"there is no {port.interface}"
        wanted = {interface.ip for interface in port.addresses}
        found = {
            one for one in facts.addresses[port.interface] if not one.is_link_local or one in wanted
        }
        if found - wanted:
            return f"{port.interface} has {min(map(str, found - wanted))}"
        if wanted - found:
            return f"{port.interface} lacks {min(map(str, wanted - found))}"
    return ""


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
