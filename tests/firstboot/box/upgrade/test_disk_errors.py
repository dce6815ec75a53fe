"""Upgrades and boot programs on a disk that fails: one sentence, and a box that starts."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstboot.box import cli
from firstboot.box.host import Ran
from firstboot.box.upgrade import switch
from firstboot.box.upgrade.slots import held
from tests.firstboot.box.disk_errors import ERRORS, Failure, failing
from tests.firstboot.box.upgrade.conftest import Made, running
from tests.firstboot.box.upgrade.disk import Disk
from tests.firstboot.box.upgrade.test_boot_programs import NEW, OLD, Firmware
from tests.firstboot.box.upgrade.test_boot_programs import disk as with_boot_programs

SOME = 4
"""Steps of a command that fail in each way, unless all do."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "PAUSE", 0.0)


def each_failure(
    ready: Callable[[], Disk], line: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> Any:
    """Run the command `line` with one failure after the other; yields each disk, the status and
    what was said on standard error."""
    failure = Failure((), -1, 5)

    def pausing(real: Callable[..., Ran]) -> Callable[..., Ran]:
        def run(disk: Disk, *command: str) -> Ran:
            failure.paused, before = True, failure.paused
            try:
                return real(disk, *command)
            finally:
                failure.paused = before

        return run

    for stand_in in (Disk, Firmware):
        monkeypatch.setattr(stand_in, "run", pausing(stand_in.run))

    def once(at: int, error: int) -> tuple[Disk, int, str]:
        nonlocal failure
        disk = ready()
        monkeypatch.setattr(cli, "_machine", lambda _: disk.machine)
        failure = Failure((disk.root,), at, error)
        capsys.readouterr()
        with failing(failure):
            status = cli.main(line.split())
        return disk, status, capsys.readouterr().err

    for error in ERRORS:
        once(-1, error)
        steps = failure.steps
        every = 1 if "EXITISP_FULL" in os.environ else max(steps // SOME, 1)
        for at in range(0, steps, every):
            disk, status, told = once(at, error)
            here = f"{ERRORS[error]}, {failure.happened}: status {status}, {told!r}"
            assert status in (0, 1), here
            assert told.count("\n") == status, here
            yield disk, status, here


def test_an_upgrade_that_fails_leaves_the_running_system(
    old: Made, new: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def ready() -> Disk:
        shutil.rmtree(tmp_path / "box", ignore_errors=True)
        return running(old, tmp_path / "box")

    for disk, status, here in each_failure(ready, f"upgrade {new.upgrade}", monkeypatch, capsys):
        assert ("shutdown -r now" in disk.calls) == (status == 0), here
        assert disk.start() == ("rootB" if status == 0 else "rootA"), here


@pytest.mark.parametrize("line", ["slots", "keep", "rollback --slot"])
def test_a_slot_on_trial_is_confirmed_or_left(
    line: str, old: Made, new: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    template = running(old, tmp_path / "like")
    switch.upgrade(str(new.upgrade), template.machine, lambda _: None)
    assert template.start() == "rootB"

    def ready() -> Disk:
        shutil.rmtree(tmp_path / "box", ignore_errors=True)
        shutil.copytree(template.root, tmp_path / "box", symlinks=True)
        marks = {label: set(marks) for label, marks in template.marks.items()}
        return Disk(tmp_path / "box", "rootB", marks)

    for disk, status, here in each_failure(ready, line, monkeypatch, capsys):
        states = {one.slot.label: one.state for one in held(disk.machine)}
        confirmed = states["rootB"] == "running, confirmed"
        assert confirmed or states["rootA"] == "confirmed", here
        assert confirmed or line != "keep" or status == 1, here
        assert not confirmed or line == "keep", here


def test_a_disk_starts_if_its_boot_programs_cannot_be_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def ready() -> Disk:
        shutil.rmtree(tmp_path / "box", ignore_errors=True)
        return with_boot_programs(tmp_path / "box")

    for disk, _, here in each_failure(ready, "bootcode", monkeypatch, capsys):
        assert disk.bios_starts() in (OLD["gptboot"], NEW["gptboot"]), here
        assert disk.uefi_starts(), here
        for program in disk.uefi_starts():
            assert program in (OLD["gptboot.efi"], NEW["gptboot.efi"]), here
