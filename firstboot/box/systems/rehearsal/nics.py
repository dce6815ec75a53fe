"""Network cards in /sys/class/net (Documentation/ABI/testing/sysfs-class-net of Linux)."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from firstboot.box.host import Host
from firstboot.wizard.nics import Nic

ETHERNET = "1"
"""ARPHRD_ETHER in Linux's if_arp.h."""


def find(host: Host) -> tuple[Nic, ...]:
    """The cards of this machine, in the order of their names."""
    return read(host.root / "sys/class/net")


def read(folder: Path) -> tuple[Nic, ...]:
    """The cards in `folder`, which has the form of /sys/class/net."""
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _text(path / "type") != ETHERNET or not (path / "device").exists():
            continue
        driver = path / "device" / "driver"
        link = {"1": True, "0": False}.get(_text(path / "carrier"))
        speed = _text(path / "speed")
        found.append(
            Nic(
                path.name,
                driver.resolve().name if driver.exists() else "unknown",
                _text(path / "address"),
                link,
                f"{speed} Mbit/s" if link and speed.isdecimal() else "",
            )
        )
    return tuple(found)


@contextlib.contextmanager
def raised(host: Host) -> Iterator[None]:
    """Set the cards without addresses up meanwhile. They send nothing: the rehearsal's kernel has
    IPv6 on configured ports alone."""
    up = []
    for nic in find(host):
        if host.run("ip", "-o", "address", "show", "dev", nic.device).text.strip():
            continue
        host.run("ip", "link", "set", nic.device, "up")
        up.append(nic.device)
    try:
        yield
    finally:
        for device in up:
            host.run("ip", "link", "set", device, "down")


def _text(path: Path) -> str:
    """The text of a file in /sys. It is empty where the kernel says EINVAL, as it does for a card
    that is down."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
