"""The preflight on FreeBSD: what pfctl, ifconfig, netstat, sockstat and jls print, and its meaning.

Beyond what every system checks, pf has to guard the ports, and service jails (rc.conf(5),
`NAME_svcj`) have to have their own addresses alone.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from firstboot.box import preflight
from firstboot.box.host import Host
from firstboot.box.preflight import Facts, address_of
from firstboot.box.verdict import Verdict
from firstboot.core.values import Address
from firstboot.site.listening import Socket
from firstboot.site.model import Site
from firstboot.site.render import Rendered
from firstboot.site.services import Service
from firstboot.site.verify.rc import JAILED, assignments


@dataclass(frozen=True, slots=True)
class Printed:
    """What the programs of the box print."""

    pf: str
    """`pfctl -s info`"""

    rules: str
    """`pfctl -s rules`"""

    interfaces: str
    """`ifconfig`"""

    routes: str
    """`netstat -rn` of the first routing table"""

    sockets: str
    """`sockstat -46lqw`"""

    jails: dict[str, str]
    """`jls ip4.addr ip6.addr` of each service jail"""

    down: tuple[str, ...]
    """The labels of installed services that have to run and do not"""


def observe(host: Host, services: Sequence[Service]) -> Printed:
    """Ask the programs of the box, which has these services."""
    installed = [one for one in services if host.has(one.program)]
    return Printed(
        host.run("pfctl", "-s", "info").text,
        host.run("pfctl", "-s", "rules").text,
        host.run("ifconfig").text,
        host.run("setfib", "0", "netstat", "-rn").text,
        host.run("sockstat", "-46lqw").text,
        {
            one.name: host.run("jls", "-j", f"svcj-{one.name}", "ip4.addr", "ip6.addr").text
            for one in installed
            if one.name in JAILED
        },
        tuple(one.label for one in installed if one.needed and host.run(*one.ready).status != 0),
    )


def judge(
    site: Site, files: Iterable[Rendered], printed: Printed, services: Sequence[Service]
) -> tuple[Verdict, ...]:
    """The conditions on a box with `site`, whose rendered files are `files`."""
    facts = Facts(
        parse_interfaces(printed.interfaces),
        tuple(parse_sockets(printed.sockets)),
        default_gateway(printed.routes),
        printed.down,
    )
    return (
        Verdict("pf guards every port towards strangers", _unguarded(site, printed)),
        Verdict("jails have their own addresses alone", _unconfined(files, printed.jails)),
        *preflight.judge(site, facts, services),
    )


def _unguarded(site: Site, printed: Printed) -> str:
    if not re.search(r"^Status: Enabled", printed.pf, re.MULTILINE):
        return "pf is off"
    for port in site.ports:
        if not port.role.outside:
            continue
        on = rf" on {re.escape(port.interface)} "
        for label in ("LEAK4", "LEAK6"):
            lines = [line for line in printed.rules.splitlines() if f'label "{label}"' in line]
            if not any(re.search(on, line) and line.startswith("block") for line in lines):
                return f"no rule {label} on {port.interface}"
    return ""


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


def parse_interfaces(text: str) -> dict[str, set[Address]]:
    """Addresses by interface, in the output of ifconfig(8)."""
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


def parse_sockets(text: str) -> Iterator[Socket]:
    """The sockets in the output of sockstat(1)."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 6 and words[4].startswith(("tcp", "udp")):
            host, _, port = words[5].rpartition(":")
            address = host.strip("[]").partition("%")[0]
            if port.isdigit():
                yield Socket(words[1], words[4][:3], address, int(port))


def default_gateway(text: str) -> str:
    """The gateway of the first default route in the output of netstat(1); empty without one."""
    found = re.search(r"^default\s+(\S+)", text, re.MULTILINE)
    return found[1] if found else ""
