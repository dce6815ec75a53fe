"""A box with a key, whose ssh-keygen is the real one, and a journal."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.box.host import PATIENCE, Ran
from firstboot.box.journal.entry import Kind, Note
from firstboot.box.journal.signature import KEY
from firstboot.box.machine import Machine
from tests.firstboot.box.box import Box, _Standin

NOON = 1_764_504_000
"""2025-11-30 12:00 UTC."""


@dataclass(frozen=True, slots=True)
class Signing(_Standin):
    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        if command[0] == "ssh-keygen":
            return Machine.run(self, *command, given=given, patience=patience)
        return _Standin.run(self, *command, given=given, patience=patience)


@dataclass(frozen=True)
class KeyedBox(Box):
    @property
    def machine(self) -> Machine:
        one = super().machine
        assert isinstance(one, _Standin)
        return Signing(one.root, one.search, one.programs, system=one.system)


def with_key(box: Box) -> KeyedBox:
    make_key(box.root / "cfg" / KEY)
    return KeyedBox(box.root, box.programs)


def make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in (path, path.with_name(f"{path.name}.pub")):
        old.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)


def note(text: str = "DOWN: relay 2", minute: int = 0, kind: Kind = Kind.BEGAN) -> Note:
    return Note(NOON + 60 * minute, kind, text, "relay 2: it runs")


def later(one: Note, days: float) -> Note:
    return replace(one, time=one.time + int(days * 86_400))
