"""What a lab has to know of the systems that an image can have."""

from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.box.upgrade.health import BGPCTL
from image.artifacts import Base, base_of


@dataclass(frozen=True, slots=True)
class Validation:
    """How the lab has rpki-client(8) run on the box.

    `locator` is the file for the trust anchor locator, `web_authority` that with the certificates
    of who vouches for web servers. `run` fetches and validates, asking from {source}, and has
    bgpd read what came of it, by {bgp}.
    """

    locator: str
    web_authority: str
    run: str


@dataclass(frozen=True, slots=True)
class System:
    """A system, as far as the lab uses it.

    `card` is its name for QEMU's network cards, with {} for the number. `anchor`, `origins` and
    `torrc` are the files that the lab replaces, `owner` owns the first. `resolver`, `relays` and
    `clock` are commands to which `stop` or `start` is appended. `bgp` is bgpctl(8), or the box's
    script that waits for bgpd before. `steered` prints the routes and addresses that came of router
    advertisements and redirects, and default routes other than that of management. `emulated` is a
    command for emulated processors. `memory` is in MiB. `rules` are the rendered files that say
    what passes the ports and the BGP sessions; a system without pf has none. Without
    `validation`, the lab writes `origins` itself. `open_filter` has the packet filter let out by
    the device {port}, the outside one with this {number} from 1 on, whatever goes to port 53.
    `unconfined` starts the resolver outside of its jail; "" where there are no jails.
    `answers_signed` is whether its bgpd answers a neighbour that signs; one that does not has to
    call by itself. `date` is a command that sets the clock, with the time in UTC as strftime(3) has
    it. `counts` is whether `exitisp metrics` has the packet filter's rules, the interfaces and what
    relays tell of themselves: a program that the system may lack is asked for each.
    """

    base: str
    image: str
    card: str
    memory: int
    anchor: str
    owner: str
    origins: str
    torrc: str
    resolver: str
    relays: str
    bgp: str
    clock: str
    steered: str
    emulated: str
    rules: tuple[str, ...]
    validation: Validation | None
    open_filter: str
    unconfined: str
    answers_signed: bool = True
    date: str = "date -u %Y%m%d%H%M.%S"
    counts: bool = True


HARDENEDBSD = System(
    base="hardenedbsd",
    image="dist/exitisp.img",
    card="vtnet{}",
    memory=1536,
    anchor="/var/unbound/root.key",
    owner="unbound:unbound",
    origins="/var/db/rpki-client/openbgpd",
    torrc="/etc/local/tor/torrc@relay{number}",
    resolver="service local_unbound",
    relays="service exitisp_relays",
    bgp=f"{BGPCTL} -w 60",
    clock="service ntpd",
    steered="setfib 0 netstat -rn | awk '$1 == \"default\" || $3 ~ /D/'; ifconfig | grep autoconf",
    emulated="sysctl -i kern.elf64.aslr.enable=0 kern.elf64.aslr.pie_enable=0 "
    "kern.elf64.aslr.stack=0 kern.elf64.aslr.shared_page=0 "
    "net.route.algo.inet.algo=radix4_lockless",
    rules=("etc/pf.conf", "etc/local/bgpd.conf"),
    validation=None,
    open_filter="awk '{{ print }} /^# {port}: what leaves/ {{ print \"pass out quick on {port} "
    "proto {{ tcp udp }} from any to any port 53 no state\" }}' /etc/pf.conf | pfctl -q -f -",
    unconfined="$(ls /usr/local/sbin/unbound /usr/sbin/local-unbound 2>/dev/null | head -n 1)",
)
"""The packages that the lab was tried with have no rpki-client(8).

`emulated` is needed because an emulator translates a program anew for each address that it is
loaded at, and because dxr computes most of its tables anew for each change of a few routes."""

REHEARSAL = replace(
    HARDENEDBSD,
    bgp="bgpctl",
    base="rehearsal",
    image="dist/exitisp-rehearsal.img",
    card="eth{}",
    memory=1024,
    clock="service chronyd",
    steered="ip -4 route show default; ip -4 route show cache | grep redirect; "
    "ip -6 route show default; ip -6 route show proto ra; ip -6 route show proto redirect; "
    "ip -6 address show dynamic",
    emulated="sysctl -w kernel.randomize_va_space=0",
    rules=(),
    validation=Validation(
        locator="/etc/tals/simulated.tal",
        web_authority="/usr/lib/ssl/cert.pem",
        run="rpki-client -b {source} -o /var/db/rpki-client && {bgp} reload",
    ),
    open_filter="nft insert rule netdev exitisp out{number} meta l4proto '{{ tcp, udp }}' "
    "th dport 53 accept",
    unconfined="",
    answers_signed=False,
    date="date -u %m%d%H%M%Y.%S",
    counts=False,
)


def system_of(image: Path) -> System:
    """The system in `image`, which its file name tells (image.artifacts.check_name)."""
    return REHEARSAL if base_of(image) is Base.REHEARSAL else HARDENEDBSD
