"""The command line of the box."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firstboot.box import cli
from firstboot.box.host import Host
from tests.firstboot.box.box import EXAMPLE, ROOT, Box, altered
from tests.firstboot.box.test_apply import configured

COMMANDS = (
    *("setup", "reconfigure", "show", "diff", "rollback", "apply", "check", "status", "raise"),
    *("drain", "undrain", "backup", "restore", "boot", "unattended"),
)


@pytest.fixture(autouse=True)
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)


def test_every_command_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "Example: exitisp status" in said
    for name in COMMANDS:
        assert re.search(rf"^    {name}\s", said, re.MULTILINE)
    assert "--root" not in said


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("exitisp 0.")


@pytest.mark.parametrize("line", [[], ["nonsense"], ["apply"], ["rollback", "x"], ["stat"]])
def test_what_is_not_understood_is_status_2(line: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(line)
    assert ended.value.code == 2


def test_a_site_is_applied_shown_and_gone_back_from(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(EXAMPLE.read_bytes())
    assert cli.main(["apply", str(path)]) == 0
    assert "The transit and exchange ports are up." in capsys.readouterr().out
    path.write_bytes(altered(("asn: 65536", "asn: 65538")))
    assert cli.main(["apply", str(path)]) == 0
    assert cli.main(["diff"]) == 0
    assert "+    remote-as 65538" in capsys.readouterr().out
    assert cli.main(["rollback"]) == 0
    assert cli.main(["status"]) == 0
    assert "running: generation 1" in capsys.readouterr().out


def test_a_refusal_is_one_line_and_status_1(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(altered(("asn: 65550", "asn: none")))
    for command in ("apply", "check"):
        assert cli.main([command, str(path)]) == 1
        told = capsys.readouterr()
        assert "asn: expected an ASN" in told.out
        assert told.err.count("\n") == 1
        assert told.err.startswith(f"exitisp: {path}: expected a site without errors")
    assert cli.main(["raise"]) == 1
    assert "exitisp: this box: expected a configuration" in capsys.readouterr().err


def test_ports_are_raised_again_by_hand(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    configured(box)
    assert cli.main(["raise"]) == 0
    assert box.calls[-1] == "service exitisp_ports raise"
    box.answer("pfctl -s info", "Status: Disabled")
    assert cli.main(["raise"]) == 1
    told = capsys.readouterr()
    assert "Not so: pf guards every port towards strangers: pf is off" in told.out
    assert "they stay down, because pf is off" in told.err


@pytest.mark.parametrize("command", ["raise", "slots"])
def test_it_waits_for_another_that_is_at_work(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """Somebody who types a command during a boot does not keep the ports down."""
    configured(box)
    waits: list[float] = []
    with contextlib.ExitStack() as other:
        other.enter_context(box.machine.alone())

        def ended(seconds: float) -> None:
            waits.append(seconds)
            other.close()

        monkeypatch.setattr("firstboot.box.machine.time.sleep", ended)
        cli.main([command])
    assert waits
    assert "at work" not in capsys.readouterr().err
    assert command != "raise" or box.calls[-1] == "service exitisp_ports raise"


def test_a_file_on_the_stick_is_taken(
    box: Box, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/site.yaml").write_bytes(EXAMPLE.read_bytes())
    assert cli.main(["unattended", str(tmp_path / "stick")]) == 0
    assert "The site file was taken: generation 1." in capsys.readouterr().out
    (tmp_path / "stick/SITE.YAML").write_bytes(EXAMPLE.read_bytes())
    assert cli.main(["unattended", "--finish", str(tmp_path / "stick")]) == 0
    assert [path.name for path in (tmp_path / "stick").iterdir()] == ["site-findings.txt"]


def test_a_console_that_is_gone_does_not_stop_what_is_done(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(EXAMPLE.read_bytes())

    def lost(text: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys.stdout, "write", lost)
    assert cli.main(["apply", str(path)]) == 0
    assert box.machine.generations.current() == 1
    assert box.calls[-1] == "service exitisp_ports raise"


def test_it_starts_with_nothing_in_its_environment(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "firstboot", "--root", tmp_path, "status"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.stdout == "not configured: answer the questions of exitisp setup\n"
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_console_greets_before_what_takes_long_is_loaded() -> None:
    """With the site model come Jinja2 and PyYAML, seconds on an emulated processor."""
    code = (
        "import sys, firstboot.box.setup\n"
        "from firstboot.box import cli\n"
        "cli._machine(cli._parser().parse_args(['setup']))\n"
        "print(*{'jinja2', 'yaml', 'firstboot.site.model'} & {*sys.modules})\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, "\n")


def test_programs_that_fail_hang_or_are_not_there_are_told_apart(tmp_path: Path) -> None:
    machine = Host(tmp_path, os.environ["PATH"])
    assert machine.run("sh", "-c", "echo out; echo err >&2; exit 3").status == 3
    assert machine.run("sh", "-c", "echo out; echo err >&2").text == "out\nerr\n"
    assert machine.run("cat", given="secret\n").text == "secret\n"
    assert machine.run("no-such-program").status == 127
    assert machine.run("sleep", "60", patience=0.1).status == 124
    assert machine.run("sh", "-c", "echo $HOME$EXITISP_SETS").text == "/root\n"
