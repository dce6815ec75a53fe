"""What is open is what was named, and what is read comes from it, whatever its file system can."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.flash import medium
from image.flash.devices import Device
from image.flash.medium import Medium
from image.flash.safety import Target

MIB = 1 << 20
DATA = os.urandom(2 * MIB + 1536)


@pytest.fixture
def stick(tmp_path: Path) -> Target:
    path = tmp_path / "stick"
    path.write_bytes(DATA)
    return Target(path, "stick", len(DATA), None)


def judge(disk: Medium) -> None:
    for at, length in ((0, 4096), (4096, MIB), (2 * MIB - 4096, 512), (2 * MIB, 1536)):
        assert disk.read(at, length) == DATA[at : at + length]


def test_all_of_it_can_be_read_to_the_last_odd_byte(stick: Target) -> None:
    with medium.opened(stick) as disk:
        assert disk.size == len(DATA)
        judge(disk)


def test_what_is_beyond_the_end_is_not_there(stick: Target) -> None:
    with medium.opened(stick) as disk:
        assert disk.read(2 * MIB, MIB) == DATA[2 * MIB :]
        assert disk.read(4 * MIB, 4096) == b""


def test_where_the_cache_cannot_be_passed_it_is_dropped(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medium, "_open_direct", lambda descriptor: None)
    with medium.opened(stick) as disk:
        judge(disk)


def test_so_it_is_where_that_shows_at_the_first_read(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "preadv", refuse)
    with medium.opened(stick) as disk:
        judge(disk)


def test_a_disk_that_cannot_be_read_is_no_reason_to_ask_the_cache(
    stick: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with medium.opened(stick) as disk:
        if disk._direct is None:
            pytest.skip("this file system cannot be read past the cache")
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(OSError, match="Input/output error"):
            disk.read(0, 4096)


def test_what_is_written_is_read(stick: Target) -> None:
    with medium.opened(stick) as disk:
        disk.write(4096, b"new" * 100)
        disk.settle()
        assert disk.read(4096, 300) == b"new" * 100


def test_one_that_changed_its_size_since_it_was_named_is_refused(stick: Target) -> None:
    os.truncate(stick.path, MIB)
    with pytest.raises(Refusal, match="found another one, of 1048576 bytes"), medium.opened(stick):
        pass


def test_one_that_is_gone_is_refused(stick: Target) -> None:
    stick.path.unlink()
    with pytest.raises(Refusal, match="No such file"), medium.opened(stick):
        pass


def test_a_file_where_a_disk_was_is_refused(stick: Target) -> None:
    """As when a stick was pulled out and a program wrote to its name."""
    device = Device(
        "sdb", stick.path, "8:16", len(DATA), 512, "", "usb", "disk", True, False, (), ()
    )
    target = Target(stick.path, "sdb", len(DATA), device)
    with pytest.raises(Refusal, match="as it was when it was named"), medium.opened(target):
        pass
    assert stick.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EACCES, "sudo setfacl -m u:.*:rw /"),
        (errno.EBUSY, "unmount it"),
        (errno.EROFS, "write protection"),
        (errno.ENXIO, "plug it in again"),
    ],
)
def test_what_cannot_be_opened_is_told_with_a_remedy(
    stick: Target, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(Refusal, match=remedy), medium.opened(stick):
        pass


def test_nothing_stays_open(stick: Target) -> None:
    before = opened()
    with medium.opened(stick):
        assert opened() > before
    wrong = Target(stick.path, "stick", 1, None)
    with pytest.raises(Refusal), medium.opened(wrong):
        pass
    assert opened() == before


def opened() -> set[str]:
    """What of this process leads to a file of the tests, by number."""
    links = {path.name: path for path in Path("/proc/self/fd").iterdir() if path.is_symlink()}
    return {name for name, path in links.items() if path.resolve().name == "stick"}
