"""What ntpd(8) says of the clock: how far it is off, and which server it follows."""

import re
from dataclasses import dataclass

from firstboot.box.machine import Machine

NTPQ = "/usr/bin/ntpq"
ANSWERS = 10.0
"""Seconds."""

PEER = re.compile(r"^system peer: +\[?([0-9a-fA-F.:]+?)\]?(?::[0-9]+)?$", re.MULTILINE)
STRATUM = re.compile(r"^stratum: +([0-9]+)$", re.MULTILINE)
OFFSET = re.compile(r"\boffset=([-+0-9.]+)")
"""As ntpq(8) prints `sysinfo` and the variable `offset`, which is in milliseconds."""


@dataclass(frozen=True, slots=True)
class Following:
    """The server that the clock follows, by its address, and milliseconds that it is off."""

    server: str
    stratum: int
    offset: float


def look(machine: Machine) -> Following | None:
    """What the clock follows; None if no server has set it."""
    text = machine.run("ntpq", "-n", "-c", "sysinfo", "-c", "rv 0 offset", patience=ANSWERS).text
    return parse(text)


def parse(text: str) -> Following | None:
    """What ntpq(8) printed."""
    peer, stratum, offset = PEER.search(text), STRATUM.search(text), OFFSET.search(text)
    if not (peer and stratum and offset) or not peer[1].strip("0.:"):
        return None
    try:
        return Following(peer[1], int(stratum[1]), float(offset[1]))
    except ValueError:
        return None


def sentence(found: Following | None) -> str:
    """What `exitisp status` says of it."""
    if found is None:
        return "NOT SET by any server: ntpd has not found enough that agree"
    return f"{found.offset:+.1f} ms off, from {found.server}, stratum {found.stratum}"


def told(machine: Machine) -> str:
    """One sentence; empty on a system without ntpq(8)."""
    return sentence(look(machine)) if machine.has(NTPQ) else ""
