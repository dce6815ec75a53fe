"""The two slots of a box, which hold a system each: which one runs, and which one starts next.

gptboot(8) and gptboot.efi start the first partition marked `bootme`. A partition marked `bootonce`
as well comes before all others, and loses `bootme` before it is started. If it still has `bootonce`
at the next start, it becomes `bootfailed`, and the other one is started. So a slot that runs
without `bootme` is on trial.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.core.durable import flush
from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp, read

LABELS = ("rootA", "rootB")

_LINE = re.compile(r"\s*[0-9]+\s+[0-9]+\s+(\S+)p([0-9]+)\s+(root[AB])\s+(?:\[([a-z,]+)\]\s+)?\(")
"""A partition as `gpart show -lp` prints it: start, size, provider, label, attributes."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A partition for a system: number `index` of `disk`, with its attributes `marks`."""

    label: str
    disk: str
    index: int
    marks: frozenset[str]
    running: bool

    @property
    def device(self) -> str:
        return f"/dev/gpt/{self.label}"

    @property
    def trying(self) -> bool:
        """Whether it runs and is not confirmed yet."""
        return self.running and "bootme" not in self.marks


@dataclass(frozen=True, slots=True)
class Slots:
    running: Slot
    idle: Slot


def slots(machine: Machine) -> Slots:
    """Both slots of the disk that the root is on. Raises Refusal on a system that was started from
    neither."""
    label = machine.run("kenv", "-q", "exitisp.slot").text.strip()
    every = _every(label, machine)
    disks = {slot.disk for slot in every}
    own = _disk_of(label, machine) if len(disks) > 1 else "".join(disks)
    found = {slot.label: slot for slot in every if slot.disk == own}
    if set(found) != set(LABELS) or label not in found:
        raise Refusal(
            "this box",
            f"its system was started from '{label}', and its disk has "
            f"{', '.join(sorted(found)) or 'no slots'}; slots are {' and '.join(LABELS)}",
            "Flash an image that ./exitisp build made",
        )
    (idle,) = (one for one in found.values() if not one.running)
    return Slots(found[label], idle)


def other_disks(machine: Machine) -> tuple[str, ...]:
    """Disks with slots that the root is not on. Raises Refusal as `slots` does."""
    every = {slot.disk for slot in _every("", machine)}
    return tuple(sorted(every - {slots(machine).running.disk})) if len(every) > 1 else ()


def _every(running: str, machine: Machine) -> list[Slot]:
    """The slots of all disks of this machine."""
    found = []
    for line in machine.run("gpart", "show", "-lp").text.splitlines():
        if match := _LINE.match(line):
            marks = frozenset((match[4] or "").split(",")) - {""}
            found.append(Slot(match[3], match[1], int(match[2]), marks, match[3] == running))
    return found


def _disk_of(label: str, machine: Machine) -> str:
    """The disk whose partition has a label; empty if none has. rc.d/exitisp_guard sees to it that
    all labels are those of the disk that the root is on."""
    told = machine.run("glabel", "status", "-s").text
    found = re.search(rf"^\s*gpt/{label}\s+\S+\s+(\S+)p[0-9]+$", told, re.MULTILINE)
    return found[1] if found else ""


def try_once(slot: Slot, machine: Machine) -> None:
    """Have the next start try `slot`. Unless it is confirmed, later starts take the running slot.

    Raises Refusal.
    """
    for mark in ("bootfailed", "bootme", "bootonce"):
        if mark in slot.marks:
            _mark(machine, "unset", mark, slot)
    _mark(machine, "set", "bootonce", slot)


def forget(slot: Slot, machine: Machine) -> None:
    """Have no start take `slot`. Raises Refusal."""
    for mark in ("bootonce", "bootme", "bootfailed"):
        if mark in slot.marks:
            _mark(machine, "unset", mark, slot)


def confirm(both: Slots, machine: Machine) -> None:
    """Have every start take the running slot. A power cut between the steps leaves a box that
    starts one of the two. Raises Refusal."""
    _mark(machine, "set", "bootme", both.running)
    if "bootme" in both.idle.marks:
        _mark(machine, "unset", "bootme", both.idle)
    if "bootonce" in both.running.marks:
        _mark(machine, "unset", "bootonce", both.running)


def _mark(machine: Machine, verb: str, mark: str, slot: Slot) -> None:
    done = machine.run("gpart", verb, "-a", mark, "-i", str(slot.index), slot.disk)
    if done.status != 0:
        raise Refusal(
            f"{slot.disk}p{slot.index} ({slot.label})",
            f"gpart cannot {verb} {mark}: {' '.join(done.text.split()) or f'status {done.status}'}",
            "Look at gpart show, and at what the kernel says of the disk",
        )
    flush()


@dataclass(frozen=True, slots=True)
class Held:
    """The system in a slot, and what a start does with it."""

    slot: Slot
    stamp: Stamp | None
    state: str


def held(machine: Machine) -> tuple[Held, ...]:
    """Both slots, in the order of the disk. Raises Refusal."""
    both = slots(machine)
    with_idle = {
        both.running.label: read(machine.root),
        both.idle.label: look(both.idle, machine),
    }
    return tuple(
        Held(slot, with_idle[slot.label], _state(slot, with_idle[slot.label]))
        for slot in sorted((both.running, both.idle), key=lambda slot: slot.label)
    )


def look(slot: Slot, machine: Machine) -> Stamp | None:
    """The release identity of the system in a slot that does not run; None if it holds none."""
    folder = machine.state / "slot"
    if not mount(slot, folder, machine):
        return None
    try:
        return read(folder)
    finally:
        unmount(folder, machine)


def mount(slot: Slot, folder: Path, machine: Machine) -> bool:
    """Mount `slot` read-only, and return whether that worked."""
    folder.mkdir(parents=True, exist_ok=True)
    options = "ro,noexec,nosuid"
    return machine.run("mount", "-t", "ufs", "-o", options, slot.device, str(folder)).status == 0


def unmount(folder: Path, machine: Machine) -> None:
    machine.run("umount", str(folder))


def _state(slot: Slot, stamp: Stamp | None) -> str:
    if slot.running:
        return "running, on trial" if slot.trying else "running, confirmed"
    if "bootfailed" in slot.marks:
        return "failed"
    if {"bootme", "bootonce"} <= slot.marks:
        return "tried at the next start"
    if stamp is None:
        return "empty"
    return "confirmed" if "bootme" in slot.marks else "kept"


def table(rows: tuple[Held, ...]) -> str:
    """A table for people: slot, version, base, state."""
    cells = [("SLOT", "VERSION", "BASE", "STATE")]
    for row in rows:
        version, base = (row.stamp.version, row.stamp.base) if row.stamp else ("-", "-")
        cells.append((row.slot.label, version, base, row.state))
    widths = [max(len(one[at]) for one in cells) for at in range(3)]
    return "\n".join(
        "  ".join([*(one[at].ljust(widths[at]) for at in range(3)), one[3]]) for one in cells
    )
