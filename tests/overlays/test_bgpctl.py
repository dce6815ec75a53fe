"""Nothing of the box connects to bgpd's control socket before bgpd has settled."""

import re
import subprocess
from pathlib import Path

import pytest

from firstboot.box.systems.freebsd import SYSTEM
from tests.box_programs import search
from tests.firstboot.box.box import ROOT

SCRIPT = ROOT / "overlays/bgp/files/usr/local/libexec/exitisp/bgpctl"

HEAD = "USER     COMMAND    PID   FD  PROTO  LOCAL ADDRESS         FOREIGN ADDRESS\n"
OTHERS = "root     devd         600 4   stream /var/run/devd.pipe\n"
STARTING = f"{HEAD}{OTHERS}root     bgpd        1700 9   stream /var/run/bgpd.sock.0\n"
ON_ITS_WAY = f"{HEAD}{OTHERS}?        ?              ? ?   stream /var/run/bgpd.sock.0\n"
SETTLED = f"{HEAD}{OTHERS}_bgpd    bgpd        1702 5   stream /var/run/bgpd.sock.0\n"
"""In the form of ``sockstat -lu``: the parent has the socket, nobody, the session engine."""


class Programs:
    """Stand-ins of sockstat, ps, bgpctl and sleep in a folder, which keep a log of their calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("sockstat", "ps", "bgpctl", "sleep"):
            self.says(name, "")

    def says(self, name: str, text: str, then: str = "") -> None:
        path = self.folder / name
        (self.folder / f"{name}.out").write_text(text)
        log = f'echo "{name} $*" >>{self.folder}/calls'
        path.write_text(f"#!/bin/sh\n{log}\ncat {self.folder}/{name}.out\n{then}\n")
        path.chmod(0o755)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        (self.folder / "calls").write_text("")
        path = f"{self.folder}:{search()}"
        return subprocess.run(
            ["sh", SCRIPT, *arguments], capture_output=True, text=True, env={"PATH": path}
        )

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


@pytest.mark.parametrize(
    ("sockets", "age"),
    [("", "100"), (STARTING, "100"), (ON_ITS_WAY, "100"), (SETTLED, "4"), (SETTLED, "")],
)
def test_a_bgpd_that_has_not_settled_is_not_asked(
    programs: Programs, sockets: str, age: str
) -> None:
    programs.says("sockstat", sockets)
    programs.says("ps", f"{age}\n")
    ran = programs.run("show")
    assert (ran.returncode, ran.stdout, ran.stderr) == (75, "", "bgpd has not settled yet\n")
    assert not any(call.startswith("bgpctl") for call in programs.calls)


def test_a_bgpd_that_has_settled_is_asked(programs: Programs) -> None:
    programs.says("sockstat", SETTLED)
    programs.says("ps", "  5\n")
    programs.says("bgpctl", "neighbours\n", "exit 3")
    ran = programs.run("show", "summary")
    assert (ran.returncode, ran.stdout) == (3, "neighbours\n")
    assert programs.calls == ["sockstat -lu", "ps -o etimes= -p 1702", "bgpctl show summary"]


def test_it_waits_no_longer_than_it_was_told(programs: Programs) -> None:
    programs.says("sockstat", ON_ITS_WAY)
    assert programs.run("-w", "3", "reload").returncode == 75
    assert programs.calls.count("sleep 1") == 3


def test_it_goes_on_as_soon_as_bgpd_has_settled(programs: Programs) -> None:
    programs.says("sockstat", ON_ITS_WAY)
    programs.says("ps", "9\n")
    (programs.folder / "later").write_text(SETTLED)
    programs.says("sleep", "", f"cp {programs.folder}/later {programs.folder}/sockstat.out")
    assert programs.run("-w", "60", "reload").returncode == 0
    assert programs.calls.count("sleep 1") == 1
    assert programs.calls[-1] == "bgpctl reload"


NO_BOX = ROOT / "qemu/bench/speakers.py"
"""Asks an OpenBGPD that runs on this host, which has settled before."""


def test_nothing_of_the_box_or_the_lab_uses_bgpctl_itself() -> None:
    """Commands of services, templates, scripts and the program, and what the lab and the benchmarks
    type: all of them take the script. What the program tells people to type is theirs: bgpd has
    settled long before."""
    for service in SYSTEM.services:
        assert "bgpctl" not in (*service.reload[:1], *service.ready[:1])
    paths = [
        *(ROOT / "overlays").glob("*/templates/*"),
        *(path for path in (ROOT / "overlays").glob("*/files/**/*") if path != SCRIPT),
        *(path for path in (ROOT / "qemu").rglob("*.py") if path != NO_BOX),
    ]
    command = re.compile(
        r"""(?<!/)\bbgpctl["' ]+(-j )?,?\s*"?(show|reload|neighbor|nexthop|network|fib)"""
    )
    for path in (path for path in paths if path.is_file() and "/man/" not in str(path)):
        text = path.read_bytes().decode("utf-8", "replace")
        # The lab looks for what people are told.
        assert not command.search(re.sub(r"told\([^)]*\)", "", text)), path
    for path in (ROOT / "firstboot").rglob("*.py"):
        assert not re.search(r"""["']bgpctl["']""", path.read_text()), path
