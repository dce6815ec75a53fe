"""HardenedBSD and FreeBSD, the systems that the box is made for."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from firstboot.box.host import Host
from firstboot.box.system import System
from firstboot.box.systems.freebsd.nics import find, raised
from firstboot.box.verdict import Verdict
from firstboot.core.resources import overlays

if TYPE_CHECKING:
    from socket import socket

    from firstboot.box.stopped import Stopped
    from firstboot.core.values import Address
    from firstboot.site.listening import Socket
    from firstboot.site.model import Site
    from firstboot.site.render import Rendered
    from firstboot.site.services import Command, Service

SOL_SOCKET, SO_SETFIB = 0xFFFF, 0x1014
"""From sys/socket.h; setfib(2) is for whole processes."""

MANAGEMENT_TABLE = 1
"""The number of the routing table that the management port has (rc.conf.local)."""


def verdicts(
    site: "Site", files: "Iterable[Rendered]", host: Host, services: "Sequence[Service]"
) -> tuple[Verdict, ...]:
    # The consoles greet before this loads the site model and the templates.
    from firstboot.box.systems.freebsd.preflight import judge, observe

    return judge(site, files, observe(host, services), services)


def alias(address: "Address", interface: str) -> "Command":
    family = "inet6" if address.version == 6 else "inet"
    return "ifconfig", interface, family, f"{address}/{address.max_prefixlen}", "alias"


def leaks(host: Host) -> int | None:
    ran = host.run("pfctl", "-s", "labels")
    return parse_labels(ran.text) if ran.status == 0 else None


def parse_labels(text: str) -> int | None:
    """The packets of the rules LEAK4 and LEAK6 in the output of ``pfctl -s labels``: label,
    evaluations, packets, bytes and more of each rule; None if there is no such rule."""
    found = re.findall(r"^LEAK[46] [0-9]{1,20} ([0-9]{1,20}) ", text, re.MULTILINE)
    return sum(map(int, found)) if found else None


def stopped(host: Host) -> "tuple[Stopped, ...]":
    from firstboot.box.systems.freebsd.counted import stopped

    return stopped(host)


def sockets(host: Host) -> "tuple[Socket, ...]":
    """Their far ends are in what sockstat prints, and are dropped here."""
    from firstboot.box.systems.freebsd.preflight import parse_jails, parse_sockets

    jails = parse_jails(host.run("ps", "-ax", "-o", "pid=", "-o", "jail=").text)
    return tuple(parse_sockets(host.run("sockstat", "-46qw", patience=20.0).text, jails))


def by_management(sock: "socket") -> None:
    sock.setsockopt(SOL_SOCKET, SO_SETFIB, MANAGEMENT_TABLE)


def again(host: Host) -> "Command":
    """The first routing table has the resolver, the relays and the way out. A session of SSH, and
    what is started in it, has that of the management port (sshd_fib in rc.conf.d/sshd)."""
    table = host.run("sysctl", "-n", "net.my_fibnum").text.strip()
    return ("setfib", "-F", "0") if table.isdecimal() and int(table) else ()


def password(host: Host) -> "Command":
    return "pw", "-R", str(host.root), "usermod", "root", "-H", "0"


SYSTEM = System(
    name="FreeBSD",
    service_files=tuple(sorted(overlays().glob("*/services.yaml"))),
    verdicts=verdicts,
    nics=find,
    raised=raised,
    alias=alias,
    fat="msdosfs",
    password=password,
    leaks=leaks,
    stopped=stopped,
    sockets=sockets,
    by_management=by_management,
    again=again,
)
