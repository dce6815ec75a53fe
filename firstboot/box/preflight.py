"""What must hold before a port towards strangers goes up: that nothing could leak by it.

Looked at is what the box does, not what its files say: the rules that pf has, the addresses that
interfaces have, who listens where, what jails are confined to. That a relay or a session is up is
no condition, for neither can be while the ports are down.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from firstboot.box.machine import Machine
from firstboot.box.services import SERVICES
from firstboot.core.refusal import Refusal
from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PortRole, Site
from firstboot.site.render import Rendered
from firstboot.site.verify.rc import JAILED, assignments

TRIES = 10
"""Looks before it gives up; services that were just started may still be opening their sockets."""

PAUSE = 3.0
"""Seconds between two of them."""

BGP, SSH, DNS = 179, 22, 53


Socket = tuple[str, str, str, int]
"""Whose it is, its protocol, its address or *, and its port."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one thing holds; `reason` says why it does not, and is "" if it does."""

    what: str
    reason: str = ""

    @property
    def holds(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True)
class Facts:
    """What the programs of the box say."""

    pf: str
    """`pfctl -s info`"""

    rules: str
    """`pfctl -s rules`"""

    interfaces: str
    """`ifconfig`"""

    routes: str
    """`netstat -rn` of the first routing table."""

    sockets: str
    """`sockstat -46lqw`"""

    jails: dict[str, str]
    """`jls ip4.addr ip6.addr` of each service jail."""

    failing: tuple[str, ...]
    """What services are installed, have to run and do not."""


def observe(machine: Machine) -> Facts:
    """Ask the box."""
    watched = (service for service in SERVICES if service.name in (*JAILED, "openbgpd"))
    jailed = [name for name in JAILED if machine.has(_program(name))]
    return Facts(
        machine.run("pfctl", "-s", "info").text,
        machine.run("pfctl", "-s", "rules").text,
        machine.run("ifconfig").text,
        machine.run("setfib", "0", "netstat", "-rn").text,
        machine.run("sockstat", "-46lqw").text,
        {
            name: machine.run("jls", "-j", f"svcj-{name}", "ip4.addr", "ip6.addr").text
            for name in jailed
        },
        tuple(
            service.what
            for service in watched
            if machine.has(service.program) and machine.run(*service.ready).status != 0
        ),
    )


def judge(site: Site, files: Iterable[Rendered], facts: Facts) -> tuple[Verdict, ...]:
    """What holds of `facts` on a box with `site` and its rendered `files`, and what does not."""
    plan = allot(site)
    interfaces = _interfaces(facts.interfaces)
    return (
        Verdict("pf guards every port towards strangers", _unguarded(site, facts)),
        Verdict("the box has its own addresses", missing(plan, interfaces)),
        Verdict("ports have the addresses of the site and no others", strange(site, interfaces)),
        Verdict("no default route but that of management", _default(facts.routes)),
        Verdict(
            "everybody listens where the plan says", listening(site, plan, _sockets(facts.sockets))
        ),
        Verdict("jails have their own addresses alone", _unconfined(files, facts.jails)),
        Verdict(
            "the resolver, the relays and BGP run",
            f"not running: {', '.join(facts.failing)}" if facts.failing else "",
        ),
    )


def raise_ports(site: Site, machine: Machine, say: Callable[[str], None]) -> None:
    """Raise the ports if everything holds. Raises Refusal if something does not, after all of it
    is told and the ports are down."""
    failed = _failed(site, machine, TRIES)
    if not failed:
        raised = machine.run("service", "exitisp_ports", "raise")
        if raised.status == 0:
            say("The transit and exchange ports are up.")
            return
        failed = [Verdict("the ports go up", raised.text.strip() or f"status {raised.status}")]
    lower(machine)
    for verdict in failed:
        say(f"Not so: {verdict.what}: {verdict.reason}")
    raise Refusal(
        "the transit and exchange ports",
        expected="a box that cannot leak",
        found=f"{failed[0].reason}, so they stay down",
        remedy="correct that, then run exitisp raise",
    )


def lower(machine: Machine) -> None:
    """The ports towards strangers go down, if there are any."""
    machine.run("service", "exitisp_ports", "stop")


