"""A box in a folder whose disk has two slots, with gpart(8), mount(8) and gptboot(8) as they act.

ssh-keygen and zstd are this machine's own, and what is mounted is read by dissect.ffs.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dissect.ffs import FFS

from firstboot.box.host import PATIENCE, SEARCH, Ran
from firstboot.box.machine import Machine
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.box.upgrade.slots import LABELS

INDEX = {"3": "rootA", "4": "rootB"}


class PowerCut(BaseException):
    """No cleaning up happens: it is no Exception."""


@dataclass
class Disk:
    """Its slots are the files dev/gpt/LABEL below `root`; `slot` is the one that runs."""

    root: Path
    slot: str = "rootA"
    marks: dict[str, set[str]] = field(
        default_factory=lambda: {"rootA": {"bootme"}, "rootB": set()}
    )
    calls: list[str] = field(default_factory=list)
    answers: dict[str, Ran] = field(default_factory=dict)
    steps: int = 0
    on_fetch: Callable[["Disk"], object] = lambda _: None
    cut_before: int | None = None
    """The power goes before this step: a change of the partition table, or a write."""

    @property
    def machine(self) -> Machine:
        return Box(self.root, SEARCH, self, system=SYSTEM)

    def part(self, label: str) -> Path:
        return self.root / "dev/gpt" / label

    def step(self) -> None:
        if self.cut_before is not None and self.steps >= self.cut_before:
            raise PowerCut
        self.steps += 1

    def start(self) -> str | None:
        """What gptboot does at a start (stand/libsa/gpt.c, `gptfind` and `gptbootconv`)."""
        for marks in self.marks.values():
            if "bootonce" in marks and "bootme" not in marks:
                marks.symmetric_difference_update({"bootonce", "bootfailed"})
        for label in LABELS:
            if {"bootme", "bootonce"} <= self.marks[label] and self.holds_a_system(label):
                self.marks[label].discard("bootme")
                return self._run(label)
        for label in LABELS:
            if "bootme" in self.marks[label] and self.holds_a_system(label):
                return self._run(label)
        return None

    def _run(self, label: str) -> str:
        self.slot = label
        shutil.rmtree(self.root / "var/run", ignore_errors=True)
        unpack(self.read(label), self.root)
        return label

    def holds_a_system(self, label: str) -> bool:
        try:
            self.read(label)
        except Exception:
            return False
        return True

    def read(self, label: str) -> FFS:
        return FFS(self.part(label).open("rb"))

    def mounted(self, label: str) -> Path:
        """A folder with the files of a slot."""
        folder = self.root / "mounted"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        unpack(self.read(label), folder)
        return folder

    def run(self, *command: str) -> Ran:
        self.calls.append(" ".join(command))
        for begin, answer in self.answers.items():
            if self.calls[-1].startswith(begin):
                return answer
        match command:
            case ["kenv", "-q", "exitisp.slot"]:
                return Ran(f"{self.slot}\n", 0)
            case ["gpart", "show", "-lp"]:
                return Ran(self._show(), 0)
            case ["gpart", verb, "-a", mark, "-i", index, "ada0"]:
                self.step()
                self._mark(INDEX[index], verb, mark)
            case ["mount", "-t", "ufs", "-o", "ro,noexec,nosuid", device, folder]:
                return self._mount(Path(device).name, Path(folder))
            case ["umount", folder]:
                shutil.rmtree(folder)
                Path(folder).mkdir()
            case ["env", *_]:
                self.on_fetch(self)
            case ["pgrep", *_]:
                return Ran("", 1)
        return Ran("", 0)

    def _mark(self, label: str, verb: str, mark: str) -> None:
        marks = self.marks[label]
        if verb == "set":
            marks.update({mark, "bootme"} if mark == "bootonce" else {mark})
        else:
            marks.discard(mark)

    def _show(self) -> str:
        lines = [
            "=>     40  8388528    ada0  GPT  (4.0G)",
            "     2048    81920  ada0p1  efi  (40M)",
        ]
        for index, label in INDEX.items():
            order = ("bootfailed", "bootonce", "bootme")
            marks = ",".join(one for one in order if one in self.marks[label])
            shown = f"[{marks}]  " if marks else ""
            lines.append(f"    83968  2097152  ada0p{index}  {label}  {shown}(1.0G)")
        return "\n".join(lines) + "\n"

    def _mount(self, label: str, folder: Path) -> Ran:
        try:
            system = self.read(label)
        except Exception as error:
            return Ran(f"mount: {error}", 1)
        unpack(system, folder)
        return Ran("", 0)


def unpack(system: FFS, folder: Path, path: str = "") -> None:
    for name, entry in system.get(f"/{path}").listdir().items():
        inside = folder / path / name
        if name in (".", ".."):
            continue
        if entry.is_dir():
            inside.mkdir(exist_ok=True)
            unpack(system, folder, f"{path}{name}/")
        elif entry.is_file():
            inside.write_bytes(entry.open().read())


@dataclass(frozen=True, slots=True)
class Box(Machine):
    disk: Disk = field(default_factory=lambda: Disk(Path()))

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        if command[0] == "ssh-keygen":
            return Machine.run(self, *command, given=given, patience=patience)
        return self.disk.run(*command)


def at_every_step(prepare: Callable[[], Disk], work: Callable[[Disk], object]) -> list[Disk]:
    """Disks on which `work` was cut before its first step, its second one, and so on to its end."""
    cut: list[Disk] = []
    while True:
        disk = prepare()
        disk.cut_before = len(cut)
        cut.append(disk)
        try:
            work(disk)
        except PowerCut:
            continue
        return cut
