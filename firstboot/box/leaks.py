"""How many packets without an own source the filter stopped on their way out: since the boot, and
in the last hour.

The filter counts from its start on. Once a minute a sample is kept in memory, as JSON:
`[[61.0, 0], [121.0, 3]]`, seconds of the monotonic clock and packets.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import LEAKS
from firstboot.core.refusal import Refusal

PLACE = "leaks.json"

HOUR = 3600.0
MOST = 70
"""Samples that are kept: one a minute, for an hour."""

Sample = tuple[float, int]


@dataclass(frozen=True, slots=True)
class Leaks:
    """Packets that were stopped. `last_hour` is of less time, if the box is not up for so long."""

    since_boot: int
    last_hour: int

    def __str__(self) -> str:
        if not self.since_boot:
            return "leaks: none since the boot"
        return (
            f"LEAKS: {self.since_boot} packets with a foreign source were stopped since the boot, "
            f"{self.last_hour} of them within an hour"
        )


def note(machine: Machine) -> None:
    """Keep a sample; a damaged record begins anew. Raises OSError."""
    path, now = machine.state / PLACE, time.monotonic()
    count = machine.system.leaks(machine)
    if count is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        before = read(path)
    except Refusal:
        path.unlink(missing_ok=True)
        before = ()
    samples = (*_of_the_hour(before, count, now), (now, count))[-MOST:]
    keep(path, (json.dumps(samples) + "\n").encode(), 0o644)


def look(machine: Machine) -> Leaks | None:
    """None if the filter does not tell. Raises Refusal if the record is damaged."""
    count = machine.system.leaks(machine)
    if count is None:
        return None
    before = _of_the_hour(read(machine.state / PLACE), count, time.monotonic())
    # Before the first sample, all of it is news.
    oldest = before[0][1] if before else 0
    return Leaks(count, count - oldest)


def _of_the_hour(samples: tuple[Sample, ...], count: int, now: float) -> tuple[Sample, ...]:
    """Those of the last hour, since the filter counts: it began anew if it counted more before."""
    return tuple(one for one in samples if now - one[0] <= HOUR and one[1] <= count)


def read(path: Path) -> tuple[Sample, ...]:
    """The samples, the oldest first. Raises Refusal."""
    found = kept_json(path, LEAKS, list)
    try:
        return tuple(map(_sample, found or ()))
    except (ValueError, TypeError) as error:
        raise damaged(path, f"it is no record of leaks: {error}") from error


def _sample(found: object) -> Sample:
    match found:
        case [int() | float() as when, int(count)] if count >= 0 and math.isfinite(when):
            return float(when), count
    raise ValueError("it has something that is no sample")
