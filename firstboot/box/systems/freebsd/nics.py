"""Network cards, as ifconfig(8) and sysctl(8) list them.

A driver's description is in ``dev.ix.0.%desc``.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping

from firstboot.box.host import Host
from firstboot.wizard.nics import Nic

PSEUDO = re.compile(
    r"(?:lo|enc|pflog|pfsync|gif|gre|ipfw|vlan|tun|tap|wg|bridge|epair|lagg|ipsec|stf|faith|ovpn)"
    r"[0-9]+|.*\..*"
)
"""Interfaces that are not cards. Those with a dot are VLANs."""

PATIENCE = 30.0
"""Seconds for ifconfig(8) and sysctl(8)."""


def find(host: Host) -> tuple[Nic, ...]:
    """The cards of this box, in the order in which the kernel found them."""
    descriptions = parse_descriptions(_output(host, "sysctl", "dev"))
    return parse_ifconfig(_output(host, "ifconfig", "-a"), descriptions)


@contextlib.contextmanager
def raised(host: Host) -> Iterator[None]:
    """Set all cards up meanwhile, without addresses and with IPv6 disabled.

    Does nothing unless the loopback's are the only addresses of the box: then a card that is up has
    nothing to send. Cards that were down are set down again.
    """
    down = liftable(_output(host, "ifconfig", "-a"))
    for device in down:
        host.run("ifconfig", device, "inet6", "ifdisabled", "up", patience=PATIENCE)
    try:
        yield
    finally:
        for device in down:
            host.run("ifconfig", device, "down", patience=PATIENCE)


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
    """Drivers' descriptions by device, in the output of ``sysctl dev``, without (R), (TM) and (C).

    The one of ix0 is in a line such as ``dev.ix.0.%desc: Intel(R) X520``.
    """
    found = re.finditer(r"(?m)^dev\.([a-z_0-9]+?)\.([0-9]+)\.%desc: (.+)$", text)
    return {
        f"{driver}{unit}": re.sub(r"\((?:R|TM|C)\)", "", says).strip()
        for driver, unit, says in (match.groups() for match in found)
    }


def liftable(text: str) -> tuple[str, ...]:
    """The cards that are down, or none if anything but a loopback has an address."""
    down = []
    for device, lines in _blocks(text):
        loopback = re.fullmatch("lo[0-9]+", device)
        if not loopback and (_has(lines, "inet ") or _has(lines, "inet6 ")):
            return ()
        up = re.search(r"[<,]UP[,>]", lines[0])
        if not up and not PSEUDO.fullmatch(device) and _has(lines, "ether "):
            down.append(device)
    return tuple(down)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each interface in ifconfig's output, with its lines stripped of indentation."""
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


def _output(host: Host, *command: str) -> str:
    """What a program prints, or nothing if it cannot be run or hangs."""
    ran = host.run(*command, patience=PATIENCE)
    return "" if ran.status in (124, 127) else ran.text
