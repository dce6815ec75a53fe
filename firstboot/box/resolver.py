"""How many of its questions the resolver answers: since it started, and in the last hour.

Unbound counts from its start on (unbound-control(8), stats_noreset). Once a minute a sample is kept
in memory, as JSON: `[[61.0, 1200, 3]]`, seconds of the monotonic clock, questions, and those of
them that failed: with SERVFAIL, or because too many waited.
"""

import json
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import QUESTIONS
from firstboot.core.refusal import Refusal

PLACE = "resolver.json"

HOUR = 3600.0
MOST = 70
"""Samples that are kept: one a minute, for an hour."""

PATIENCE = 10.0
"""Seconds for the resolver to tell."""

ENOUGH, FEW = 100, 0.9
"""Questions of an hour by which it can be judged, and the part of them that has to be answered.
Names of the Internet that nobody answers for are some hundredths of what exits ask."""

CODE = re.compile(r"(?m)^num\.answer\.rcode\.([A-Z]{2,16})=([0-9]{1,18})$")
DROPPED = re.compile(r"(?m)^total\.requestlist\.exceeded=([0-9]{1,18})$")

Count = tuple[int, int]
"""Questions, and those of them that failed."""

Sample = tuple[float, int, int]


@dataclass(frozen=True, slots=True)
class Questions:
    """`asked_last_hour` and `failed_last_hour` are of less time if the resolver runs for less."""

    asked: int
    failed: int
    asked_last_hour: int
    failed_last_hour: int

    @property
    def well(self) -> bool:
        asked, failed = self.asked_last_hour, self.failed_last_hour
        return asked < ENOUGH or (asked - failed) / asked >= FEW

    def __str__(self) -> str:
        asked, failed = self.asked_last_hour, self.failed_last_hour
        if not asked:
            return "resolver: nobody asked within an hour"
        # Rounded down: 100 % is all of them.
        part = math.floor(1000 * (asked - failed) / asked) / 10
        word = "resolver" if self.well else "RESOLVER"
        return f"{word}: {part:g} % of {asked} questions within an hour were answered"


def note(machine: Machine) -> None:
    """Keep a sample; a damaged record begins anew. Raises OSError."""
    path, now = machine.state / PLACE, time.monotonic()
    count = _count(machine)
    if count is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        before = read(path)
    except Refusal:
        path.unlink(missing_ok=True)
        before = ()
    samples = (*_of_the_hour(before, count, now), (now, *count))[-MOST:]
    keep(path, (json.dumps(samples) + "\n").encode(), 0o644)


def look(machine: Machine) -> Questions | None:
    """None if the resolver does not tell. Raises Refusal if the record is damaged."""
    count = _count(machine)
    if count is None:
        return None
    before = _of_the_hour(read(machine.state / PLACE), count, time.monotonic())
    asked, failed = before[0][1:] if before else (0, 0)
    return Questions(*count, count[0] - asked, count[1] - failed)


def parse(text: str) -> Count | None:
    """What ``unbound-control stats_noreset`` prints with extended statistics; None if it is
    something else."""
    codes = {name: int(count) for name, count in CODE.findall(text)}
    dropped = DROPPED.search(text)
    if not codes and dropped is None:
        return None
    lost = int(dropped[1]) if dropped else 0
    failed = codes.get("SERVFAIL", 0) + lost
    return sum(codes.values()) + lost, failed


def read(path: Path) -> tuple[Sample, ...]:
    """The samples, the oldest first. Raises Refusal."""
    found = kept_json(path, QUESTIONS, list)
    try:
        return tuple(map(_sample, found or ()))
    except (ValueError, TypeError) as error:
        raise damaged(path, f"it is no record of questions: {error}") from error


def _count(machine: Machine) -> Count | None:
    (resolver,) = (one for one in machine.system.services if one.name == "local_unbound")
    if not resolver.ready:
        return None
    asked = (*resolver.ready[:-1], "stats_noreset")
    ran = machine.run(*asked, patience=PATIENCE)
    return parse(ran.text) if ran.status == 0 else None


def _of_the_hour(samples: tuple[Sample, ...], count: Count, now: float) -> tuple[Sample, ...]:
    """Those of the last hour, since the resolver counts: it began anew if it counted more."""
    return tuple(
        one for one in samples if now - one[0] <= HOUR and one[1] <= count[0] and one[2] <= count[1]
    )


def _sample(found: object) -> Sample:
    match found:
        case [int() | float() as when, int(asked), int(failed)]:
            if math.isfinite(when) and 0 <= failed <= asked:
                return float(when), asked, failed
    raise ValueError("it has something that is no sample")
