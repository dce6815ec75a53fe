"""How many complaints there were of each kind, by month: all that is kept of them, at a desk and on
the box.

A JSON object: `{"2026-11": {"login": 3, "copyright": 1}}`.
"""

import json
import re
from collections.abc import Collection
from enum import Enum
from pathlib import Path

from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import COUNTS


class Category(Enum):
    """What complaints are about. The value is how it is counted, and the name of its answer."""

    LOGIN = "login"
    SCAN = "scan"
    SPAM = "spam"
    COPYRIGHT = "copyright"
    WEB = "web"
    FLOOD = "flood"
    MALWARE = "malware"
    FRAUD = "fraud"
    OTHER = "other"

    @property
    def told(self) -> str:
        return _TOLD[self]


_TOLD = {
    Category.LOGIN: "attempts to log in",
    Category.SCAN: "a scan of ports or networks",
    Category.SPAM: "spam",
    Category.COPYRIGHT: "copyright",
    Category.WEB: "an attack on a web site",
    Category.FLOOD: "a flood of packets or requests",
    Category.MALWARE: "malware",
    Category.FRAUD: "fraud",
    Category.OTHER: "something else",
}

MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

Counts = dict[str, dict[str, int]]


def read(path: Path, known: Collection[str]) -> Counts:
    """Of the kinds `known`; empty if there is no such file yet. Raises Refusal."""
    found = kept_json(path, COUNTS, dict) or {}
    for month, counts in found.items():
        right = MONTH.fullmatch(month) and isinstance(counts, dict) and {*counts} <= {*known}
        if not right or not all(type(one) is int and one >= 0 for one in counts.values()):
            raise damaged(path, f"what it says of {month!r} are no counts of complaints")
    return found


def add(path: Path, known: Collection[str], kind: str, month: str) -> int:
    """Count one more, and return how many of its kind there were in `month`. Raises Refusal and
    OSError."""
    counts = read(path, known)
    of_month = counts.setdefault(month, {})
    of_month[kind] = of_month.get(kind, 0) + 1
    keep(path, (json.dumps(counts, indent=1, sort_keys=True) + "\n").encode())
    return of_month[kind]
