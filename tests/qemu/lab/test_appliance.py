"""The commands that the lab types as root, run in a shell of this host."""

import os
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from firstboot.site.address_plan import allot
from qemu.accelerator import Accelerator
from qemu.console import CommandFailed, Output
from qemu.lab.appliance import Appliance
from qemu.lab.lab_site import SITE
from qemu.lab.systems import HARDENEDBSD, Validation
from qemu.machine import Machine

ANCHOR = ".\tIN\tDS\t60296 13 2 e78317b8\n"
TORRC = "TestingTorNetwork 1\nDirAuthority one orport=9001 v3ident=AA 11.0.0.1:9030 BB\n"
ROAS = "roa-set {\n  198.51.100.0/24 maxlen 24 source-as 65550\n}\n"
LOCATOR = "https://rpki.example.net/ta.cer\n\nMIIB\nIjAN\n"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@dataclass(frozen=True)
class Trust:
    anchor: str = ANCHOR
    torrc: str = TORRC
    roas: str = ROAS
    locator: str = LOCATOR
    web_authority: str = PEM


@dataclass
class Shell:
    """A console that refuses control characters, as the real one does."""

    typed: list[str] = field(default_factory=list)

    def login(self, user: str, password: str, timeout: float) -> None:
        self.typed.append(f"{user} logs in")

    def run(self, command: str, timeout: float, *, check: bool = True) -> Output:
        assert not any(char < " " and char != "\n" for char in command)
        self.typed.append(command)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
        output = Output(done.stdout + done.stderr, done.returncode)
        if check and output.status:
            raise CommandFailed(command, output)
        return output


@dataclass
class Box:
    console: Shell = field(default_factory=Shell)


@pytest.fixture
def box() -> Box:
    return Box()


def appliance(box: Box, folder: Path) -> Appliance:
    """A system whose files are in `folder`, and whose service commands only print their names."""
    system = replace(
        HARDENEDBSD,
        anchor=f"{folder}/root.key",
        origins=f"{folder}/origins",
        torrc=f"{folder}/torrc@relay{{number}}",
        owner=f"{os.getuid()}",
        resolver="true resolver",
        relays="true relays",
        bgp="true bgp",
        emulated="echo emulated",
    )
    return Appliance(cast(Machine, box), system, SITE)


def test_the_daemons_learn_whom_to_trust_and_begin_anew(box: Box, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"torrc@relay{number}").write_text(f"Nickname relay{number}\n")
    appliance(box, tmp_path).teach(Trust())
    assert (tmp_path / "root.key").read_text() == ANCHOR.replace("\t", " ")
    assert (tmp_path / "origins").read_text() == ROAS
    for number in (1, 2):
        text = (tmp_path / f"torrc@relay{number}").read_text()
        assert text == f"Nickname relay{number}\n{TORRC}"
    services = [command for command in box.console.typed if command.startswith("true ")]
    assert services == [
        "true bgp reload",
        "true resolver stop",
        "true resolver start",
        "true relays stop",
        "true relays start",
    ]


def test_a_box_with_a_validator_learns_its_trust_anchor_and_no_origins(
    box: Box, tmp_path: Path
) -> None:
    for number in (1, 2):
        (tmp_path / f"torrc@relay{number}").write_text("")
    for name in ("tal", "pem"):
        (tmp_path / name).touch(0o600)
    validation = Validation(
        f"{tmp_path}/tal", f"{tmp_path}/pem", f"echo {{source}} >{tmp_path}/ran"
    )
    one = appliance(box, tmp_path)
    one = replace(one, system=replace(one.system, validation=validation))
    one.teach(Trust())
    assert (tmp_path / "tal").read_text() == LOCATOR
    assert (tmp_path / "pem").read_text() == PEM
    assert not (tmp_path / "origins").exists()
    readable = [(tmp_path / name).stat().st_mode & 0o777 for name in ("tal", "pem")]
    assert readable == [0o644, 0o644]
    one.validate()
    assert (tmp_path / "ran").read_text() == f"{allot(SITE).router.v4}\n"


@pytest.mark.parametrize(
    ("accelerator", "more"), [(Accelerator.TCG, ["echo emulated"]), (Accelerator.KVM, [])]
)
def test_programs_lie_where_they_lay_on_a_processor_that_is_emulated(
    box: Box,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    accelerator: Accelerator,
    more: list[str],
) -> None:
    monkeypatch.setattr("qemu.accelerator.best", lambda: accelerator)
    appliance(box, tmp_path).login()
    assert box.console.typed == ["root logs in", *more]


def test_a_command_that_fails_is_told(box: Box, tmp_path: Path) -> None:
    one = appliance(box, tmp_path)
    with pytest.raises(CommandFailed, match="status 3"):
        one.said("exit 3")
    assert one.ran("echo so; exit 3") == Output("so\n", 3)


def test_text_with_everything_that_a_shell_takes_for_its_own_arrives(
    box: Box, tmp_path: Path
) -> None:
    text = "$HOME `id` \\ 'single' \"double\" | > < & ; {} () * ?\n"
    one = appliance(box, tmp_path)
    one.put(f"{tmp_path}/a file", text)
    one.put(f"{tmp_path}/a file", text, appending=True)
    assert (tmp_path / "a file").read_text() == text * 2
