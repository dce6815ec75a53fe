"""The disk that is open is the one that was named, and reads come from the disk and not from a
cache."""

import errno
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from firstboot.core.refusal import Refusal
from image.flash import medium
from image.flash.devices import Device, Host
from image.flash.medium import Medium
from image.flash.safety import Target, accept_disk
from tests.image.flash.test_devices import Machine

MIB = 1 << 20
DATA = os.urandom(2 * MIB + 1536)
SDB = Device(
    "sdb", Path("/dev/sdb"), "8:16", len(DATA), 512, "", "usb", "disk", True, False, (), ()
)


@pytest.fixture
def stick(tmp_path: Path) -> Target:
    path = tmp_path / "stick"
    path.write_bytes(DATA)
    return Target(path, "stick", len(DATA), None)


def judge(disk: Medium) -> None:
    for at, length in ((0, 4096), (4096, MIB), (2 * MIB - 4096, 512), (2 * MIB, 1536)):
        assert disk.read(at, length) == DATA[at : at + length]


def test_everything_can_be_read_up_to_an_odd_end(stick: Target) -> None:
    with medium.open_medium(stick, Host()) as disk:
        assert disk.size == len(DATA)
        judge(disk)


def test_reads_beyond_the_end_are_empty(stick: Target) -> None:
    with medium.open_medium(stick, Host()) as disk:
        assert disk.read(2 * MIB, MIB) == DATA[2 * MIB :]
        assert disk.read(4 * MIB, 4096) == b""


def test_without_o_direct_the_cache_is_dropped(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medium, "_open_direct", lambda descriptor: None)
    with medium.open_medium(stick, Host()) as disk:
        judge(disk)


def test_the_cache_is_dropped_where_the_first_direct_read_fails(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "preadv", refuse)
    with medium.open_medium(stick, Host()) as disk:
        judge(disk)


