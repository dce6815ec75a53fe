"""A file that is kept is on the disk, and not in its cache, before it has its name."""

import os
from pathlib import Path

import pytest

from firstboot.core import durable


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order, on a FreeBSD with a disk that has a cache."""
    done: list[str] = []
    device = tmp_path / "disk"
    device.touch()
    real = os.replace

    def replace(source: str, target: str) -> None:
        done.append("replace")
        real(source, target)

    def ioctl(_: int, request: int) -> None:
        assert request == 0x20000000 | ord("d") << 8 | 135
        done.append("flush")

    monkeypatch.setattr(durable, "DISK", device)
    monkeypatch.setattr("fcntl.ioctl", ioctl)
    monkeypatch.setattr(os, "replace", replace)
    return done


def test_the_cache_is_emptied_before_the_name_changes_and_after(
    disk: list[str], tmp_path: Path
) -> None:
    durable.keep(tmp_path / "kept", b"answers")
    assert disk == ["flush", "replace", "flush"]
    assert (tmp_path / "kept").read_bytes() == b"answers"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600


def test_a_disk_that_knows_no_such_thing_keeps_files_all_the_same(
    disk: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ioctl(_: int, __: int) -> None:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    durable.keep(tmp_path / "kept", b"answers")
    (tmp_path / "disk").unlink()
    durable.keep(tmp_path / "kept", b"others")
    assert (tmp_path / "kept").read_bytes() == b"others"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]


def test_a_pipe_or_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="what is there is no file"):
        durable.keep(tmp_path / "pipe", b"answers")
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.keep(tmp_path / "kept", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.keep(tmp_path / "kept", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("kept", b"old")]
