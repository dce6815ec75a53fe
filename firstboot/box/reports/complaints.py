"""Complaints and requests that the operator counts on the box, by month and category: nothing else
is kept of them.

/data/complaints.json is a JSON object, as at the desk: `{"2026-11": {"login": 3, "asked": 1}}`.
"""

import time
from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.refusal import Refusal
from firstboot.site.complaint_counts import Category, Counts, add, read

PLACE = "data/complaints.json"

REQUESTS = {
    "asked": "questions of authorities",
    "answered": "questions by which data of users was handed over",
    "seized": "seizures of hardware",
}
"""What authorities do: they ask, are given something, or take hardware."""

TOLD = {one.value: one.told for one in Category} | REQUESTS


def counted(machine: Machine) -> Counts:
    """Empty if nothing was counted. Raises Refusal."""
    return read(_place(machine), TOLD)


def count(category: str, machine: Machine, say: Say) -> None:
    """Count one more in this month. Raises Refusal."""
    if category not in TOLD:
        known = ", ".join(TOLD)
        raise Refusal(
            "exitisp abuse count", f"there is no category '{category}'", f"Name one of: {known}"
        )
    month = time.strftime("%Y-%m", time.gmtime())
    number = add(_place(machine), TOLD, category, month)
    say(f"{TOLD[category]}: {number} in {month}")


def _place(machine: Machine) -> Path:
    if not machine.mounted("data"):
        raise Refusal(
            "/data", "this file system is not mounted, and the counts are on it", "Restart the box"
        )
    return machine.root / PLACE
