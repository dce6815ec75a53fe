"""The network cards of the box: what is in it, and on which of them there is a link.

FreeBSD: the output of ifconfig(8) and the driver's description in ``dev.ix.0.%desc`` (sysctl(8)).
Linux: /sys/class/net (Documentation/ABI/testing/sysfs-class-net of the kernel), for rehearsals.
"""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys/class/net")
PSEUDO = re.compile(
    r"(?:lo|enc|pflog|pfsync|gif|gre|ipfw|vlan|tun|tap|wg|bridge|epair|lagg|ipsec|stf|faith|ovpn)"
    r"[0-9]+|.*\..*"
)
"""Interfaces that are no cards; those with a dot are VLANs."""

ETHERNET = "1"
"""ARPHRD_ETHER in Linux's if_arp.h."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A card. `mac` is its own address; `link` is None where it is not known; `speed` is what the
    driver calls it, ``10Gbase-SR``, and empty without a link."""

    device: str
    driver: str
    mac: str
    link: bool | None
    speed: str


def find() -> tuple[Nic, ...]:
    """The cards of this machine, in the order in which the kernel found them."""
    if sys.platform == "linux":
        return read_linux(SYS)
    return parse_ifconfig(_said("ifconfig", "-a"), parse_descriptions(_said("sysctl", "dev")))


@contextlib.contextmanager
def raised() -> Iterator[None]:
    """Have all cards up, for a card that is down sees no cable.

    Only on a box without any address but the loopback's, where nothing that is up could send: the
    cards get no addresses, and IPv6 is disabled on them. Those that were down are down again
    afterwards.
    """
    if sys.platform == "linux":
        yield
        return
    down = liftable(_said("ifconfig", "-a"))
    for device in down:
        _said("ifconfig", device, "inet6", "ifdisabled", "up")
    try:
        yield
    finally:
        for device in down:
            _said("ifconfig", device, "down")


def table(nics: Iterable[Nic]) -> str:
    """A line for each card."""
    lines = [f"{'':2}{'device':9}{'driver':32}{'Ethernet address':19}link"]
    for nic in nics:
        link = {True: nic.speed or "yes", False: "no", None: "not known"}[nic.link]
        lines.append(f"{'':2}{nic.device:9}{nic.driver[:31]:32}{nic.mac:19}{link[:16]}")
    return "\n".join(lines)


def changed(before: Iterable[Nic], after: Iterable[Nic]) -> tuple[str, ...]:
    """The devices whose link went or came."""
    links = {nic.device: nic.link for nic in before}
    return tuple(
        nic.device for nic in after if nic.device in links and nic.link != links[nic.device]
    )


def parse_ifconfig(text: str, descriptions: Mapping[str, str]) -> tuple[Nic, ...]:
    """The cards in the output of ``ifconfig -a``."""
    found = []
    for device, lines in _blocks(text):
        facts = {name: rest for name, _, rest in (line.partition(" ") for line in lines)}
        if "ether" not in facts or PSEUDO.fullmatch(device):
            continue
        status = facts.get("status:", "")
        link = {"active": True, "no carrier": False}.get(status)
        driver = device.rstrip("0123456789")
        found.append(
            Nic(
                device,
                descriptions.get(device, driver),
                facts.get("hwaddr", facts["ether"]),
                link,
                _speed(facts.get("media:", "")) if link else "",
            )
        )
    return tuple(found)


def parse_descriptions(text: str) -> dict[str, str]:
    """What drivers call their devices, from the output of ``sysctl dev``: ix0 is
    ``dev.ix.0.%desc: Intel(R) X520``, without what registered trade marks add."""
    found = re.finditer(r"(?m)^dev\.([a-z_0-9]+?)\.([0-9]+)\.%desc: (.+)$", text)
    return {
        f"{driver}{unit}": re.sub(r"\((?:R|TM|C)\)", "", says).strip()
        for driver, unit, says in (match.groups() for match in found)
    }


def liftable(text: str) -> tuple[str, ...]:
    """The cards that are down, if no interface but a loopback has an address."""
    down = []
    for device, lines in _blocks(text):
        loopback = re.fullmatch("lo[0-9]+", device)
        if not loopback and (_has(lines, "inet ") or _has(lines, "inet6 ")):
            return ()
        up = re.search(r"[<,]UP[,>]", lines[0])
        if not up and not PSEUDO.fullmatch(device) and _has(lines, "ether "):
            down.append(device)
    return tuple(down)


def read_linux(folder: Path) -> tuple[Nic, ...]:
    """The cards below `folder`, which is as /sys/class/net is."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _read(path / "type") != ETHERNET or not (path / "device").exists():
            continue
        driver = path / "device" / "driver"
        carrier = _read(path / "carrier")
        link = {"1": True, "0": False}.get(carrier)
        speed = _read(path / "speed")
        found.append(
            Nic(
                path.name,
                driver.resolve().name if driver.exists() else "unknown",
                _read(path / "address"),
                link,
                f"{speed} Mbit/s" if link and speed.isdecimal() else "",
            )
        )
    return tuple(found)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each interface of ifconfig's output, and its lines without what they are indented by."""
    for block in re.split(r"(?m)^(?=\S)", text):
        device, colon, _ = block.partition(":")
        if colon:
            yield device, [line.strip() for line in block.splitlines()]


def _has(lines: Iterable[str], beginning: str) -> bool:
    return any(line.startswith(beginning) for line in lines)


def _speed(media: str) -> str:
    """``10Gbase-SR`` of ``Ethernet autoselect (10Gbase-SR <full-duplex,rxpause>)``."""
    found = re.search(r"\(([^ )]+)", media) or re.search(r"Ethernet ([^ ]+)", media)
    return found[1] if found else ""


def _read(path: Path) -> str:
    """The text of a file in /sys; empty where the kernel says EINVAL, as for a card that is
    down."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _said(*command: str) -> str:
    """What a program of the base prints; empty where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
