"""How many of its questions the resolver answers: since it started, and in the last hour.

Unbound counts from its start on (unbound-control(8), stats_noreset). A question failed if its
answer was SERVFAIL, or if too many waited.
"""

import math
import re
from dataclasses import dataclass

from firstboot.box import last_hour
from firstboot.box.machine import Machine

PLACE = "resolver.json"

PATIENCE = 10.0
"""Seconds for the resolver to tell."""

ENOUGH, FEW = 100, 0.9
"""Questions of an hour by which it can be judged, and the part of them that has to be answered.
Names of the Internet that nobody answers for are some hundredths of what exits ask."""

CODE = re.compile(r"(?m)^num\.answer\.rcode\.([A-Z]{2,16})=([0-9]{1,18})$")
DROPPED = re.compile(r"(?m)^total\.requestlist\.exceeded=([0-9]{1,18})$")

Count = tuple[int, int]
"""Questions, and those of them that failed."""


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
    """Keep a sample. Raises OSError."""
    count = parse(statistics(machine))
    if count is not None:
        last_hour.note(machine.state / PLACE, count)


def look(machine: Machine) -> Questions | None:
    """None if the resolver does not tell. Raises Refusal if the record is damaged."""
    count = parse(statistics(machine))
    if count is None:
        return None
    asked, failed = last_hour.since(machine.state / PLACE, count)
    return Questions(*count, asked, failed)


def statistics(machine: Machine) -> str:
    """What unbound-control prints of it; nothing if it does not tell."""
    (resolver,) = (one for one in machine.system.services if one.name == "local_unbound")
    if not resolver.ready:
        return ""
    ran = machine.run(*resolver.ready[:-1], "stats_noreset", patience=PATIENCE)
    return ran.text if ran.status == 0 else ""


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
