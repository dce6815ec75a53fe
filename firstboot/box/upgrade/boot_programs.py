"""Boot programs of the disk, renewed from the running system once its slot is confirmed.

Firmware starts from one partition of a kind, and there is a spare. The spare is written and put to
use; only then the other one is written, and put to use again. Each step changes one entry of the
partition table, and whatever is in use is whole. So a power cut at any moment leaves a disk that
starts, with the old programs or the new ones, and the next boot goes on where this one ended.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.upgrade import device
from firstboot.box.upgrade.slots import slots
from firstboot.core import durable, release_info
from firstboot.core.boot_places import (
    BIOS,
    BOOT_CODE,
    IDLE,
    UEFI,
    UEFI_PROGRAM,
    BootPlace,
    efi_program,
)
from firstboot.core.refusal import Refusal

BLOCK = 512

_LINE = re.compile(r"\s*[0-9]+\s+[0-9]+\s+(\S+)p([0-9]+)\s+(\S+)")
"""A partition as `gpart show -p` and `gpart show -lp` print it: provider, then type or label."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Number `index` of `disk`; `type` is gpart's name of its type, or ! and the type itself."""

    label: str
    disk: str
    index: int
    type: str

    @property
    def device(self) -> str:
        return f"/dev/gpt/{self.label}"


class Holder(Protocol):
    """How a partition holds a boot program."""

    def holds(self, partition: Partition, program: bytes) -> bool: ...
    def put(self, partition: Partition, program: bytes) -> None:
        """Raises OSError or Refusal; the partition holds anything then."""


def renew(machine: Machine, say: Say) -> None:
    """Have the disk start with the boot programs of the running system.

    Raises Refusal; the disk still starts then.
    """
    root = machine.root
    disk = slots(machine).running.disk
    efi = efi_program((root / "boot/gptboot.efi").is_file())
    kinds: tuple[tuple[BootPlace, str, Holder], ...] = (
        (BIOS, "boot/gptboot", _Blocks(machine)),
        (UEFI, efi, _Fat(machine)),
    )
    for place, path, holder in kinds:
        try:
            program = (root / path).read_bytes()
            _renew(place, program, holder, disk, machine, say)
        except OSError as error:
            raise Refusal(
                place.label,
                f"the boot program /{path} cannot be put there: {error.strerror or error}",
                "Check the disk. It starts with the boot programs that it has",
            ) from error
    _renew_pmbr(disk, machine, say)
    durable.keep(_done(machine), (root / release_info.PLACE).read_bytes())


def _done(machine: Machine) -> Path:
    """Whose boot programs the disk has: what that release says of itself. rc.d/exitisp_trial
    compares it with the running one's."""
    folder = machine.cfg / "state"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "boot-programs"


def _renew(
    place: BootPlace, program: bytes, holder: Holder, disk: str, machine: Machine, say: Say
) -> None:
    found = _partitions(disk, machine)
    if place.label not in found:
        raise Refusal(
            disk,
            f"it has no partition labelled {place.label}, from which firmware starts",
            "Flash an image that ./exitisp build made",
        )
    own = found[place.label]
    fresh = own.type == place.type and holder.holds(own, program)
    if place.spare not in found:
        if not fresh:
            raise Refusal(
                own.device,
                f"this disk has no {place.spare} to start from while {place.label} is written, so "
                "it keeps the boot program of an earlier release",
                "Flash the image at the next visit; until then the box starts as before",
            )
        return
    spare = found[place.spare]
    if own.type == place.type and not fresh:
        say(f"Renewing the boot program in {place.label}.")
        _set_type(spare, f"!{IDLE}", machine)
        _put(spare, program, holder)
        _set_type(spare, place.type, machine)
        _set_type(own, f"!{IDLE}", machine)
    if not fresh:
        _put(own, program, holder)
        _set_type(own, place.type, machine)
    _set_type(spare, f"!{IDLE}", machine)


def _put(partition: Partition, program: bytes, holder: Holder) -> None:
    holder.put(partition, program)
    if not holder.holds(partition, program):
        raise Refusal(
            partition.device,
            "what was written there does not read back",
            "Check the disk. It starts with the boot programs that it has",
        )


