"""What rpki-client validated is kept over a restart, and fills neither memory nor /data."""

import hashlib
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.box_programs import search
from tests.firstboot.box.box import ROOT

FILES = ROOT / "overlays/bgp/files"
SCRIPT = FILES / "usr/local/libexec/exitisp/rpki"
RC = FILES / "etc/rc.d/exitisp_rpki"

ROAS = "roa-set {\n\t192.0.2.0/24 source-as 64500 expires 2000000000\n}\n"
HOUR = 3600


class Box:
    """The script with all its paths below a folder, and stand-ins of the programs it runs."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        text = re.sub(r"(?<![\w$])/(usr/local|var|data)/", rf"{folder}/\1/", SCRIPT.read_text())
        self.script = folder / "rpki"
        self.script.write_text(text)
        for one in ("usr/local/sbin", "usr/local/libexec/exitisp", "var/db/rpki-client", "data"):
            (folder / one).mkdir(parents=True)
        self.validated = folder / "var/db/rpki-client/openbgpd"
        self.validated.write_text("")
        self.kept = folder / "data/rpki.openbgpd"
        self.client(f"printf '%s' '{ROAS}' >{self.validated}")
        self.program("usr/local/libexec/exitisp/bgpctl", f'echo "$@" >>{folder}/reloads')
        self.program("bin/sha256", "shift; sha256sum $1 | cut -c-64")
        self.program("bin/fsync", ":")
        self.mounted(True)

    def program(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o755)

    def client(self, text: str) -> None:
        self.program("usr/local/sbin/rpki-client", f'echo "$@" >>{self.root}/runs\n{text}')

    def mounted(self, there: bool) -> None:
        place = f"{self.root}/var/cache/rpki-client" if there else "/elsewhere"
        self.program("bin/mount", f"printf '/dev/md0\\t{place}\\tufs\\trw\\t0 0\\n'")

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        path = f"{self.root}/bin:{search()}"
        return subprocess.run(
            ["sh", self.script, *arguments], capture_output=True, text=True, env={"PATH": path}
        )

    def lines(self, name: str) -> list[str]:
        path = self.root / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def test_a_run_asks_from_the_given_address_reloads_and_is_kept(box: Box) -> None:
    assert box.run("validate", "198.51.100.1").returncode == 0
    assert box.lines("runs") == ["-b 198.51.100.1"]
    assert box.lines("reloads") == ["-w 60 reload"]
    digest = hashlib.sha256(ROAS.encode()).hexdigest()
    assert box.kept.read_text() == f"{ROAS}# {digest}\n"


def test_what_is_younger_than_an_hour_is_not_fetched_again(box: Box) -> None:
    box.validated.write_text(ROAS)
    age(box.validated, 50 * 60)
    box.run("validate", "198.51.100.1")
    assert box.lines("runs") == []
    age(box.validated, 58 * 60)
    box.run("validate", "198.51.100.1")
    assert len(box.lines("runs")) == 1


def test_a_run_that_fails_is_not_kept_and_comes_again(box: Box) -> None:
    box.client("exit 1")
    for _ in range(2):
        assert box.run("validate", "198.51.100.1").returncode != 0
    assert len(box.lines("runs")) == 2
    assert not box.kept.exists()
    assert box.lines("reloads") == []


def test_nothing_is_fetched_into_memory(box: Box) -> None:
    box.mounted(False)
    ran = box.run("validate", "198.51.100.1")
    assert ran.returncode == 1
    assert "nothing is fetched" in ran.stdout
    assert box.lines("runs") == []


def test_a_restart_brings_back_what_was_kept_with_its_age(box: Box) -> None:
    box.run("validate", "198.51.100.1")
    age(box.kept, 5 * HOUR)
    box.validated.write_text("")
    assert box.run("restore").returncode == 0
    assert box.validated.read_text() == ROAS
    assert abs(time.time() - box.validated.stat().st_mtime - 5 * HOUR) < 60


@pytest.mark.parametrize("hours", [25, 24 * 3650])
def test_what_is_older_than_a_day_does_not_come_back(box: Box, hours: int) -> None:
    box.run("validate", "198.51.100.1")
    age(box.kept, hours * HOUR)
    box.validated.write_text("")
    box.run("restore")
    assert box.validated.read_text() == ""


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_what_is_damaged_does_not_come_back_and_is_told(box: Box, cut: int) -> None:
    box.run("validate", "198.51.100.1")
    whole = box.kept.read_text()
    box.kept.write_text(whole[:cut] if cut >= 0 else whole.replace("64500", "64501"))
    box.validated.write_text("")
    ran = box.run("restore")
    assert box.validated.read_text() == ""
    assert "damaged" in ran.stdout


def test_a_box_that_kept_nothing_starts_with_nothing(box: Box) -> None:
    ran = box.run("restore")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    assert box.validated.read_text() == ""


def test_the_scripts_are_sh() -> None:
    for script in (SCRIPT, RC):
        subprocess.run(["sh", "-n", script], check=True)
