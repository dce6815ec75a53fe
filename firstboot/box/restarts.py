"""How often each daemon was restarted since the box started, and when it may be again.

The record is in memory, as JSON: `{"relay2": {"count": 2, "times": [61, 372], "silent": null}}`.
Its times are seconds of the monotonic clock, which begins anew with the box as the record does: a
wrong time of day changes nothing.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import RESTARTS

PLACE = "restarts.json"

PORTS = "exitisp_ports"
"""The name under which the record has how often the ports were raised."""

DAY = 24 * 3600.0
FIRST_PAUSE = 300.0
"""Seconds between the first restart and the second, which is longer than any daemon takes to answer
after its start. Each further pause is twice as long."""

LATELY = 3600.0
"""Seconds for which a restart is told of as news."""

LIMIT = 6
"""Restarts within a day. After that many, somebody has to look."""

PATIENCE = 120.0
"""Seconds that a daemon may be silent before it counts as one that hangs."""


@dataclass(frozen=True, slots=True)
class History:
    """`count` restarts, the last ones of them at `times`. `silent` is since when the daemon runs
    and does not answer."""

    count: int = 0
    times: tuple[float, ...] = ()
    silent: float | None = None

    def restarted(self, now: float) -> "History":
        return History(self.count + 1, (*self.times, now)[-LIMIT:])

    def heard(self) -> "History":
        return replace(self, silent=None)

    def not_heard(self, now: float) -> "History":
        return replace(self, silent=now if self.silent is None else self.silent)

    def hangs(self, now: float) -> bool:
        return self.silent is not None and now - self.silent >= PATIENCE


Record = Mapping[str, History]
"""By the name of the daemon; who was never restarted may be missing."""


def spent(times: Iterable[float], now: float) -> bool:
    """Whether a daemon that was restarted at `times` is not restarted any more today."""
    return len(_of_today(times, now)) >= LIMIT


def wait(times: Iterable[float], now: float) -> float:
    """Seconds until the next restart may be, after those at `times`; infinite if somebody has to
    look first."""
    recent = _of_today(times, now)
    if not recent:
        return 0.0
    if spent(recent, now):
        return math.inf
    return max(0.0, recent[-1] + FIRST_PAUSE * float(2 ** (len(recent) - 1)) - now)


def _of_today(times: Iterable[float], now: float) -> list[float]:
    return sorted(one for one in times if now - one < DAY)


def told(record: Record, labels: Mapping[str, str], now: float) -> Iterator[tuple[str, str]]:
    """The name of each daemon that was restarted, and a sentence. `labels` are their names for
    people."""
    for name, history in record.items():
        if history.times:
            times = "once" if history.count == 1 else f"{history.count} times, the last time"
            more = "; NO MORE TODAY: somebody has to look" if spent(history.times, now) else ""
            ago = (now - history.times[-1]) / 60
            yield name, f"restarted: {labels.get(name, name)}, {times} {ago:.0f} minutes ago{more}"


def read(path: Path) -> dict[str, History]:
    """The record; empty if there is none yet. Raises Refusal, also for an empty file."""
    found = kept_json(path, RESTARTS, dict)
    try:
        return {name: _history(name, value) for name, value in (found or {}).items()}
    except ValueError as error:
        raise damaged(path, str(error)) from error


def write(path: Path, record: Record) -> None:
    """Raises OSError."""
    told = {
        name: {"count": one.count, "times": one.times, "silent": one.silent}
        for name, one in record.items()
        if one != History()
    }
    keep(path, (json.dumps(told) + "\n").encode(), 0o644)


def _history(name: str, value: Any) -> History:
    """Raises ValueError."""
    match value:
        case {"count": int(count), "times": list(times), "silent": silent, **rest}:
            numbers = [*times, *([] if silent is None else [silent])]
            if not rest and len(times) <= min(count, LIMIT) and all(map(_is_time, numbers)):
                return History(count, tuple(times), silent)
    raise ValueError(f"what it says of {name!r} is no history")


def _is_time(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= 0
