"""Complaints and requests that the operator counts on the box, by month and category: nothing else
is kept of them.

/data/complaints.json is a JSON object, as at the desk: `{"2026-11": {"login": 3, "asked": 1}}`.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import COUNTS
from firstboot.core.refusal import Refusal

PLACE = "data/complaints.json"

MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

COMPLAINTS = {
    "login": "attempts to log in",
    "scan": "a scan of ports or networks",
    "spam": "spam",
    "copyright": "copyright",
    "web": "an attack on a web site",
    "flood": "a flood of packets or requests",
    "malware": "malware",
    "fraud": "fraud",
    "other": "something else",
}
"""The categories of the desk, with what they are about."""

REQUESTS = {
    "asked": "questions of authorities",
    "answered": "questions by which data of users was handed over",
    "seized": "seizures of hardware",
}
"""What authorities do: they ask, are given something, or take hardware."""

TOLD = COMPLAINTS | REQUESTS

Counts = dict[str, dict[str, int]]


def counted(machine: Machine) -> Counts:
    """Empty if nothing was counted. Raises Refusal."""
    path = _place(machine)
    found = kept_json(path, COUNTS, dict) or {}
    for month, counts in found.items():
        if not (MONTH.fullmatch(month) and _is_counts(counts)):
            raise damaged(path, f"what it says of {month!r} are no counts of complaints")
    return found


def count(category: str, machine: Machine, say: Say) -> None:
    """Count one more in this month. Raises Refusal."""
    if category not in TOLD:
        known = ", ".join(TOLD)
        raise Refusal(
            "exitisp abuse count", f"there is no category '{category}'", f"Name one of: {known}"
        )
    month = time.strftime("%Y-%m", time.gmtime())
    counts = counted(machine)
    of_month = counts.setdefault(month, {})
    of_month[category] = of_month.get(category, 0) + 1
    keep(_place(machine), (json.dumps(counts, indent=1, sort_keys=True) + "\n").encode())
    say(f"{TOLD[category]}: {of_month[category]} in {month}")


def _is_counts(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and {*found} <= {*TOLD}
        and all(type(one) is int and one >= 0 for one in found.values())
    )


def _place(machine: Machine) -> Path:
    if not machine.mounted("data"):
        raise Refusal(
            "/data", "this file system is not mounted, and the counts are on it", "Restart the box"
        )
    return machine.root / PLACE
