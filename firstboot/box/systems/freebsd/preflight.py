"""The preflight on FreeBSD: what pfctl, ifconfig, netstat, sockstat, jls and pgrep print, and its
meaning.

Beyond what every system checks, pf has to guard the ports, and service jails (rc.conf(5),
`NAME_svcj`) have to have their own addresses alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from firstboot.box import preflight
from firstboot.box.host import Host
from firstboot.box.preflight import Facts, address_of
from firstboot.box.verdict import Effect, Verdict
from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.listening import NO_JAIL, Socket
from firstboot.site.model import Port, PortRole, Site
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
    """`jls ip4.addr ip6.addr` of each service jail that exists"""

    outside: tuple[str, ...]
    """The labels of services that have a process outside of their jail"""

    silent: tuple[str, ...] = ()
    """The programs among these that failed"""


STAND_IN = "stands in for a network card that is gone"
"""The description with which rc.d/exitisp_ports marks such an interface."""


def observe(host: Host, services: Sequence[Service]) -> Printed:
    """Ask the programs of the box, which has these services."""
    silent: list[str] = []

    def ask(*command: str) -> str:
        ran = host.run(*command)
        if ran.status != 0:
            silent.append(" ".join(command))
        return ran.text

    jails, outside = {}, []
    for one in services:
        if one.name in JAILED and host.has(one.program):
            told = host.run("jls", "-j", f"svcj-{one.name}", "ip4.addr", "ip6.addr")
            if told.status == 0:
                jails[one.name] = told.text
            if host.run("pgrep", "-j", "none", "-x", "|".join(one.processes)).status == 0:
                outside.append(one.label)
    return Printed(
        host.run("pfctl", "-s", "info").text,
        host.run("pfctl", "-s", "rules").text,
        ask("ifconfig"),
        ask("setfib", "0", "netstat", "-rn"),
        ask("sockstat", "-46lqw"),
        jails,
        tuple(outside),
        tuple(silent),
    )


def judge(
    site: Site, files: Iterable[Rendered], printed: Printed, services: Sequence[Service]
) -> tuple[Verdict, ...]:
    """The conditions on a box with `site`, whose rendered files are `files`."""
    facts = Facts(
        parse_interfaces(printed.interfaces),
        tuple(parse_sockets(printed.sockets)),
        default_gateways(printed.routes),
        stand_ins(printed.interfaces),
        {name: frozenset(cards) for name, cards in parse_bundles(printed.interfaces).items()},
        interfaces_up(printed.interfaces),
        {
            one.remote: router
            for one in allot(site).far
            if (router := host_gateway(printed.routes, one.remote))
        },
    )
    planned = planned_jails(files)
    failed = f"this fails: {', '.join(printed.silent)}" if printed.silent else ""
    return (
        Verdict("pf guards every port towards strangers", Effect.LEAK, _unguarded(site, printed)),
        Verdict("jails have their own addresses alone", Effect.LEAK, _unconfined(planned, printed)),
        Verdict("what the box does can be seen", Effect.LEAK, failed),
        Verdict("every card of a bundle carries", Effect.OUTAGE, _idle(printed.interfaces)),
        Verdict("jails have all their addresses", Effect.OUTAGE, _short(planned, printed.jails)),
        *preflight.judge(site, facts, services),
    )


def _unguarded(site: Site, printed: Printed) -> str:
    if not re.search(r"^Status: Enabled", printed.pf, re.MULTILINE):
        return "pf is off"
    for port in site.ports:
        if not port.role.guarded:
            continue
        on = rf" on {re.escape(port.interface)} "
        for label in ("LEAK4", "LEAK6"):
            # Others with this label count some of these packets apart.
            lines = [
                line
                for line in printed.rules.splitlines()
                if f'label "{label}"' in line
                and not any(part in line for part in (" to <", " proto ", " from <"))
            ]
            if not any(re.search(on, line) and line.startswith("block") for line in lines):
                return f"no rule {label} on {port.interface}"
        if early := _before_leaks(printed.rules, port):
            return f"what leaves by {port.interface} passes before LEAK4 and LEAK6 by: {early}"
    return ""


def _before_leaks(rules: str, port: Port) -> str:
    """The first rule that lets out by `port` more than what the port itself has to say, and to a
    twin what strangers send it, before those that look at the source; "" without one."""
    lines = rules.splitlines()
    labels = "bgp-out|nd-out" + ("|to-twin" if port.role is PortRole.TWIN else "")
    on = f" on {port.interface} "
    last = max(at for at, one in enumerate(lines) if ' label "LEAK' in one and on in one)
    for line in lines[:last]:
        if not re.match(r"pass (?!in )", line) or re.search(f'label "({labels})"', line):
            continue
        where = re.search(r" on (! )?(\S+)", line)
        # A name without a number is that of a group of interfaces.
        if where is None or where[2].isalpha() or (where[2] == port.interface) != bool(where[1]):
            return line
    return ""


def planned_jails(files: Iterable[Rendered]) -> dict[str, set[Address]]:
    """The addresses of each service jail, as rc's files have them."""
    wanted = {}
    for file in files:
        if file.path.startswith("etc/rc.conf.d/"):
            for _, name, value in assignments(file):
                wanted[name] = value
    return {
        service: {ip_address(word) for word in wanted.get(f"{service}_svcj_ipaddrs", "").split()}
        for service in JAILED
    }


