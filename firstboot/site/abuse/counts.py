"""How many complaints there were of each category, by month: all that is kept of them.

A JSON object: `{"2026-11": {"login": 3, "copyright": 1}}`.
"""

import json
import re
from pathlib import Path

from firstboot.core.durable import keep, kept_json
from firstboot.core.limits import COUNTS
from firstboot.core.refusal import Refusal
from firstboot.site.abuse.complaint import Category

MONTH = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")

CORRECT = "Correct it, or name another file"

Counts = dict[str, dict[str, int]]


def read(path: Path) -> Counts:
    """Empty if there is no such file yet. Raises Refusal."""
    try:
        found = kept_json(path, COUNTS, dict) or {}
    except Refusal as refusal:
        # At a desk there is no backup of a box to restore it from.
        raise Refusal(path, refusal.problem, CORRECT) from refusal
    known = {category.value for category in Category}
    for month, counts in found.items():
        right = MONTH.fullmatch(month) and isinstance(counts, dict) and {*counts} <= known
        if not right or not all(type(one) is int and one >= 0 for one in counts.values()):
            problem = f"what it says of {month!r} are no counts of complaints"
            raise Refusal(path, problem, CORRECT)
    return found


def add(path: Path, category: Category, month: str) -> int:
    """Count a complaint, and return how many there were in `month`. Raises Refusal."""
    counts = read(path)
    of_month = counts.setdefault(month, {})
    of_month[category.value] = of_month.get(category.value, 0) + 1
    try:
        keep(path, (json.dumps(counts, indent=1, sort_keys=True) + "\n").encode())
    except OSError as error:
        problem = f"it cannot be written: {error.strerror or error}"
        raise Refusal(path, problem, "Name a file in a folder of yours") from error
    return of_month[category.value]
