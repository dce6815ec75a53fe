"""The file of counts at a desk, where there is no backup of a box to restore it from."""

from pathlib import Path

from firstboot.core.refusal import Refusal
from firstboot.site import complaint_counts
from firstboot.site.complaint_counts import Category

CORRECT = "Correct it, or name another file"

KNOWN = frozenset(category.value for category in Category)


def add(path: Path, category: Category, month: str) -> int:
    """Count a complaint, and return how many there were in `month`. Raises Refusal."""
    try:
        return complaint_counts.add(path, KNOWN, category.value, month)
    except Refusal as refusal:
        raise Refusal(path, refusal.problem, CORRECT) from refusal
    except OSError as error:
        problem = f"it cannot be written: {error.strerror or error}"
        raise Refusal(path, problem, "Name a file in a folder of yours") from error
