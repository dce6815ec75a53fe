"""Boot programs are renewed so that a disk starts whenever the power goes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firstboot.box.host import Ran
from firstboot.box.upgrade import boot_programs, device
from firstboot.core import release_info
from firstboot.core.boot_places import IDLE, UEFI_PROGRAM
from firstboot.core.refusal import Refusal
from tests.firstboot.box.upgrade.disk import Disk, at_every_step

OLD = {"gptboot": b"old gptboot" * 200, "gptboot.efi": b"MZ old" * 300, "pmbr": b"old pmbr" * 55}
NEW = {"gptboot": b"new gptboot" * 300, "gptboot.efi": b"MZ new" * 200, "pmbr": b"new pmbr" * 55}
NUMBERS = {1: "efi", 2: "boot", 3: "rootA", 4: "rootB", 7: "efi2", 8: "boot2"}
PEOPLES_FILE = "site.yaml"


@dataclass
class Firmware(Disk):
    """A disk with boot programs. What is FAT is a table of files in JSON, and damaged while it is
    mounted for writing."""

    types: dict[int, str] = field(
        default_factory=lambda: {
            1: "efi",
            2: "freebsd-boot",
            3: "freebsd-ufs",
            4: "freebsd-ufs",
            7: f"!{IDLE}",
            8: f"!{IDLE}",
        }
    )
    mounted_at: dict[str, tuple[str, str]] = field(default_factory=dict)

    def run(self, *command: str) -> Ran:
        match command:
            case ["gpart", "show", "-p", "ada0"]:
                self.calls.append("gpart show -p")
                return Ran("".join(self._line(n, kind) for n, kind in self.types.items()), 0)
            case ["gpart", "show", "-lp", "ada0"]:
                return Ran("".join(self._line(n, NUMBERS[n]) for n in self.types), 0)
            case ["gpart", "modify", "-i", index, "-t", kind, "ada0"]:
                self.step()
                self.calls.append(" ".join(command))
                self.types[int(index)] = kind
                return Ran("", 0)
            case ["gpart", "bootcode", "-b", path, "ada0"]:
                self.step()
                self.calls.append("gpart bootcode")
                block = (self.root / "dev/ada0").read_bytes()
                code = Path(path).read_bytes()
                (self.root / "dev/ada0").write_bytes(code + block[len(code) :])
                return Ran("", 0)
            case ["mount", "-t", "msdosfs", "-o", how, partition, folder]:
                return self._mount_fat(Path(partition).name, how.split(",")[0], Path(folder))
            case ["umount", folder] if folder in self.mounted_at:
                return self._unmount_fat(folder)
            case ["newfs_msdos", *_, partition]:
                self.step()
                self.part(Path(partition).name).write_text("{}")
                return Ran("", 0)
            case ["fsck_msdosfs", "-y", _]:
                return Ran("", 0)
        return super().run(*command)

    def _line(self, number: int, word: str) -> str:
        return f"        40      1024  ada0p{number}  {word}  (512K)\n"

    def _mount_fat(self, label: str, how: str, folder: Path) -> Ran:
        try:
            files = json.loads(self.part(label).read_text())
        except ValueError:
            return Ran("mount_msdosfs: Invalid argument", 1)
        self.step()
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(bytes.fromhex(content))
        self.mounted_at[str(folder)] = (label, how)
        if how == "sync":
            self.part(label).write_text("half-written")
        return Ran("", 0)

    def _unmount_fat(self, folder: str) -> Ran:
        self.step()
        label, how = self.mounted_at.pop(folder)
        found = sorted(Path(folder).rglob("*"), reverse=True)
        if how == "sync":
            files = {
                str(one.relative_to(folder)): one.read_bytes().hex()
                for one in found
                if one.is_file()
            }
            self.part(label).write_text(json.dumps(files))
        for one in found:
            one.unlink() if one.is_file() else one.rmdir()
        return Ran("", 0)

    def fat(self, label: str) -> dict[str, str]:
        files: dict[str, str] = json.loads(self.part(label).read_text())
        return files

    def in_use(self, kind: str) -> list[str]:
        """Labels of the partitions of a type, in the order in which firmware looks at them."""
        return [NUMBERS[number] for number in sorted(self.types) if self.types[number] == kind]

    def bios_starts(self) -> bytes:
        first = self.in_use("freebsd-boot")[0]
        return self.part(first).read_bytes().rstrip(b"\0")

    def uefi_starts(self) -> list[bytes]:
        """A machine may take any of them."""
        return [bytes.fromhex(self.fat(label)[UEFI_PROGRAM]) for label in self.in_use("efi")]

    def pmbr(self) -> bytes:
        return (self.root / "dev/ada0").read_bytes()[:440]


def disk(root: Path, *, spares: bool = True) -> Firmware:
    made = Firmware(root)
    for folder in ("dev/gpt", "boot", "cfg", "var/run", "usr/local/share/exitisp"):
        (root / folder).mkdir(parents=True)
    for name, program in NEW.items():
        (root / "boot" / name).write_bytes(program)
    (root / release_info.PLACE).write_text("the new release\n")
    made.part("boot").write_bytes(OLD["gptboot"].ljust(512 * 1024, b"\0"))
    files = {UEFI_PROGRAM: OLD["gptboot.efi"].hex(), PEOPLES_FILE: b"a site".hex()}
    made.part("efi").write_text(json.dumps(files))
    if spares:
        made.part("boot2").write_bytes(bytes(512 * 1024))
        made.part("efi2").write_bytes(bytes(4096))
    else:
        del made.types[7], made.types[8]
    (root / "dev/ada0").write_bytes(OLD["pmbr"] + bytes(72))
    return made


def renew(one: Firmware) -> list[str]:
    said: list[str] = []
    boot_programs.renew(one.machine, said.append)
    return said


def ensure_new(one: Firmware) -> None:
    assert one.bios_starts() == NEW["gptboot"]
    assert one.uefi_starts() == [NEW["gptboot.efi"]]
    assert one.pmbr() == NEW["pmbr"]
    assert one.in_use("freebsd-boot") == ["boot"]
    assert one.in_use("efi") == ["efi"]
    assert one.fat("efi")[PEOPLES_FILE] == b"a site".hex()
    assert (one.root / "cfg/state/boot-programs").read_text() == "the new release\n"


def test_a_confirmed_release_brings_its_boot_programs(tmp_path: Path) -> None:
    one = disk(tmp_path)
    said = renew(one)
    ensure_new(one)
    assert said == [
        "Renewing the boot program in boot.",
        "Renewing the boot program in efi.",
        "Renewing the boot program in the first block of the disk.",
    ]


def test_boot_programs_that_are_the_same_are_left_alone(tmp_path: Path) -> None:
    one = disk(tmp_path)
    renew(one)
    before, one.calls = one.types.copy(), []
    assert renew(one) == []
    assert one.types == before
    assert not re.search("modify|bootcode|newfs", " ".join(one.calls))


@pytest.fixture
def stepping(monkeypatch: pytest.MonkeyPatch) -> Callable[[Firmware], Firmware]:
    """A disk on which a write to a partition is two steps: before it, and in its middle."""
    place = device.place

    def prepare(one: Firmware) -> Firmware:
        def torn(target: int, offset: int, data: bytes) -> None:
            one.step()
            place(target, offset, data[: len(data) // 2])
            one.step()
            place(target, offset, data)

        monkeypatch.setattr(device, "place", torn)
        return one

    return prepare


def test_the_disk_starts_after_a_power_cut_at_any_step_and_the_next_boot_goes_on(
    tmp_path: Path, stepping: Callable[[Firmware], Firmware]
) -> None:
    made: list[Firmware] = []

    def prepare() -> Firmware:
        made.append(stepping(disk(tmp_path / str(len(made)))))
        return made[-1]

    cuts = at_every_step(prepare, lambda one: renew(one))  # type: ignore[arg-type]
    assert len(cuts) >= 25
    for one in made:
        assert one.bios_starts() in (OLD["gptboot"], NEW["gptboot"])
        starts = one.uefi_starts()
        assert starts
        assert set(starts) <= {OLD["gptboot.efi"], NEW["gptboot.efi"]}
        assert one.pmbr() in (OLD["pmbr"], NEW["pmbr"])
        one.cut_before = None
        one.mounted_at.clear()
        for left in sorted((one.root / "var/run").rglob("*"), reverse=True):
            left.unlink() if left.is_file() else left.rmdir()
        files = one.part("efi").read_text()
        renew(stepping(one))
        if files == "half-written":
            # The file system was damaged by the cut: people's files may be lost, the start is not.
            files_now = one.fat("efi")
            one.part("efi").write_text(json.dumps({**files_now, PEOPLES_FILE: b"a site".hex()}))
        ensure_new(one)


def test_a_disk_of_an_earlier_layout_keeps_its_boot_programs_and_is_told(tmp_path: Path) -> None:
    one = disk(tmp_path, spares=False)
    with pytest.raises(Refusal, match="this disk has no boot2 to start from"):
        renew(one)
    assert one.bios_starts() == OLD["gptboot"]
    assert not (tmp_path / "cfg/state/boot-programs").exists()


def test_a_disk_of_an_earlier_layout_with_these_programs_is_well(tmp_path: Path) -> None:
    one = disk(tmp_path, spares=False)
    one.part("boot").write_bytes(NEW["gptboot"].ljust(512 * 1024, b"\0"))
    one.part("efi").write_text(json.dumps({UEFI_PROGRAM: NEW["gptboot.efi"].hex()}))
    (tmp_path / "dev/ada0").write_bytes(NEW["pmbr"] + bytes(72))
    assert renew(one) == []
    assert (tmp_path / "cfg/state/boot-programs").exists()


def test_a_partition_that_loses_what_is_written_is_never_put_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = disk(tmp_path)
    monkeypatch.setattr(device, "place", lambda target, offset, data: None)
    with pytest.raises(Refusal, match="what was written there does not read back"):
        renew(one)
    assert one.in_use("freebsd-boot") == ["boot"]
    assert one.bios_starts() == OLD["gptboot"]


def test_a_table_that_cannot_be_changed_is_told(tmp_path: Path) -> None:
    one = disk(tmp_path)
    run = one.run
    one.run = lambda *command: (  # type: ignore[method-assign]
        Ran("gpart: Operation not permitted\n", 1) if "modify" in command else run(*command)
    )
    with pytest.raises(Refusal, match=r"ada0p8 \(boot2\): gpart cannot make its type freebsd-boot"):
        renew(one)
    assert one.bios_starts() == OLD["gptboot"]


def test_a_base_without_gptboot_efi_is_started_by_its_loader(tmp_path: Path) -> None:
    one = disk(tmp_path)
    (tmp_path / "boot/gptboot.efi").rename(tmp_path / "boot/loader.efi")
    renew(one)
    assert one.uefi_starts() == [NEW["gptboot.efi"]]
