"""What people type, and what the program makes of it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from image.commandline.completion import Shell
from tests.command import ROOT, command
from tests.image.commandline.shop import called, shop

NOTHING: dict[str, Any] = {"target": None, "shell": None, "size": 7, "extra": [], "gift": False}


def run(*words: str) -> int:
    """The exit status of the shop's program; 0 if it ends without one."""
    called.clear()
    try:
        shop(ROOT).run(["./exitisp", *words])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("sell bread", {}),
        ("sell bread Ada", {"target": Path("Ada")}),
        ("sell --gift bread --size 2 Ada", {"target": Path("Ada"), "gift": True, "size": 2}),
        ("sell bread --size=2 --shell=zsh", {"size": 2, "shell": Shell.ZSH}),
        ("sell bread -s 2", {"size": 2}),
        ("sell bread --extra a --extra=b=c", {"extra": [Path("a"), Path("b=c")]}),
        ("sell bread -- --gift", {"target": Path("--gift")}),
        ("sell bread -", {"target": Path("-")}),
    ],
)
def test_options_and_operands_stand_in_any_order(words: str, given: dict[str, Any]) -> None:
    assert run(*words.split()) == 0
    assert called == [{"source": Path("bread"), **NOTHING, **given}]


def test_an_operand_may_take_all_words_that_are_left() -> None:
    assert run("greet", "Ada", "--by", "Alan", "Grace", "*", "") == 0
    assert called == [{"names": ["Ada", "Grace", "*", ""], "by": "Alan"}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sel", "sel: no such command. Did you mean sell? ./exitisp --help lists them."),
        ("xyzzy", "xyzzy: no such command. ./exitisp --help lists them."),
        ("help sel", "sel: no such command. Did you mean sell? ./exitisp --help lists them."),
        ("buy", "buy: it is no command here. Its name is sell."),
        ("--dry sell", "--dry: an option follows a command. See ./exitisp --help."),
        ("sell", "sell: SOURCE is missing (what is sold). ./exitisp sell --help has an example."),
        ("greet x", "greet: --by NAME is missing (who asks). ./exitisp greet --help has an "
         "example."),
        ("sell a b c", "c: sell takes no such argument. ./exitisp sell --help says what it takes."),
        ("sell a --gifft", "--gifft: no such option. Did you mean --gift? ./exitisp sell --help "
         "lists them."),
        ("sell a -g", "-g: no such option. ./exitisp sell --help lists them."),
        ("sell a --source b", "--source: no such option. ./exitisp sell --help lists them."),
        ("sell a --size abc", "--size: 'abc' is not a whole number above 0. Write --size "
         "LITRES, in digits."),
        ("sell a --size 0", "--size: '0' is not a whole number above 0. Write --size "
         "LITRES, in digits."),
        ("sell a --size -1", "--size: '-1' is not a whole number above 0. Write --size "
         "LITRES, in digits."),
        ("sell a --shell fish", "--shell: 'fish' is not known. Choose bash or zsh."),
        ("sell a --size", "--size: its value is missing. Write --size LITRES."),
        ("sell a --size --gift", "--size: its value is missing. Write --size LITRES."),
        ("sell a --gift=yes", "--gift: it takes no value. Write --gift alone."),
        ("sell a --size 1 -s 2", "-s: it is given twice. Give it once."),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_told_in_one_sentence(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words.split()) == 2
    assert capsys.readouterr() == ("", f"exitisp: {told}\n")
    assert called == []


@pytest.mark.parametrize(
    ("how", "status", "told"),
    [
        ("refusal", 1, "bread: it is sold out. Come back tomorrow."),
        ("broken", 1, "the till is broken"),
        ("interrupt", 130, "interrupted; nothing half-made was left"),
    ],
)
def test_a_command_that_fails_tells_it_in_one_sentence(
    how: str, status: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sell", "bread", "--fail", how) == status
    assert capsys.readouterr() == ("", f"exitisp: {told}\n")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["--list"]])
def test_the_commands_are_listed_by_what_they_are_for(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 0
    listed = capsys.readouterr().out
    assert "First things\n  sell        Sell something.\n\nOther things\n  greet " in listed
    assert "--dry" not in listed


@pytest.mark.parametrize(
    "words", ["sell --help", "sell -h", "help sell", "--help sell", "sell a --gift --help --x"]
)
def test_a_command_explains_itself(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words.split()) == 0
    assert (
        capsys.readouterr().out
        == """\
Sell something.

Usage: ./exitisp sell SOURCE [TARGET] [OPTIONS]

What is sold is gone.

Arguments
  SOURCE                  what is sold
  TARGET                  to whom

Options
  --shell SHELL           bash or zsh: how it is wrapped
  -s, --size LITRES       how much, in litres
  --extra FILE            something more; may be given several times
  --gift                  wrap it as a gift
  --fail TEXT             how it fails
  -h, --help              show this page

Examples
  ./exitisp sell bread
"""
    )
    assert called == []


def test_help_after_two_hyphens_is_an_operand() -> None:
    assert run("greet", "--by", "x", "--", "--help") == 0
    assert called == [{"names": ["--help"], "by": "x"}]


@pytest.mark.parametrize("columns", ["40", "80", "300"])
def test_pages_fit_the_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    run("sell", "--help")
    lines = capsys.readouterr().out.splitlines()
    usage = [line for line in lines if line.startswith(("Usage", "  ./"))]
    assert all(len(line) <= min(int(columns), 100) for line in lines if line not in usage)


def version(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit, match="0"):
        shop(root).run(["./exitisp", "--version"])
    return capsys.readouterr().out.strip()


def test_the_version_tells_the_commit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2"\ndescription = ""\n')
    assert version(tmp_path, capsys) == "exitisp 1.2 (not in a git checkout)"
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True).stdout.strip()
    assert version(tmp_path, capsys) == f"exitisp 1.2 (commit {commit})"
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write("\n")
    assert version(tmp_path, capsys) == f"exitisp 1.2 (commit {commit}, with changes)"


@pytest.mark.parametrize("arguments", [["--list"], ["build", "--help"]])
def test_a_reader_who_leaves_is_no_error(arguments: list[str], tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        ended = subprocess.run(
            command(*arguments), stdout=nobody, stderr=subprocess.PIPE, cwd=tmp_path
        )
    assert ended.stderr == b""
    assert ended.returncode == 141


def test_invoke_itself_runs_the_commands(tmp_path: Path) -> None:
    site = ROOT / "examples" / "one-port-of-each.yaml"
    plain = [sys.executable, "-m", "invoke", "--search-root", str(ROOT)]
    done = subprocess.run([*plain, "check", "--sites", site], capture_output=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b": 0 errors" in done.stdout
