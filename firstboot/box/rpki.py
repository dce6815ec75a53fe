"""How old the validated origins are that bgpd has."""

import time

from firstboot.box.machine import Machine

CLIENT = "/usr/local/sbin/rpki-client"
VALIDATED = "var/db/rpki-client/openbgpd"

STALE = 24 * 3600
"""Seconds."""


def told(machine: Machine) -> str:
    """One sentence; empty where rpki-client(8) is not installed."""
    if not machine.has(CLIENT):
        return ""
    try:
        found = (machine.root / VALIDATED).stat()
    except OSError as error:
        return f"NOTHING is validated: /{VALIDATED} cannot be read: {error.strerror}"
    if not found.st_size:
        return "NOTHING is validated yet: the origin of every route is unknown"
    age = time.time() - found.st_mtime
    if age < 0:
        return "validated in the future: look at the clock"
    minutes = f"{age / 60:.0f} minutes ago" if age < 2 * 3600 else f"{age / 3600:.0f} hours ago"
    return f"validated {minutes}" + (": TOO LONG, see /var/log/messages" if age > STALE else "")
