"""What the box ran, one change after the other: when, what changed, who did it, how it ended.

/cfg/state/history.json is a list with an object for each change, the oldest first. What another
release or another machine renders anew from the same site is no change: a change is known by the
checksum of its site file. Boxes of earlier releases have no such file; there, each generation
counts as a change that went well.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from firstboot.box.generations import KEPT, DamagedGeneration, Generation, Generations
from firstboot.box.output import Say
from firstboot.core.durable import keep, kept_json
from firstboot.core.limits import HISTORY
from firstboot.core.refusal import Refusal

PLACE = "state/history.json"

LENGTH = 100
"""Changes that are kept."""

LATEST = 1 << 40
"""Seconds since 1970 that no clock of a box shows. The calendar ends later, but it does end."""


class End(Enum):
    """How a change ended; the value is what people read."""

    BEGUN = "not finished"
    APPLIED = "applied"
    WAITS = "not confirmed"
    CONFIRMED = "confirmed"
    FAILED = "failed"
    LEFT = "rolled back"
    REVERTED = "not confirmed, undone"

    @property
    def well(self) -> bool:
        """Whether a rollback may lead there."""
        return self in (End.APPLIED, End.CONFIRMED)


@dataclass(frozen=True, slots=True)
class Step:
    """One change. `site` is the SHA-256 of the site file in hexadecimal, `when` is in seconds since
    1970 by the clock of the box. `how` is the command, `what` says which parts of the site changed.
    """

    generation: int
    site: str
    when: int
    who: str
    how: str
    what: str
    end: End = End.BEGUN


@dataclass(frozen=True, slots=True)
class History:
    """The history in the folder `cfg`."""

    cfg: Path

    @property
    def place(self) -> Path:
        return self.cfg / PLACE

    @property
    def generations(self) -> Generations:
        return Generations(self.cfg)

    def steps(self) -> tuple[Step, ...]:
        """All changes, the last one at the end. Raises Refusal if the record is damaged."""
        try:
            found = kept_json(self.place, HISTORY, list)
            return self._implied() if found is None else tuple(map(_step, found))
        except Refusal as refusal:
            raise _damaged(self.place, refusal.problem) from refusal
        except ValueError as error:
            raise _damaged(self.place, f"it is damaged ({error})") from error

    def begin(self, step: Step, say: Say) -> None:
        """Record that a change begins. A damaged record is set aside, which is told. Raises Refusal
        if nothing can be written."""
        try:
            steps = self.steps()
        except Refusal as refusal:
            say(f"{refusal} It is kept beside as {self.place.name}.damaged; a new one begins.")
            steps = self._implied()
            self._set_aside()
        self._write((*steps, step))

    def end(self, step: Step, end: End) -> None:
        """Record how `step` ended. Raises Refusal."""
        steps = list(self.steps())
        for at in reversed(range(len(steps))):
            if replace(steps[at], end=step.end) == step:
                steps[at] = replace(step, end=end)
                self._write(tuple(steps))
                return

    def leave(self, step: Step) -> None:
        """Record that the site of `step` was rolled back, so that no rollback leads there. Raises
        Refusal."""
        self._write(
            tuple(
                replace(one, end=End.LEFT) if one.site == step.site and one.end.well else one
                for one in self.steps()
            )
        )

    def current(self) -> Step | None:
        """The step by which the current generation runs, or None. Raises Refusal."""
        at = self.position()
        return None if at is None else self.steps()[at]

    def ran(self) -> None:
        """Record that a boot ran the current generation to its end. Raises Refusal."""
        step = self.current()
        if step is not None and step.end is End.BEGUN:
            self.end(step, End.APPLIED)

    def position(self) -> int | None:
        """The index of the step by which the current generation runs, or None. Raises Refusal."""
        steps, number = self.steps(), self.generations.current()
        every = self.generations.all()
        digest = next((site_digest(one) for one in every if one.number == number), "")
        for at in reversed(range(len(steps))):
            if steps[at].generation == number or (digest and steps[at].site == digest):
                return at
        return None

    def before(self) -> Iterator[Generation]:
        """The generations that ran before the current one and were well, the last of them first,
        each site once. Raises Refusal."""
        steps, at, newest = self.steps(), self.position(), self._newest()
        seen = {site for site, one in newest.items() if one.number == self.generations.current()}
        if at is not None:
            seen.add(steps[at].site)
        for step in reversed(steps[:at]):
            if step.end.well and step.site not in seen and step.site in newest:
                seen.add(step.site)
                yield newest[step.site]

    def needed(self) -> frozenset[int]:
        """The numbers of the generations that a rollback may lead to, or that are their sites
        rendered anew: as many as are kept beside a new one."""
        newest = self._newest()
        try:
            wanted = [*self.before()][: KEPT - 2]
        except Refusal:
            wanted = [*newest.values()][2 - KEPT :]
        return frozenset(one.number for one in wanted)

    def _well(self, steps: tuple[Step, ...]) -> Iterator[Generation]:
        """The generations that ran well by `steps`, the last of them first, each site once."""
        newest = self._newest()
        for step in reversed(steps):
            if step.end.well and (one := newest.pop(step.site, None)):
                yield one

    def _newest(self) -> dict[str, Generation]:
        """The newest undamaged generation of each site, the oldest site first."""
        newest: dict[str, Generation] = {}
        for one in self.generations.all():
            if digest := site_digest(one):
                newest.pop(digest, None)
                newest[digest] = one
        return newest

    def _implied(self) -> tuple[Step, ...]:
        current = self.generations.current()
        return tuple(
            Step(one.number, digest, int(one.folder.stat().st_mtime), "", "", "", End.APPLIED)
            for one in self.generations.all()
            if current is not None and one.number <= current and (digest := site_digest(one))
        )

    def _write(self, steps: tuple[Step, ...]) -> None:
        told = [asdict(one) | {"end": one.end.name} for one in steps[-LENGTH:]]
        try:
            self.place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            keep(self.place, (json.dumps(told, indent=0) + "\n").encode())
            self.generations.note_well(self._well(steps))
        except OSError as error:
            raise Refusal(
                self.place,
                f"the history cannot be written: {error.strerror or error}",
                "Remove what does not belong on /cfg, or check the disk",
            ) from error

    def _set_aside(self) -> None:
        try:
            self.place.replace(self.place.with_name(f"{self.place.name}.damaged"))
        except OSError as error:
            raise _damaged(self.place, f"it cannot be renamed ({error.strerror})") from error


def site_digest(generation: Generation) -> str:
    """The SHA-256 of the site file of `generation`, or "" if the generation is damaged."""
    try:
        return hashlib.sha256(generation.read().site).hexdigest()
    except DamagedGeneration:
        return ""


def _step(found: Any) -> Step:
    """Raises ValueError."""
    match found:
        case {
            "generation": int(generation),
            "site": str(site),
            "when": int(when),
            "who": str(who),
            "how": str(how),
            "what": str(what),
            "end": str(end),
        } if len(found) == 7 and end in End.__members__ and 0 <= when < LATEST:
            return Step(generation, site, when, who, how, what, End[end])
    raise ValueError("it has something that is no change")


def _damaged(place: Path, what: str) -> Refusal:
    return Refusal(
        place,
        f"{what}, so nobody knows what ran before",
        "Name the generation that is to run: exitisp rollback NUMBER",
    )
