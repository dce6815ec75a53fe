"""The disk that is open is the one that was named, and reads come from the disk and not from a
cache."""

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from firstboot.core.refusal import Refusal
from image.flash import medium
from image.flash.devices import Device
from image.flash.medium import Medium
from image.flash.safety import Target

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
    with medium.open_medium(stick) as disk:
        assert disk.size == len(DATA)
        judge(disk)


def test_reads_beyond_the_end_are_empty(stick: Target) -> None:
    with medium.open_medium(stick) as disk:
        assert disk.read(2 * MIB, MIB) == DATA[2 * MIB :]
        assert disk.read(4 * MIB, 4096) == b""


def test_without_o_direct_the_cache_is_dropped(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medium, "_open_direct", lambda descriptor: None)
    with medium.open_medium(stick) as disk:
        judge(disk)


def test_the_cache_is_dropped_where_the_first_direct_read_fails(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "preadv", refuse)
    with medium.open_medium(stick) as disk:
        judge(disk)


def test_a_read_error_is_not_answered_from_the_cache(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with medium.open_medium(stick) as disk:
        if disk._direct is None:
            pytest.skip("this file system cannot be read past the cache")
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(OSError, match="Input/output error"):
            disk.read(0, 4096)


def test_written_bytes_are_read_back(stick: Target) -> None:
    with medium.open_medium(stick) as disk:
        disk.write(4096, b"new" * 100)
        disk.flush()
        assert disk.read(4096, 300) == b"new" * 100


def test_a_disk_whose_size_changed_after_it_was_named_is_refused(stick: Target) -> None:
    os.truncate(stick.path, MIB)
    told = "another disk, of 1048576 bytes"
    with pytest.raises(Refusal, match=told), medium.open_medium(stick):
        pass


def test_a_disk_that_is_gone_is_refused(stick: Target) -> None:
    stick.path.unlink()
    with pytest.raises(Refusal, match="No such file"), medium.open_medium(stick):
        pass


def test_a_file_where_a_disk_was_is_refused(stick: Target) -> None:
    """This happens when a stick is pulled out and a program then writes to its name."""
    target = Target(stick.path, "sdb", len(DATA), replace(SDB, path=stick.path))
    with pytest.raises(Refusal, match="this is another disk"), medium.open_medium(target):
        pass
    assert stick.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("number", "sequence", "same"),
    [(0x810, 7, True), (0x820, 7, False), (0x810, 8, False), (0x810, 0, False)],
)
def test_another_disk_of_the_same_size_is_refused(
    stick: Target, monkeypatch: pytest.MonkeyPatch, number: int, sequence: int, same: bool
) -> None:
    """A file stands for the disk: the test says which numbers the kernel has for it."""
    target = Target(stick.path, "sdb", len(DATA), replace(SDB, path=stick.path, sequence=7))
    true_facts = os.fstat

    def as_disk(descriptor: int) -> SimpleNamespace:
        true_facts(descriptor)
        return SimpleNamespace(st_mode=stat.S_IFBLK | 0o660, st_rdev=number)

    monkeypatch.setattr(medium, "disk_sequence", lambda descriptor: sequence)
    monkeypatch.setattr(os, "fstat", as_disk)
    if same:
        with medium.open_medium(target) as disk:
            judge(disk)
        return
    with pytest.raises(Refusal, match="this is another disk"), medium.open_medium(target):
        pass


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
    with pytest.raises(Refusal, match=remedy), medium.open_medium(stick):
        pass


def test_nothing_stays_open(stick: Target) -> None:
    before = opened()
    with medium.open_medium(stick):
        assert opened() > before
    wrong = Target(stick.path, "stick", 1, None)
    with pytest.raises(Refusal), medium.open_medium(wrong):
        pass
    assert opened() == before


def opened() -> set[str]:
    """Return the names of the open file descriptors of this process that lead to files of the
    tests."""
    links = {path.name: path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    return {name for name, path in links.items() if path.resolve().name == "stick"}
