"""How a generator machine and a box are connected, as a person writes it down for
`./exitisp bench --hardware FILE`."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from firstboot.core.document import Document, load
from firstboot.core.refusal import Refusal
from firstboot.core.values import Address, Interface
from qemu.bench.feed import FULL_TABLE, possible

LONGEST = 600
"""Seconds that one measurement may take."""


@dataclass(frozen=True, slots=True)
class Link:
    """A network card of this machine, its address there, and the box's on the same wire."""

    device: str
    address: Interface
    box: Address


@dataclass(frozen=True, slots=True)
class Feed:
    """A BGP session with the box, over the transit's wire, and how many IPv4 routes it hears."""

    asn: int
    box_asn: int
    routes: int = FULL_TABLE
    md5: str | None = None
    gtsm: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What is measured: packets from `lan` to `transit` if both are there, the `resolver` if it is
    named, and a table of routes if there is a feed. Packets go to this machine's own address at
    `transit`. Each measurement takes so many `seconds`."""

    lan: Link | None = None
    transit: Link | None = None
    resolver: Address | None = None
    ask: tuple[str, ...] = ("localhost.",)
    """Names that the box's resolver answers: itself (RFC 6761), or from its cache."""

    bgp: Feed | None = None
    seconds: int = 10

    @property
    def sends_packets(self) -> bool:
        return self.lan is not None and self.transit is not None

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(link for link in (self.lan, self.transit) if link is not None)


def read(path: Path) -> Setup:
    """Return the setup in the file at `path`. Raises Refusal, with the line."""
    found = load(path, Setup)
    setup = found.value
    if not setup.links:
        raise Refusal(found.where(), "it names no network card", "Give `lan`, `transit` or both")
    for name, link in (("lan", setup.lan), ("transit", setup.transit)):
        if link is not None:
            _check(found, name, link)
    if setup.resolver is not None and not isinstance(setup.resolver, IPv4Address):
        raise Refusal(found.where("resolver"), "it is not IPv4", "Give an IPv4 address")
    _check_parts(found, setup)
    return setup


def _check(found: Document[Setup], name: str, link: Link) -> None:
    if not isinstance(link.address, IPv4Interface) or not isinstance(link.box, IPv4Address):
        raise Refusal(found.where(name), "these are not IPv4 addresses", "Give IPv4 addresses")
    if link.box not in link.address.network or link.box == link.address.ip:
        raise Refusal(
            found.where(name, "box"),
            f"{link.box} is no other address in {link.address.network}",
            "Give the address that the box has on this wire",
        )


def _check_parts(found: Document[Setup], setup: Setup) -> None:
    if setup.lan and setup.transit and setup.lan.device == setup.transit.device:
        raise Refusal(
            found.where("transit", "device"),
            f"{setup.transit.device} is the device of lan too",
            "Give two devices; a card with one port can have two VLAN devices",
        )
    for name, part, needs, link in (
        ("resolver", setup.resolver, "lan", setup.lan),
        ("bgp", setup.bgp, "transit", setup.transit),
    ):
        if part is not None and link is None:
            raise Refusal(found.where(name), f"there is no {needs} to reach it by", f"Give {needs}")
    if not (setup.sends_packets or setup.resolver or setup.bgp):
        raise Refusal(
            found.where(),
            "there is nothing to measure",
            "Give `lan` and `transit` for packets, `resolver` for questions, or `bgp` for routes",
        )
    if not 1 <= setup.seconds <= LONGEST:
        raise Refusal(
            found.where("seconds"),
            f"{setup.seconds} is not between 1 and {LONGEST}",
            "Give seconds in between",
        )
    if setup.bgp is not None:
        possible(setup.bgp.routes)