def _failed(site: Site, machine: Machine, tries: int) -> list[Verdict]:
    running = machine.running()
    files = running.read().files if running is not None else ()
    failed: list[Verdict] = []
    for attempt in range(tries):
        if attempt:
            time.sleep(PAUSE)
        failed = [v for v in machine.system.verdicts(site, files, machine) if not v.holds]
        if not failed:
            break
    return failed


def _unguarded(site: Site, facts: Facts) -> str:
    if not re.search(r"^Status: Enabled", facts.pf, re.MULTILINE):
        return "pf is off"
    for port in site.ports:
        if not port.role.outside:
            continue
        on = rf" on {re.escape(port.interface)} "
        for label in ("LEAK4", "LEAK6"):
            lines = [line for line in facts.rules.splitlines() if f'label "{label}"' in line]
            if not any(re.search(on, line) and line.startswith("block") for line in lines):
                return f"no rule {label} on {port.interface}"
    return ""


def missing(plan: Plan, interfaces: dict[str, set[Address]]) -> str:
    missing = [str(one) for one in plan.addresses if one not in interfaces.get("lo1", set())]
    return f"lo1 lacks {', '.join(missing)}" if missing else ""


def strange(site: Site, interfaces: dict[str, set[Address]]) -> str:
    for port in site.ports:
        if port.interface not in interfaces:
            return f"there is no {port.interface}"
        wanted = {interface.ip for interface in port.addresses}
        found = {
            one for one in interfaces[port.interface] if not one.is_link_local or one in wanted
        }
        if found - wanted:
            return f"{port.interface} has {min(map(str, found - wanted))}"
        if wanted - found:
            return f"{port.interface} lacks {min(map(str, wanted - found))}"
    return ""


def _default(routes: str) -> str:
    for line in routes.splitlines():
        if line.startswith("default"):
            return f"there is one by {line.split()[1]}"
    return ""


def listening(site: Site, plan: Plan, sockets: Iterable[Socket]) -> str:
    allowed: dict[Address | None, tuple[str, set[int] | None]] = dict(_places(site, plan))
    for command, protocol, host, port in sockets:
        where = f"{command} listens on {host} port {port} ({protocol})"
        address = address_of(host.strip("[]").partition("%")[0])
        if address is not None and address.is_loopback:
            continue
        # Tor asks the resolver from a socket for all addresses, which are those of its jail.
        if command == "tor" and host == "*" and protocol.startswith("udp"):
            continue
        program, ports = allowed.get(address, ("", None))
        # sockstat(1) cuts names off.
        if not program.startswith(command) or (ports is not None and port not in ports):
            return where
    return ""


def _places(site: Site, plan: Plan) -> Iterator[tuple[Address, tuple[str, set[int] | None]]]:
    """Who may listen on an address, and on which ports unless on any."""
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


def _sockets(text: str) -> Iterator[Socket]:
    """Those of sockstat(1)'s lines."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 6 and words[4].startswith(("tcp", "udp")):
            host, _, port = words[5].rpartition(":")
            if port.isdigit():
                yield words[1], words[4], host, int(port)


def _unconfined(files: Iterable[Rendered], jails: dict[str, str]) -> str:
    wanted = {}
    for file in files:
        if file.path.startswith("etc/rc.conf.d/"):
            for _, name, value in assignments(file):
                wanted[name] = value
    for service, told in jails.items():
        expected = {ip_address(word) for word in wanted.get(f"{service}_svcj_ipaddrs", "").split()}
        words = re.split(r"[\s,]+", told.strip())
        found = {address for word in words if (address := address_of(word)) is not None}
        if found != expected:
            differing = ", ".join(sorted(map(str, found ^ expected)))
            return f"the jail of {service} differs from the plan: {differing}"
    return ""


def _interfaces(text: str) -> dict[str, set[Address]]:
    """Addresses by interface, as ifconfig(8) prints them."""
    found: dict[str, set[Address]] = {}
    name = ""
    for line in text.splitlines():
        if head := re.match(r"(\S+): flags=", line):
            name = head[1]
            found[name] = set()
        elif match := re.match(r"\s+inet6? (\S+)", line):
            address = address_of(match[1].partition("%")[0].partition("/")[0])
            if name and address is not None:
                found[name].add(address)
    return found


def address_of(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _program(name: str) -> str:
    return next(service.program for service in SERVICES if service.name == name)
