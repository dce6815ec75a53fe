"""What ntpd(8) says of the clock: how far it is off, and which server it follows."""

import re
from dataclasses import dataclass
from enum import Enum

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


class Without(Enum):
    """Why it is not known that the clock follows a server."""

    SERVER = "NOT SET by any server: ntpd has not found enough that agree"
    ANSWER = f"UNKNOWN: ntpd does not answer, or not within {ANSWERS:.0f} s"


def look(machine: Machine) -> Following | Without:
    """What the clock follows."""
    ran = machine.run("ntpq", "-n", "-c", "sysinfo", "-c", "rv 0 offset", patience=ANSWERS)
    if ran.late or not STRATUM.search(ran.text):
        return Without.ANSWER
    return parse(ran.text) or Without.SERVER


def parse(text: str) -> Following | None:
    """What ntpq(8) printed; None if no server has set the clock."""
    peer, stratum, offset = PEER.search(text), STRATUM.search(text), OFFSET.search(text)
    if not (peer and stratum and offset) or not peer[1].strip("0.:"):
        return None
    try:
        return Following(peer[1], int(stratum[1]), float(offset[1]))
    except ValueError:
        return None


def sentence(found: Following | Without) -> str:
    """What `exitisp status` says of it."""
    if isinstance(found, Without):
        return found.value
    return f"{found.offset:+.1f} ms off, from {found.server}, stratum {found.stratum}"