def _partitions(disk: str, machine: Machine) -> Mapping[str, Partition]:
    """Those of `disk` by their labels."""
    types, labels = (
        {
            int(found[2]): found[3]
            for line in machine.run("gpart", "show", how, disk).text.splitlines()
            if (found := _LINE.match(line)) and found[1] == disk
        }
        for how in ("-p", "-lp")
    )
    return {
        label: Partition(label, disk, index, types.get(index, ""))
        for index, label in labels.items()
    }


def _set_type(partition: Partition, kind: str, machine: Machine) -> None:
    now = _partitions(partition.disk, machine)[partition.label]
    if now.type == kind:
        return
    done = machine.run("gpart", "modify", "-i", str(partition.index), "-t", kind, partition.disk)
    if done.status != 0:
        raise Refusal(
            f"{partition.disk}p{partition.index} ({partition.label})",
            f"gpart cannot make its type {kind}: {' '.join(done.text.split()) or done.status}",
            "Look at gpart show, and at what the kernel says of the disk",
        )
    durable.flush()


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The partition's first blocks are the program, as pmbr loads it."""

    machine: Machine

    def _open(self, partition: Partition, flags: int) -> int:
        return os.open(self.machine.root / partition.device.lstrip("/"), flags | os.O_CLOEXEC)

    def holds(self, partition: Partition, program: bytes) -> bool:
        whole = _padded(program)
        target = self._open(partition, os.O_RDONLY)
        try:
            return os.pread(target, len(whole), 0) == whole
        finally:
            os.close(target)

    def put(self, partition: Partition, program: bytes) -> None:
        target = self._open(partition, os.O_RDWR)
        try:
            device.place(target, 0, _padded(program))
            device.settle(target)
        finally:
            os.close(target)


def _padded(program: bytes) -> bytes:
    return program + bytes(-len(program) % BLOCK)


@dataclass(frozen=True, slots=True)
class _Fat:
    """The program is a file on a FAT file system, beside files of people."""

    machine: Machine

    @contextlib.contextmanager
    def _mounted(self, partition: Partition, how: str) -> Iterator[Path | None]:
        folder = self.machine.state / "efi"
        folder.mkdir(parents=True, exist_ok=True)
        command = ("mount", "-t", self.machine.system.fat, "-o", f"{how},noexec,nosuid")
        if self.machine.run(*command, partition.device, str(folder)).status != 0:
            yield None
            return
        try:
            yield folder
        finally:
            self.machine.run("umount", str(folder))

    def holds(self, partition: Partition, program: bytes) -> bool:
        with self._mounted(partition, "ro") as folder:
            if folder is None or not (folder / UEFI_PROGRAM).is_file():
                return False
            with (folder / UEFI_PROGRAM).open("rb") as file:
                return file.read(len(program) + 1) == program

    def put(self, partition: Partition, program: bytes) -> None:
        self.machine.run("fsck_msdosfs", "-y", partition.device)
        with self._mounted(partition, "sync") as folder:
            if folder is not None:
                _write(folder, program)
                return
        made = self.machine.run("newfs_msdos", "-F", "32", "-c", "1", partition.device)
        with self._mounted(partition, "sync") as folder:
            if folder is None:
                raise Refusal(
                    partition.device,
                    f"no FAT file system can be made there: {' '.join(made.text.split())}",
                    "Check the disk. It starts with the boot programs that it has",
                )
            _write(folder, program)


def _write(folder: Path, program: bytes) -> None:
    path = folder / UEFI_PROGRAM
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, program, 0o700)
    durable.settle(path.parent)


def _renew_pmbr(disk: str, machine: Machine, say: Say) -> None:
    """The first block of the disk, which is written in one piece."""
    wanted = (machine.root / "boot/pmbr").read_bytes()[:BOOT_CODE]
    with (machine.root / "dev" / disk).open("rb", buffering=0) as file:
        if file.read(BLOCK)[: len(wanted)] == wanted:
            return
    say("Renewing the boot program in the first block of the disk.")
    done = machine.run("gpart", "bootcode", "-b", str(machine.root / "boot/pmbr"), disk)
    if done.status != 0:
        raise Refusal(
            disk,
            f"gpart cannot write /boot/pmbr there: {' '.join(done.text.split()) or done.status}",
            "Check the disk. It starts with the boot programs that it has",
        )
    durable.flush()