def _unconfined(planned: Mapping[str, set[Address]], printed: Printed) -> str:
    """A jail that lists no address of a family may use all of the box's."""
    for label in printed.outside:
        return f"a process of the {label} is in no jail"
    for service, told in printed.jails.items():
        found, expected = parse_jail(told), planned[service]
        if strange := found - expected:
            return f"the jail of {service} has {', '.join(sorted(map(str, strange)))}"
        for version in (4, 6):
            of_family = [one for one in expected if one.version == version]
            if of_family and not any(one.version == version for one in found):
                return f"the jail of {service} is not held to its IPv{version} addresses"
    return ""


def _short(planned: Mapping[str, set[Address]], jails: Mapping[str, str]) -> str:
    lacking = {
        service: sorted(map(str, planned[service] - parse_jail(told)))
        for service, told in jails.items()
    }
    return "; ".join(
        f"the jail of {service} lacks {', '.join(addresses)}"
        for service, addresses in lacking.items()
        if addresses
    )


def parse_jail(text: str) -> set[Address]:
    """The addresses in the output of jls(8)."""
    words = re.split(r"[\s,]+", text.strip())
    return {address for word in words if (address := address_of(word)) is not None}


def stand_ins(text: str) -> frozenset[str]:
    """The interfaces that stand in for a network card, in the output of ifconfig(8)."""
    found, name = set(), ""
    for line in text.splitlines():
        if head := re.match(r"(\S+): flags=", line):
            name = head[1]
        elif line.strip() == f"description: {STAND_IN}":
            found.add(name)
    return frozenset(found)


def parse_bundles(text: str) -> dict[str, dict[str, bool]]:
    """The cards in each bundle, and whether they carry packets, in the output of ifconfig(8):
    ``laggport: ix0 flags=1c<ACTIVE,COLLECTING,DISTRIBUTING> state=3d<...>`` (lagg(4))."""
    found: dict[str, dict[str, bool]] = {}
    name = ""
    for line in text.splitlines():
        if head := re.match(r"(\S+): flags=", line):
            name = head[1]
        elif match := re.match(r"\s+laggport: (\S+) flags=[0-9a-f]+(<\S*>)?", line):
            found.setdefault(name, {})[match[1]] = "DISTRIBUTING" in (match[2] or "")
    return found


def interfaces_up(text: str) -> frozenset[str]:
    """The interfaces that are up, in the output of ifconfig(8)."""
    return frozenset(re.findall(r"(?m)^(\S+): flags=[0-9a-f]+<UP[,>]", text))


def _idle(text: str) -> str:
    """Cards of bundles that are up which carry nothing: the cable, the card or the other end."""
    reasons = []
    for name, cards in parse_bundles(text).items():
        idle = [card for card, carries in cards.items() if not carries]
        if idle and re.search(rf"(?m)^{re.escape(name)}: flags=[0-9a-f]+<UP[,>]", text):
            reasons.append(f"{' and '.join(idle)} of {name} carries nothing")
    return "; ".join(reasons)


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


def parse_sockets(text: str, jails: Mapping[str, str] | None = None) -> Iterator[Socket]:
    """The sockets in the output of sockstat(1). `jails` has those of processes, by number."""
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 6 and words[4].startswith(("tcp", "udp")):
            host, _, port = words[5].rpartition(":")
            address = host.strip("[]").partition("%")[0]
            if re.fullmatch("[0-9]{1,5}", port):
                jail = (jails or {}).get(words[2], "")
                yield Socket(words[1], words[4][:3], address, int(port), jail)


def parse_jails(text: str) -> dict[str, str]:
    """The name of each process's jail, or NO_JAIL, by the process's number, in the output of
    ``ps -ax -o pid= -o jail=``."""
    found = (line.split() for line in text.splitlines())
    return {
        words[0]: NO_JAIL if words[1] == "-" else words[1] for words in found if len(words) == 2
    }


def default_gateways(text: str) -> frozenset[str]:
    """The gateways of all default routes in the output of netstat(1)."""
    return frozenset(re.findall(r"^default\s+(\S+)", text, re.MULTILINE))


def host_gateway(text: str, address: Address) -> str:
    """The gateway of the route to this address alone in the output of netstat(1), or ""."""
    found = re.search(rf"(?m)^{re.escape(str(address))}\s+(\S+)\s+\S*H", text)
    return found[1] if found else ""
