"""The keys of all zones and how far their roll-over is: what the folder of keys remembers.

Each zone has a key for its keys (KSK), which the zone above vouches for, and a key for everything
else (ZSK). Both are replaced together, with double signatures (RFC 6781, sections 4.1.1.2 and
4.1.2): new keys sign beside the old ones; a day later, when no resolver has the old set of keys
without the new ones, the zone above is told to vouch for the new ones; a week later, when no
resolver has the old DS records, the old keys go. A resolver may have any part of the zones from
before a step and any from after it, and validates all the same.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.durable import keep
from firstboot.core.limits import Json
from firstboot.core.refusal import Refusal
from firstboot.site.paper.signing.bind import KEY, lost
from firstboot.site.paper.signing.roll import Roll

STATE = "zones.json"
BOUNDS = Json(1 << 20, 20_000)
MOST_PAIRS = 2
NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


class Step(Enum):
    """How far the roll-over is: none is under way; both pairs sign, and the old DS records hold;
    both pairs sign, and the new DS records hold."""

    STEADY = "steady"
    BOTH = "both"
    SWITCHED = "switched"


STEPS = {
    Roll.START: (Step.STEADY, Step.BOTH, 0),
    Roll.SWITCH: (Step.BOTH, Step.SWITCHED, 86_400),
    Roll.FINISH: (Step.SWITCHED, Step.STEADY, 7 * 86_400),
}
"""From where to where, and how many seconds after the last step at the earliest: what resolvers and
secondaries keep (zones.TTL, REFRESH and RETRY are less than a day), and time for a registry that
has DS records of a day."""

NEXT = {Step.BOTH: Roll.SWITCH, Step.SWITCHED: Roll.FINISH}


@dataclass(frozen=True)
class Pair:
    """Names of a key for keys and of a key for the zone."""

    ksk: str
    zsk: str


@dataclass(frozen=True)
class Ring:
    """`zones` has the pairs of each zone, the oldest first. `since` is when the step was taken, and
    `serial` what the zones were signed with last."""

    serial: int = 0
    step: Step = Step.STEADY
    since: int = 0
    zones: Mapping[str, tuple[Pair, ...]] | None = None

    def pairs(self, zone: str) -> tuple[Pair, ...]:
        return (self.zones or {}).get(zone, ())

    def vouched(self, zone: str) -> Pair:
        """The pair that the zone above vouches for, or is asked to."""
        return self.pairs(zone)[0 if self.step is Step.BOTH else -1]

    def with_pair(self, zone: str, pair: Pair) -> "Ring":
        return replace(self, zones={**(self.zones or {}), zone: (*self.pairs(zone), pair)})


def advance(ring: Ring, roll: Roll, now: int) -> Ring:
    """`ring` after a step of the roll-over. New pairs have to be added after START. Raises Refusal
    for a step out of order, and for one that comes too early."""
    before, after, wait = STEPS[roll]
    if ring.step is not before:
        due = NEXT.get(ring.step, Roll.START)
        raise Refusal(
            "--roll",
            f"{roll.value} is not the next step of the roll-over",
            f"Write --roll {due.value}. docs/papers.md has all of them",
        )
    if now < ring.since + wait:
        left = -(-(ring.since + wait - now) // 3600)
        raise Refusal(
            "--roll",
            f"{roll.value} would be too early: resolvers may still have what the zones were before "
            "the last step",
            f"Wait {left} hours more. Without --roll the zones are signed as they are",
        )
    zones = ring.zones or {}
    if roll is Roll.FINISH:
        zones = {name: pairs[-1:] for name, pairs in zones.items()}
    return Ring(ring.serial, after, now, zones)


def read(folder: Path) -> Ring | None:
    """What `folder` remembers; None if it is not there or is empty. Raises Refusal for one whose
    memory is gone or damaged, and for keys that are gone."""
    path = folder / STATE
    try:
        with path.open("rb") as file:
            data = file.read(BOUNDS.size + 1)
    except FileNotFoundError:
        if folder.exists() and any(folder.iterdir()):
            raise Refusal(
                folder,
                f"the folder has files, and no {STATE} that says which keys are in use",
                "Name an empty folder, or bring back the copy of the folder of keys",
            ) from None
        return None
    except OSError as error:
        raise Refusal(path, f"it cannot be read ({error.strerror})", "Become its owner") from error
    if folder.stat().st_mode & 0o077:
        raise Refusal(
            folder,
            "others on this machine can look into the folder of keys",
            f"Type: chmod 700 {folder}",
        )
    try:
        ring = parse_ring(data)
    except ValueError as error:
        raise lost(path, f"it is damaged: {error}") from error
    for pairs in (ring.zones or {}).values():
        for name in (name for pair in pairs for name in (pair.ksk, pair.zsk)):
            for file_name in (f"{name}.key", f"{name}.private"):
                if not (folder / file_name).is_file():
                    raise lost(folder / file_name, "the key is gone")
    return ring


def parse_ring(data: bytes) -> Ring:
    """What `text_of` wrote. Raises ValueError."""
    found = bounded_json.read(data, BOUNDS)
    if not isinstance(found, dict) or set(found) != {"serial", "step", "since", "zones"}:
        raise ValueError("it has other keys")
    serial, since, zones = found["serial"], found["since"], found["zones"]
    for number in (serial, since):
        if type(number) is not int or not 0 <= number < 1 << 40:
            raise ValueError("a number is none")
    if not isinstance(zones, dict):
        raise ValueError("zones are none")
    if found["step"] not in [step.value for step in Step]:
        raise ValueError("the step is none")
    return Ring(serial, Step(found["step"]), since, dict(map(_parse_pairs, zones.items())))


def _parse_pairs(item: tuple[str, Any]) -> tuple[str, tuple[Pair, ...]]:
    zone, pairs = item
    if not NAME.fullmatch(zone) or not isinstance(pairs, list):
        raise ValueError("a zone is none")
    if not 1 <= len(pairs) <= MOST_PAIRS:
        raise ValueError("a zone has one pair of keys or two")
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2):
            raise ValueError("a pair of keys is none")
        for name in pair:
            if not (isinstance(name, str) and KEY.fullmatch(name) and name.startswith(f"K{zone}.")):
                raise ValueError("a key is none of the zone's")
    return zone, tuple(Pair(*pair) for pair in pairs)


def text_of(ring: Ring) -> str:
    zones = {
        name: [[pair.ksk, pair.zsk] for pair in pairs] for name, pairs in (ring.zones or {}).items()
    }
    found = {"serial": ring.serial, "step": ring.step.value, "since": ring.since, "zones": zones}
    return json.dumps(found, indent=1) + "\n"


def save(folder: Path, ring: Ring) -> None:
    """Have `folder` remember `ring`. Raises Refusal."""
    try:
        keep(folder / STATE, text_of(ring).encode(), 0o600)
    except OSError as error:
        raise Refusal(
            folder, f"nothing can be kept there ({error.strerror})", "Name another folder"
        ) from error
