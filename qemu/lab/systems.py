"""What differs between the systems that an image can have, as far as a lab has to know."""

from dataclasses import dataclass, replace
from pathlib import Path

from image.artifacts import Base, base_of

PORTS = 4
"""Of the rehearsed site."""


@dataclass(frozen=True, slots=True)
class System:
    """`devices` is how it names QEMU's network cards. `anchor`, `origins` and `torrc` are where
    daemons read what the world replaces, `owner` who has the first. `resolver`, `relays`, `clock`
    and `bgp` are the commands that `stop`, `start` or `reload` them. `steered` is one that prints
    routes and addresses that come of router advertisements and redirects, and default routes that
    are not management's. `emulated` is what to run where the processor is emulated. `memory` is in
    MiB."""

    base: str
    image: str
    devices: tuple[str, ...]
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


HARDENEDBSD = System(
    base="hardenedbsd",
    image="dist/exitisp.img",
    devices=tuple(f"vtnet{n}" for n in range(PORTS)),
    memory=1536,
    anchor="/var/unbound/root.key",
    owner="unbound:unbound",
    origins="/var/db/rpki-client/openbgpd",
    torrc="/etc/local/tor/torrc@relay{number}",
    resolver="service local_unbound",
    relays="service exitisp_relays",
    bgp="bgpctl",
    clock="service ntpd",
    steered="setfib 0 netstat -rn | awk '$1 == \"default\" || $3 ~ /D/'; ifconfig | grep autoconf",
    emulated="sysctl -i kern.elf64.aslr.enable=0 kern.elf64.aslr.pie_enable=0 "
    "kern.elf64.aslr.stack=0 kern.elf64.aslr.shared_page=0 "
    "net.route.algo.inet.algo=radix4_lockless",
)
"""In emulation programs are translated anew for each address that they lie at, and dxr takes
seconds for each change of a small table of routes, of which it computes most anew."""

REHEARSAL = replace(
    HARDENEDBSD,
    base="rehearsal",
    image="dist/exitisp-rehearsal.img",
    devices=tuple(f"eth{n}" for n in range(PORTS)),
    memory=1024,
    clock="service chronyd",
    steered="ip -4 route show default; ip -4 route show cache | grep redirect; "
    "ip -6 route show default; ip -6 route show proto ra; ip -6 route show proto redirect; "
    "ip -6 address show dynamic",
    emulated="sysctl -w kernel.randomize_va_space=0",
)


def system_of(image: Path) -> System:
    """The system in `image`, which its file name tells (image.artifacts.check_name)."""
    return REHEARSAL if base_of(image) is Base.REHEARSAL else HARDENEDBSD
