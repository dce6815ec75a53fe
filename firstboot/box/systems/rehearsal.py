"""The rehearsal: Debian's programs on Linux in the place of the real box's.

Sources of what is read: ip(8), ss(8), nft(8).
"""

import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from firstboot.box import nics, preflight
from firstboot.box.config_tests import Checker
from firstboot.box.machine import Machine
from firstboot.box.preflight import Socket, Verdict, address_of
from firstboot.box.services import Command, Service
from firstboot.box.systems import System
from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.model import Site
from firstboot.site.render import Rendered

NETWORK = "etc/rehearsal/network"
GUARD = "etc/rehearsal/nftables.conf"

SERVICES = (
    Service(
        "sysctl",
        "settings of the kernel",
        "/usr/bin/sysctl",
        reads=("etc/rehearsal/sysctl.conf",),
        reload=("service", "sysctl", "start"),
    ),
    Service("syslogd", "log", "/usr/bin/syslogd", ready=("service", "syslogd", "status")),
    Service("netif", "addresses", "/usr/bin/ip"),
    Service(
        "nftables",
        "guard of the ports, by nftables",
        "/usr/sbin/nft",
        reads=(GUARD,),
        reload=("service", "nftables", "reload"),
        ready=("service", "nftables", "status"),
    ),
    Service("exitisp_ports", "transit and exchange ports, still down", "/usr/bin/ip"),
    Service(
        "local_unbound",
        "resolver",
        "/usr/sbin/unbound",
        reads=("var/unbound/unbound.conf",),
        fixed=("var/unbound/root.key",),
        reload=("unbound-control", "-c", "/var/unbound/unbound.conf", "reload"),
        ready=("unbound-control", "-c", "/var/unbound/unbound.conf", "status"),
    ),
    Service(
        "chronyd",
        "clock",
        "/usr/sbin/chronyd",
        fixed=("etc/rehearsal/chrony.conf",),
        ready=("service", "chronyd", "status"),
    ),
    Service(
        "sshd",
        "SSH on the management port",
        "/usr/sbin/sshd",
        reads=("etc/ssh/sshd_config",),
        fixed=("etc/rc.conf.d/sshd",),
        reload=("service", "sshd", "reload"),
        ready=("service", "sshd", "status"),
        may_be_off=True,
    ),
    Service(
        "exitisp_relays",
        "relays",
        "/usr/bin/tor",
        reads=("etc/local/tor/*", "etc/rc.conf.d/exitisp_relays"),
        reload=("service", "exitisp_relays", "reload"),
        ready=("service", "exitisp_relays", "status"),
    ),
    Service(
        "openbgpd",
        "BGP",
        "/usr/sbin/bgpd",
        reads=("etc/local/bgpd.conf",),
        reload=("bgpctl", "reload"),
        ready=("bgpctl", "show"),
    ),
    Service(
        "exitisp_routes",
        "routes of BGP, in the kernel",
        "/usr/local/libexec/exitisp/routes",
        fixed=(NETWORK,),
        ready=("service", "exitisp_routes", "status"),
    ),
)
"""In order."""

CHECKERS = (
    Checker(
        "var/unbound/unbound.conf", "/usr/sbin/unbound-checkconf", ("{file}",), ("/var/unbound",)
    ),
    Checker(
        "etc/local/tor/torrc@*",
        "/usr/bin/tor",
        ("--verify-config", "--hush", "-f", "{file}"),
        ("/usr/local/etc/tor", "/data/tor"),
        ("User _tor",),
    ),
    Checker("etc/local/bgpd.conf", "/usr/sbin/bgpd", ("-n", "-f", "{file}")),
    Checker("etc/ssh/sshd_config", "/usr/sbin/sshd", ("-t", "-f", "{file}"), ("/cfg/ssh",)),
)

NAMES = {"unbound": "local-unbound", "chronyd": "ntpd"}
"""Of those who listen, as the plan calls them."""

EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104
"""How ss(8) writes what sockstat(1) calls *."""

WATCHED = ("local_unbound", "exitisp_relays", "openbgpd")


