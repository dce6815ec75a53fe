"""etc/rc.initdiskless fills the memory disks whole or starts the box again, whatever keys are
pressed, with stand-ins for mdmfs(8) and reboot(8)."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.box_programs import search
from tests.firstboot.site.daemons.sites import ROOT

SCRIPT = ROOT / "overlays/base/files/etc/rc.initdiskless"

NAMES = ("etc", "var")


class Box:
    """The script with the root folder in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        for name in NAMES:
            template = folder / "conf/base" / name
            (template / "rc.d").mkdir(parents=True)
            (template / "md_size").write_text("65536\n")
            (template / "rc.d" / "last").write_text(name)
            (template / "rc.d" / "last").chmod(0o555)
            (folder / name).mkdir()
        self.program("mdmfs", f'echo "$*" >>{folder}/made')
        self.program("reboot", f"touch {folder}/restarted; kill -KILL $PPID")
        self.program("sleep", ":")
        text = SCRIPT.read_text()
        for old, new in (
            ("/conf/base", f"{folder}/conf/base"),
            ("/sbin/mdmfs", f"{folder}/bin/mdmfs"),
            ('"/$name"', f'"{folder}/$name"'),
        ):
            assert old in text
            text = text.replace(old, new)
        self.script = folder / "rc.initdiskless"
        self.script.write_text(text)

    def program(self, name: str, text: str) -> None:
        place = self.root / "bin" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o755)

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            ["sh", self.script],
            env={"PATH": f"{self.root}/bin:{search()}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @property
    def filled(self) -> list[str]:
        """The memory disks that have the last of their files."""
        return [name for name in NAMES if list((self.root / name).rglob("last"))]

    @property
    def restarted(self) -> bool:
        return (self.root / "restarted").exists()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_every_template_fills_a_memory_disk_of_its_size(box: Box) -> None:
    running = box.start()
    assert running.communicate()[0] == ""
    assert running.returncode == 0
    made = (box.root / "made").read_text().splitlines()
    assert made == [f"-S -s 65536 auto {box.root}/{name}" for name in NAMES]
    assert box.filled == list(NAMES)
    assert not box.restarted
    assert (box.root / "etc").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP])
def test_keys_that_interrupt_leave_no_disk_half_filled(box: Box, sent: signal.Signals) -> None:
    """As a terminal does: the signal goes to the whole group, while cp(1) runs."""
    wait = f"until [ -e {box.root}/go ]; do /bin/sleep 0.05; done"
    box.program("cp", f'echo copying; {wait}; rm {box.root}/go; exec /bin/cp "$@"')
    running = box.start()
    assert running.stdout is not None
    for _ in NAMES:
        assert running.stdout.readline() == "copying\n"
        os.killpg(running.pid, sent)
        (box.root / "go").touch()
    assert running.wait() == 0
    assert box.filled == list(NAMES)
    assert not box.restarted


@pytest.mark.parametrize("fails", ["mdmfs", "cp"])
def test_a_disk_that_cannot_be_filled_starts_the_box_again(box: Box, fails: str) -> None:
    box.program(fails, "exit 1")
    running = box.start()
    assert "The box starts again in ten seconds" in running.communicate()[0]
    assert box.restarted
    assert box.filled == []


def test_a_template_without_a_size_starts_the_box_again(box: Box) -> None:
    (box.root / "conf/base/etc/md_size").unlink()
    running = box.start()
    running.communicate()
    assert box.restarted
    assert box.filled == []
