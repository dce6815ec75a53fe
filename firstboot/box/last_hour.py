"""Counters that count from somebody's start on: how much of it came within the last hour.

Once a minute a sample is kept in memory, as JSON: `[[61.0, 1200, 3]]`, seconds of the monotonic
clock and the counters, each of which counts a part of what the one before it counts.
"""

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import SAMPLES
from firstboot.core.refusal import Refusal

HOUR = 3600.0
MOST = 70
"""Samples that are kept: one a minute, for an hour."""

Counters = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    when: float
    counters: Counters


def note(path: Path, counters: Counters) -> None:
    """Keep a sample in the record at `path`; a damaged one begins anew. Raises OSError."""
    now = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        before = read(path, len(counters))
    except Refusal:
        path.unlink(missing_ok=True)
        before = ()
    samples = [*_of_the_hour(before, counters, now), Sample(now, counters)][-MOST:]
    told = [(one.when, *one.counters) for one in samples]
    keep(path, (json.dumps(told) + "\n").encode(), 0o644)


def since(path: Path, counters: Counters) -> Counters:
    """What was counted within an hour, or since there are samples; all of it if there are none.
    Raises Refusal if the record is damaged."""
    before = _of_the_hour(read(path, len(counters)), counters, time.monotonic())
    oldest = before[0].counters if before else (0,) * len(counters)
    return tuple(now - then for now, then in zip(counters, oldest, strict=True))


def read(path: Path, width: int) -> tuple[Sample, ...]:
    """The samples of `width` counters, the oldest first. Raises Refusal."""
    found = kept_json(path, SAMPLES, list)
    try:
        return tuple(_sample(one, width) for one in found or ())
    except ValueError as error:
        raise damaged(path, f"it is no record of counters: {error}") from error


def _of_the_hour(samples: tuple[Sample, ...], counters: Counters, now: float) -> tuple[Sample, ...]:
    """Those of the last hour, since somebody counts: who counted more before began anew."""
    return tuple(
        one
        for one in samples
        if now - one.when <= HOUR
        and all(then <= at for then, at in zip(one.counters, counters, strict=True))
    )


def _sample(found: object, width: int) -> Sample:
    match found:
        case [int() | float() as when, *counters] if math.isfinite(when):
            whole = tuple(one for one in counters if isinstance(one, int) and one >= 0)
            parts = whole == tuple(sorted(whole, reverse=True))
            if len(whole) == len(counters) == width and parts:
                return Sample(float(when), whole)
    raise ValueError("it has something that is no sample")
