"""The command line of the box."""

import contextlib
import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from firstboot.box import cli
from firstboot.box.commandline.declared import COMMANDS
from firstboot.box.commandline.parse import Call, parse
from firstboot.box.host import Host
from firstboot.box.systems import rehearsal
from firstboot.core.release_info import PLACE, Stamp, render
from tests.firstboot.box.box import EXAMPLE, ROOT, Box, altered
from tests.firstboot.box.test_apply import configured


@pytest.fixture(autouse=True)
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)


def test_every_command_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["-h"], ["help"]):
        assert cli.main(words) == 0
        said = capsys.readouterr().out
        for name in COMMANDS:
            assert re.search(rf"^  {name}\s", said, re.MULTILINE)
        assert "--root" not in said


def test_every_command_runs_something() -> None:
    assert cli.RUN.keys() == COMMANDS.keys()


class Replaced(BaseException):
    """The program has been replaced by another one."""


def test_in_a_session_of_ssh_it_starts_again_in_the_first_routing_table(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The resolver and the metrics of relays answer there alone, and services start there."""
    started = []

    def replaced(program: str, command: list[str], environment: dict[str, str]) -> None:
        started.append((program, command))
        raise Replaced

    monkeypatch.setattr(os, "execvpe", replaced)
    box.answer("sysctl -n net.my_fibnum", "1\n")
    with pytest.raises(Replaced):
        cli.main(["apply", "a file.yaml"])
    command = ["setfib", "-F", "0", sys.executable, "apply", "a file.yaml"]
    assert started == [("setfib", command)]
    for table in ("0\n", "sysctl: unknown oid"):
        box.answer("sysctl -n net.my_fibnum", table)
        assert cli.main(["diff"]) == 1
    assert len(started) == 1


def test_a_box_that_cannot_start_it_again_says_so(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "SEARCH", "/nonexistent")
    box.answer("sysctl -n net.my_fibnum", "1\n")
    assert cli.main(["status"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("exitisp: setfib: exitisp has to be started by it, and it does not run")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ([name, "--help"], [name, "-h"], ["help", name]):
        assert cli.main(words) == 0
        said = capsys.readouterr().out
        assert said.startswith(f"usage: exitisp {name}")
        assert f"\nExample: exitisp {name}" in said
        assert all(len(line) < 80 for line in said.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_understood(name: str) -> None:
    words = re.split(r" [|>] ", COMMANDS[name].example)[0].split()
    call = parse(words[1:])
    assert isinstance(call, Call)
    assert call.command.name == name


def test_the_version_is_the_release_that_the_image_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--root", str(tmp_path), "--version"]) == 0
    assert capsys.readouterr().out == "exitisp 0.1\n"
    path = tmp_path / PLACE
    path.parent.mkdir(parents=True)
    for commit, told in (("", ""), ("5eed" * 10, f", commit {'5eed' * 10}")):
        path.write_bytes(render(Stamp("2026.11", "HardenedBSD 15-STABLE", 1, commit)))
        assert cli.main(["--root", str(tmp_path), "--version"]) == 0
        assert capsys.readouterr().out == f"exitisp 2026.11 (HardenedBSD 15-STABLE{told})\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "exitisp: a command is missing. Run exitisp --help for the list."),
        ("stat", "exitisp: there is no command 'stat'. Did you mean status?"),
        ("nonsense", "exitisp: there is no command 'nonsense'. Run exitisp --help."),
        ("help upgarde", "exitisp: there is no command 'upgarde'. Did you mean upgrade?"),
        ("--verison", "exitisp: there is no option '--verison'."),
        ("apply", "exitisp apply: FILE is missing: the site file; - is standard input. For"),
        ("apply a b", "exitisp apply: 'b' is one argument too many."),
        ("rollback x", "exitisp rollback: NUMBER is 'x', which is not a number from 1 on."),
        ("rollback 0", "exitisp rollback: NUMBER is '0', which is not a number from 1 on."),
        ("rollback --slto", "exitisp rollback: there is no option '--slto'. Did you mean --slot?"),
        ("rollback 3 --slot", "exitisp rollback: NUMBER and --slot exclude each other."),
        ("apply --confirm", "exitisp apply: --confirm MINUTES is empty."),
        ("apply --confirm x site.yaml", "exitisp apply: --confirm MINUTES is 'x', which is not a"),
        ("status --slot", "exitisp status: there is no option '--slot'."),
    ],
)
def test_what_is_not_understood_is_one_line_and_status_2(
    line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(line.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(told)
    assert said.err.count("\n") == 1


def test_what_begins_with_a_dash_comes_after_two_dashes() -> None:
    call = parse(["apply", "--", "--site.yaml"])
    assert isinstance(call, Call)
    assert call.text("FILE") == "--site.yaml"


@pytest.mark.parametrize(
    "line", ["upgrade x.upgrade", "slots", "keep", "bootcode", "rollback --slot"]
)
def test_what_a_system_cannot_do_is_refused(
    line: str, box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = dataclasses.replace(box.machine, system=rehearsal.SYSTEM)
    monkeypatch.setattr(cli, "_machine", lambda _: machine)
    assert cli.main(line.split()) == 1
    assert capsys.readouterr().err == (
        f"exitisp: exitisp {line.split()[0]}: a rehearsal does not have a second slot and "
        "upgrades. Use an image of HardenedBSD or FreeBSD for it.\n"
    )
    assert box.calls == []


def test_commands_that_a_system_lacks_are_commands() -> None:
    for lack in rehearsal.SYSTEM.lacks:
        for line in lack.commands:
            name, *flags = line.split()
            assert set(flags) <= {flag.name for flag in COMMANDS[name].flags}


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
        assert "asn: 'none' is not an AS number" in told.out
        assert told.err.count("\n") == 1
        assert told.err.startswith(f"exitisp: {path}: the site has ")
    assert cli.main(["raise"]) == 1
    assert (
        "exitisp: this box: it is not configured. Answer the questions of exitisp setup."
        in capsys.readouterr().err
    )


def test_check_knows_how_large_this_box_is(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(EXAMPLE.read_bytes())
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    pages = {"SC_PHYS_PAGES": 3 << 18, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert cli.main(["check", str(path)]) == 0
    assert "warning: relays.count: this machine has 1 core and 3072 MiB" in capsys.readouterr().out
    monkeypatch.setattr(os, "cpu_count", lambda: 256)
    pages["SC_PHYS_PAGES"] = 1 << 28
    assert cli.main(["check", str(path)]) == 0
    told = capsys.readouterr().out
    assert "this machine has" not in told
    assert f"\n{path} asks for about " in told


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
        "cli._machine(cli.parse(['setup']))\n"
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
