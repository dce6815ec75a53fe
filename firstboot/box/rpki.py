"""How old the validated origins are that bgpd has."""

import time
from dataclasses import dataclass

from firstboot.box.machine import Machine

CLIENT = "/usr/local/sbin/rpki-client"
VALIDATED = "var/db/rpki-client/openbgpd"

STALE = 24 * 3600
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Validated:
    """`age` is in seconds, None if nothing is validated. `well` is False if that is too long ago,
    or cannot be."""

    sentence: str
    age: float | None
    well: bool


def look(machine: Machine) -> Validated | None:
    """None where rpki-client(8) is not installed."""
    if not machine.has(CLIENT):
        return None
    try:
        found = (machine.root / VALIDATED).stat()
    except OSError as error:
        why = f"NOTHING is validated: /{VALIDATED} cannot be read: {error.strerror}"
        return Validated(why, None, well=False)
    if not found.st_size:
        why = "NOTHING is validated yet: the origin of every route is unknown"
        return Validated(why, None, well=False)
    age = time.time() - found.st_mtime
    if age < 0:
        return Validated("validated in the future: look at the clock", age, well=False)
    ago = f"{age / 60:.0f} minutes ago" if age < 2 * 3600 else f"{age / 3600:.0f} hours ago"
    old = age > STALE
    long = ": TOO LONG, see /var/log/messages" if old else ""
    return Validated(f"validated {ago}{long}", age, well=not old)


def told(machine: Machine) -> str:
    """One sentence; empty where rpki-client(8) is not installed."""
    found = look(machine)
    return found.sentence if found else ""
