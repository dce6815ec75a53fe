"""What was begun for a while ends by itself.

The ends are in memory, as JSON, in seconds of the monotonic clock by a name: after a restart of the
box nothing of it has begun.
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.durable import keep, kept_json
from firstboot.core.limits import Json
from firstboot.core.refusal import Refusal


@dataclass(frozen=True)
class Ends:
    """The record at `path`; `remedy` is what to do if it is damaged."""

    path: Path
    limit: Json
    remedy: str

    def read(self) -> dict[str, float]:
        """None are there if the record is absent. Raises Refusal for a damaged one."""
        try:
            found = kept_json(self.path, self.limit, dict) or {}
        except Refusal as refusal:
            raise Refusal(self.path, refusal.problem, self.remedy) from refusal
        for end in found.values():
            if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
                raise Refusal(self.path, "it is no record of ends", self.remedy)
        return found

    def keep(self, ends: Mapping[str, float]) -> None:
        """Raises OSError."""
        if ends or self.path.exists():
            keep(self.path, (json.dumps(dict(ends)) + "\n").encode())

    def over(self) -> set[str]:
        """The names of those whose time is over. Raises Refusal."""
        now = time.monotonic()
        return {name for name, end in self.read().items() if end <= now}


def after(minutes: int) -> float:
    """The end of what begins now."""
    return time.monotonic() + 60 * minutes


def told(end: float) -> str:
    """When an end comes, in words for `exitisp status`."""
    return f"by itself in {max(0, int((end - time.monotonic()) // 60) + 1)} min"