def verdicts(site: Site, files: Iterable[Rendered], machine: Machine) -> tuple[Verdict, ...]:
    """What holds, and what does not. pf and jails are no part of it: there are none."""
    plan = allot(site)
    interfaces = parse_addresses(machine.run("ip", "-json", "address").text)
    rules = machine.run("nft", "list", "table", "netdev", "exitisp").text
    sockets = list(parse_sockets(machine.run("ss", "-H", "-lntup").text))
    routes = [machine.run("ip", family, "route", "show", "default").text for family in ("-4", "-6")]
    failing = [
        service.what
        for service in SERVICES
        if service.name in WATCHED and machine.run(*service.ready).status != 0
    ]
    return (
        Verdict("nftables guards every port towards strangers", unguarded(site, rules)),
        Verdict("the box has its own addresses", preflight.missing(plan, interfaces)),
        Verdict(
            "ports have the addresses of the site and no others",
            preflight.strange(site, interfaces),
        ),
        Verdict(
            "no default route but that of management",
            "there is one" if any(route.strip() for route in routes) else "",
        ),
        Verdict("everybody listens where the plan says", preflight.listening(site, plan, sockets)),
        Verdict(
            "the resolver, the relays and BGP run",
            f"not running: {', '.join(failing)}" if failing else "",
        ),
    )


def unguarded(site: Site, rules: str) -> str:
    """The first port that no chain of ``nft list table`` closes on the way out."""
    for port in site.ports:
        hook = rf'hook egress device "{re.escape(port.interface)}" [^;]*; policy drop;'
        if port.role.outside and not re.search(hook, rules):
            return f"no rules for what leaves by {port.interface}"
    return ""


def parse_addresses(text: str) -> dict[str, set[Address]]:
    """Addresses by interface, of ``ip -json address``."""
    try:
        found: list[dict[str, Any]] = json.loads(text)
    except ValueError:
        return {}
    return {
        interface["ifname"]: {
            address
            for one in interface.get("addr_info", ())
            if (address := address_of(str(one.get("local")))) is not None
        }
        for interface in found
        if "ifname" in interface
    }


def parse_sockets(text: str) -> Iterator[Socket]:
    """Those of ss(8)'s lines: protocol, state, two queues, address and port, the peer's, whose."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 6:
            continue
        host, _, port = words[4].rpartition(":")
        owner = re.search(r'\(\("([^"]+)"', line)
        name = owner[1] if owner else "somebody"
        if port.isdigit():
            where = "*" if host in EVERYWHERE else host.partition("%")[0]
            yield NAMES.get(name, name), words[0], where, int(port)


def devices(machine: Machine) -> tuple[str, ...]:
    return tuple(nic.device for nic in nics.read_linux(machine.root / "sys/class/net"))


def alias(address: Address) -> Command:
    one = f"{address}/{address.max_prefixlen}"
    nodad = ("nodad",) if address.version == 6 else ()
    return "ip", "address", "replace", one, "dev", "lo1", *nodad


def password(root: Path) -> Command:
    return ("/usr/local/libexec/exitisp/password",)


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Without IPv6, which the rehearsal's kernel has only on ports that are configured, a card
    without an address sends nothing."""
    machine = Machine()
    up = []
    for device in devices(machine):
        if machine.run("ip", "-o", "address", "show", "dev", device).text.strip():
            continue
        machine.run("ip", "link", "set", device, "up")
        up.append(device)
    try:
        yield
    finally:
        for device in up:
            machine.run("ip", "link", "set", device, "down")


SYSTEM = System(
    services=SERVICES,
    checkers=CHECKERS,
    verdicts=verdicts,
    devices=devices,
    alias=alias,
    fat="vfat",
    password=password,
    raised=raised,
    kind="REHEARSAL",
    notice="REHEARSAL: Debian's packages on Linux. Not a release, and not for the Internet.",
    lacks=(
        "pf; the ports are guarded by nftables, with fewer rules and no states",
        "service jails; daemons send from their own addresses because they are told to",
        "UFS and a read-only root; the root is in memory, /cfg and /data are ext4",
        "a second slot and upgrades",
        "profiles of network cards, hourly RPKI, the rotation of logs",
    ),
)
