"""`./exitisp boot` reports failures in a sentence."""

from pathlib import Path

import pytest

from tests.command import exitisp


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "exitisp.img"
    path.write_bytes(bytes(1 << 20))
    return path


def test_a_machine_that_does_not_start(tmp_path: Path, image: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    qemu = programs / "qemu-system-x86_64"
    qemu.write_text("#!/bin/sh\necho 'no memory' >&2\nexit 1\n")
    qemu.chmod(0o755)
    done = exitisp("boot", image, folder=tmp_path, PATH=f"{programs}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "exitisp: machine did not start\n" in done.stderr
    assert done.stderr.endswith("no memory\n\n")
    assert "Traceback" not in done.stderr


def test_a_firmware_that_there_is_not(tmp_path: Path, image: Path) -> None:
    done = exitisp("boot", image, "--firmware", "coreboot", folder=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "exitisp: --firmware: 'coreboot' is not known. Choose bios or uefi.\n",
    )
