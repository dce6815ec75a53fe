"""The record of a change that waits to be confirmed.

/cfg/state/unconfirmed.json is there from before a change goes live until it is confirmed or undone:
a power cut at any moment leaves a box that knows it. rc.d/exitisp_site looks there before it lays
the configuration into memory, and the box once a minute. None of it needs the network.

While the box runs, time is that of the monotonic clock, in /var/run/exitisp/unconfirmed.json. After
a restart it is the time of day; a clock that is behind the change counts as time that is over.
"""

import json
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from firstboot.box.login import Login
from firstboot.box.machine import Machine
from firstboot.core import durable
from firstboot.core.durable import keep, kept_json
from firstboot.core.limits import UNCONFIRMED
from firstboot.core.refusal import Refusal

PLACE = "state/unconfirmed.json"


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A change to generation `generation`, from `former`, where `signs` worked. `deadline` is in
    seconds since 1970, or None until a restart of the box runs the change."""

    generation: int
    former: int
    minutes: int
    deadline: int | None
    signs: tuple[str, ...]

    def over(self, live: "Live | None") -> bool:
        """Whether it is too late to confirm; `live` is what this boot knows, if it does."""
        if live is not None:
            return time.monotonic() >= live.until
        if self.deadline is None:
            return False
        begun = self.deadline - 60 * (self.minutes + 1)
        return not begun <= time.time() < self.deadline

    def left(self, live: "Live | None") -> int:
        """Minutes until it is too late, the one that runs included."""
        if self.deadline is None:
            return self.minutes
        seconds = live.until - time.monotonic() if live else self.deadline - time.time()
        return max(0, int(seconds // 60) + 1)


@dataclass(frozen=True, slots=True)
class Live:
    """What a restart of the box forgets, in seconds of the monotonic clock: since when the change
    is `live`, `until` when it may be confirmed, since when something is `missing`. `leader` and
    `connection` are those of the login that made the change."""

    live: float
    until: float
    leader: int
    connection: str
    missing: float | None = None


def recorded(machine: Machine) -> bool:
    """Whether there is anything, damaged or not, that says that a change waits."""
    return os.path.lexists(machine.cfg / PLACE)


def read(machine: Machine) -> Unconfirmed | None:
    """The record of a change that waits, or None. Raises Refusal if it is damaged."""
    place = machine.cfg / PLACE
    try:
        found = kept_json(place, UNCONFIRMED, dict)
    except Refusal as refusal:
        raise _damaged(place, refusal.problem) from refusal
    match found:
        case None:
            return None
        case {
            "generation": int(generation),
            "former": int(former),
            "minutes": int(minutes),
            "deadline": int() | None as deadline,
            "signs": list(signs),
        } if len(found) == 5 and all(isinstance(one, str) for one in signs):
            return Unconfirmed(generation, former, minutes, deadline, tuple(signs))
    raise _damaged(place, "it is no record of a change")


def write(record: Unconfirmed, machine: Machine) -> None:
    """Raises Refusal."""
    place = machine.cfg / PLACE
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keep(place, (json.dumps(asdict(record)) + "\n").encode())
    except OSError as error:
        raise Refusal(
            place,
            f"it cannot be written: {error.strerror or error}",
            "Remove what does not belong on /cfg, or check the disk",
        ) from error


def drop(machine: Machine) -> None:
    """Let nothing wait any more. Raises OSError."""
    place = machine.cfg / PLACE
    if not place.exists():
        return
    place.unlink()
    durable.settle(place.parent)
    in_memory(machine).unlink(missing_ok=True)


def live(machine: Machine) -> Live | None:
    """What is known since the change is live in this boot, or None if that is lost."""
    with suppress(Refusal):
        match kept_json(in_memory(machine), UNCONFIRMED, dict):
            case {
                "live": float() | int() as live,
                "until": float() | int() as until,
                "leader": int(leader),
                "connection": str(connection),
                "missing": float() | int() | None as missing,
            }:
                return Live(live, until, leader, connection, missing)
    return None


def begin(machine: Machine, seconds: float, by: Login | None) -> None:
    """Let the time run that there is to confirm a change of the login `by`. Raises OSError."""
    now = time.monotonic()
    leader, connection = (by.leader, by.connection) if by else (0, "")
    keep_live(Live(now, now + seconds, leader, connection), machine)


def keep_live(live: Live, machine: Machine) -> None:
    """Raises OSError."""
    machine.state.mkdir(parents=True, exist_ok=True)
    keep(in_memory(machine), json.dumps(asdict(live)).encode())


def in_memory(machine: Machine) -> Path:
    """The file of `Live`."""
    return machine.state / Path(PLACE).name


def _damaged(place: Path, what: str) -> Refusal:
    return Refusal(
        place,
        f"{what}, so a change counts as not confirmed",
        "The box goes back to what ran before within a minute",
    )
