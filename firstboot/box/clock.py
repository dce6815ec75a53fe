"""What ntpd(8) says of the clock: how far it is off, and which server it follows."""

import re

from firstboot.box.machine import Machine

NTPQ = "/usr/bin/ntpq"
ANSWERS = 10.0
"""Seconds."""

PEER = re.compile(r"^system peer: +\[?([0-9a-fA-F.:]+?)\]?(?::[0-9]+)?$", re.MULTILINE)
STRATUM = re.compile(r"^stratum: +([0-9]+)$", re.MULTILINE)
OFFSET = re.compile(r"\boffset=([-+0-9.]+)")
"""As ntpq(8) prints `sysinfo` and the variable `offset`, which is in milliseconds."""


def told(machine: Machine) -> str:
    """One sentence; empty on a system without ntpq(8)."""
    if not machine.has(NTPQ):
        return ""
    text = machine.run("ntpq", "-n", "-c", "sysinfo", "-c", "rv 0 offset", patience=ANSWERS).text
    peer, stratum, offset = PEER.search(text), STRATUM.search(text), OFFSET.search(text)
    if not (peer and stratum and offset) or not peer[1].strip("0.:"):
        return "NOT SET by any server: ntpd has not found enough that agree"
    return f"{float(offset[1]):+.1f} ms off, from {peer[1]}, stratum {stratum[1]}"