def test_a_read_error_is_not_answered_from_the_cache(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with medium.open_medium(stick, Host()) as disk:
        if disk._direct is None:
            pytest.skip("this file system cannot be read past the cache")
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(OSError, match="Input/output error"):
            disk.read(0, 4096)


def test_written_bytes_are_read_back(stick: Target) -> None:
    with medium.open_medium(stick, Host()) as disk:
        disk.write(4096, b"new" * 100)
        disk.flush()
        assert disk.read(4096, 300) == b"new" * 100


def test_a_disk_whose_size_changed_after_it_was_named_is_refused(stick: Target) -> None:
    os.truncate(stick.path, MIB)
    told = "another disk, of 1048576 bytes"
    with pytest.raises(Refusal, match=told), medium.open_medium(stick, Host()):
        pass


def test_a_disk_that_is_gone_is_refused(stick: Target) -> None:
    stick.path.unlink()
    with pytest.raises(Refusal, match="No such file"), medium.open_medium(stick, Host()):
        pass


def test_a_file_where_a_disk_was_is_refused(stick: Target) -> None:
    """This happens when a stick is pulled out and a program then writes to its name."""
    target = Target(stick.path, "sdb", len(DATA), replace(SDB, path=stick.path))
    with pytest.raises(Refusal, match="this is another disk"), medium.open_medium(target, Host()):
        pass
    assert stick.path.read_bytes() == DATA


class Slot:
    """A slot for sticks: what is plugged in when it is named, and when it is opened. A file stands
    for the disk, and a folder for the kernel's tree of devices."""

    def __init__(self, stick: Target, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = stick.path
        self.machine = Machine(folder)
        self.sequence, self.number = 0, 0x810
        self.monkeypatch = monkeypatch

    def plug_in(self, facts: dict[str, str], data: bytes = DATA) -> None:
        shutil.rmtree(self.machine.folder, ignore_errors=True)
        self.machine.stick(len(DATA), **facts)
        self.sequence = int(facts.get("diskseq", 0))
        (self.machine.folder / "dev/sdb").unlink()
        (self.machine.folder / "dev/sdb").symlink_to(self.path)
        self.path.write_bytes(data)

    def named(self) -> Target:
        return accept_disk("sdb", 0, self.machine.host)

    def open(self, target: Target) -> None:
        facts = SimpleNamespace(st_mode=stat.S_IFBLK | 0o660, st_rdev=self.number)
        with self.monkeypatch.context() as patch:
            patch.setattr(medium, "disk_sequence", lambda _: self.sequence)
            patch.setattr(os, "fstat", lambda _: facts)
            with medium.open_medium(target, self.machine.host) as disk:
                judge(disk)


@pytest.fixture
def slot(stick: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slot:
    return Slot(stick, tmp_path / "kernel", monkeypatch)


OTHER = {"device/serial": "4C530001", "device/wwid": "t10.SanDisk"}


@pytest.mark.parametrize("facts", [{}, OTHER, {"diskseq": "7"}])
def test_the_disk_that_was_named_is_opened(slot: Slot, facts: dict[str, str]) -> None:
    slot.plug_in(facts)
    slot.open(slot.named())


@pytest.mark.parametrize(
    ("before", "after", "data"),
    [
        ({"diskseq": "7"}, {"diskseq": "8"}, DATA),
        ({"diskseq": "7"}, {}, DATA),
        ({}, {"device/serial": "1"}, DATA),
        ({"device/serial": "1"}, {"device/serial": "2"}, DATA),
        ({"device/wwid": "naa.1"}, {"device/wwid": "naa.2"}, DATA),
        ({"device/cid": "03"}, {"device/cid": "04"}, DATA),
        ({}, {"device/model": "Cruzer"}, DATA),
        ({}, {}, b"\0" + DATA[1:]),
        ({}, {}, DATA[:-1] + bytes([DATA[-1] ^ 1])),
    ],
    ids="sequence unknown known serial name card model beginning end".split(),  # noqa: SIM905
)
def test_another_disk_of_the_same_size_in_its_place_is_refused(
    slot: Slot, before: dict[str, str], after: dict[str, str], data: bytes
) -> None:
    """Also by a kernel that counts no disks, before Linux 5.15."""
    slot.plug_in(before)
    target = slot.named()
    slot.plug_in(after, data)
    with pytest.raises(Refusal, match="this is another disk"):
        slot.open(target)
    assert slot.path.read_bytes() == data


def test_a_disk_with_another_number_is_refused(slot: Slot) -> None:
    slot.plug_in({})
    target = slot.named()
    slot.number = 0x820
    with pytest.raises(Refusal, match="this is another disk"):
        slot.open(target)


def test_a_disk_that_the_kernel_no_longer_shows_is_refused(slot: Slot) -> None:
    slot.plug_in({})
    target = slot.named()
    shutil.rmtree(slot.machine.folder / "sys")
    with pytest.raises(Refusal, match="this is another disk"):
        slot.open(replace(target, path=slot.path))


def test_a_disk_that_may_not_be_read_has_no_mark(
    slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    slot.plug_in({})
    monkeypatch.setattr(os, "open", refuse)
    assert slot.named().mark == ""


def test_a_kernel_without_sequence_numbers_is_no_reason_to_refuse(stick: Target) -> None:
    with stick.path.open("rb") as file:
        assert medium.disk_sequence(file.fileno()) == 0


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "sudo setfacl -m u:.*:rw /"),
        (errno.EBUSY, "Unmount it"),
        (errno.EROFS, "write protection"),
        (errno.ENXIO, "Plug it in again"),
    ],
)
def test_a_disk_that_cannot_be_opened_is_refused_with_a_remedy(
    stick: Target, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Refusal, match=remedy), medium.open_medium(stick, Host()):
        pass


def test_nothing_stays_open(stick: Target) -> None:
    before = opened()
    with medium.open_medium(stick, Host()):
        assert opened() > before
    wrong = Target(stick.path, "stick", 1, None)
    with pytest.raises(Refusal), medium.open_medium(wrong, Host()):
        pass
    assert opened() == before


def opened() -> set[str]:
    """Return the names of the open file descriptors of this process that lead to files of the
    tests."""
    links = {path.name: path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    return {name for name, path in links.items() if path.resolve().name == "stick"}
