"""The conditions under which the transit and exchange ports may go up, so that nothing can leak.

They are judged by what the box does, not by what its files say: the addresses of its interfaces,
and which program listens where. Each system in box/systems collects these facts with its own
programs and adds the conditions that it alone can check, such as the packet filter's rules.

Relays that have reached the network and established BGP sessions are not conditions, for neither
can exist while the ports are down.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from firstboot.box.verdict import Verdict
from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PortRole, Site

BGP, SSH, DNS = 179, 22, 53


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that waits for others. `host` is an address, or ``*`` for all of them; `protocol`
    begins with ``tcp`` or ``udp``. `program` may be cut short, as sockstat(1) does it."""

    program: str
    protocol: str
    host: str
    port: int


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


def judge(site: Site, facts: Facts) -> tuple[Verdict, ...]:
    """The conditions that hold on every system, in the order in which they are told."""
    plan = allot(site)
    return (
        Verdict("the box has its own addresses", _missing(plan, facts.addresses)),
        Verdict("ports have the addresses of the site and no others", _strange(site, facts)),
        Verdict(
            "no default route but that of management",
            f"there is one by {facts.gateway}" if facts.gateway else "",
        ),
        Verdict("everybody listens where the plan says", _misplaced(site, plan, facts.sockets)),
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


def _misplaced(site: Site, plan: Plan, sockets: Iterable[Socket]) -> str:
    """The first socket that the plan does not allow."""
    allowed: dict[Address | None, tuple[str, set[int] | None]] = dict(_places(site, plan))
    for one in sockets:
        address = address_of(one.host.strip("[]").partition("%")[0])
        if address is not None and address.is_loopback:
            continue
        # Tor asks the resolver from a socket for all addresses, which are those of its jail.
        if one.program == "tor" and one.host == "*" and one.protocol.startswith("udp"):
            continue
        program, ports = allowed.get(address, ("", None))
        # sockstat(1) cuts names off.
        if not program.startswith(one.program) or (ports is not None and one.port not in ports):
            return f"{one.program} listens on {one.host} port {one.port} ({one.protocol})"
    return ""


def _places(site: Site, plan: Plan) -> Iterator[tuple[Address, tuple[str, set[int] | None]]]:
    """The program that may listen on each address, and on which ports unless on any."""
    for address in plan.router:
        yield address, ("ntpd", None)
    for address in plan.resolver:
        yield address, ("local-unbound", None)
    for relay in plan.relays:
        for address in (*relay.listen, *relay.source):
            yield address, ("tor", None)
    for port in site.ports:
        for interface in port.addresses:
            if port.role.outside:
                yield interface.ip, ("bgpd", {BGP})
            elif port.role is PortRole.LAN:
                yield interface.ip, ("local-unbound", {DNS})
            else:
                yield interface.ip, ("sshd", {SSH})


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    """The address that `text` is, or None."""
    try:
        return ip_address(text)
    except ValueError:
        return None
