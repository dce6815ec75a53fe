"""The rehearsal: Debian's programs on Linux in the place of the real box's."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from firstboot.box.host import Host
from firstboot.box.system import Lack, System
from firstboot.box.systems.rehearsal.nics import find, raised
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


def verdicts(
    site: "Site", files: "Iterable[Rendered]", host: Host, services: "Sequence[Service]"
) -> tuple[Verdict, ...]:
    # The consoles greet before this loads the site model and the templates.
    from firstboot.box.systems.rehearsal import preflight

    return preflight.verdicts(site, host, services)


def alias(address: "Address", interface: str) -> "Command":
    one = f"{address}/{address.max_prefixlen}"
    nodad = ("nodad",) if address.version == 6 else ()
    return "ip", "address", "replace", one, "dev", interface, *nodad


def password(host: Host) -> "Command":
    return ("/usr/local/libexec/exitisp/password",)


def leaks(host: Host) -> int | None:
    ran = host.run("nft", "list", "counters", "table", "netdev", "exitisp")
    return parse_counters(ran.text) if ran.status == 0 else None


def parse_counters(text: str) -> int | None:
    """The packets of leak4 and leak6 in the output of ``nft list counters``; None without them."""
    found = re.findall(r"counter leak[46] \{\s*packets ([0-9]{1,20}) ", text)
    return sum(map(int, found)) if found else None


def stopped(host: Host) -> "tuple[Stopped, ...]":
    ran = host.run("nft", "list", "counters", "table", "netdev", "exitisp")
    return tuple(parse_stopped(ran.text)) if ran.status == 0 else ()


def parse_stopped(text: str) -> "Iterator[Stopped]":
    """The counters of each port in the output of ``nft list counters``."""
    from firstboot.box.stopped import BACKSCATTER, ELSEWHERE, Stopped

    for number, packets in re.findall(
        r"counter backscatter_([0-9]{1,3}) \{\s*packets ([0-9]{1,20}) ", text
    ):
        yield Stopped(f"port {number}", BACKSCATTER, "tcp", ELSEWHERE, int(packets))


def sockets(host: Host) -> "tuple[Socket, ...]":
    """Their far ends are in what ss prints, and are dropped here."""
    from firstboot.box.systems.rehearsal.preflight import parse_sockets

    return tuple(parse_sockets(host.run("ss", "-H", "-antup", patience=20.0).text))


def by_management(sock: "socket") -> None:
    """A rule of the kernel goes by the address that the socket is bound to."""


SYSTEM = System(
    name="a rehearsal",
    service_files=(overlays() / "rehearsal/services.yaml",),
    verdicts=verdicts,
    nics=find,
    raised=raised,
    alias=alias,
    fat="vfat",
    password=password,
    leaks=leaks,
    stopped=stopped,
    sockets=sockets,
    by_management=by_management,
    carriers=False,
    kind="REHEARSAL",
    notice="REHEARSAL: Debian's packages on Linux. Not a release, and not for the Internet.",
    lacks=(
        Lack("pf", "nftables guards the ports, with fewer rules and no states"),
        Lack("service jails", "daemons send from their own addresses because they are told to"),
        Lack("UFS and a read-only root", "the root is in memory, /cfg and /data are ext4"),
        Lack(
            "a second slot and upgrades",
            commands=("upgrade", "slots", "keep", "bootcode", "rollback --slot"),
        ),
        Lack("profiles of network cards, hourly RPKI and the rotation of logs"),
    ),
)
