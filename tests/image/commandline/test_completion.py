"""Shells complete what the commands declare."""

import shutil
import subprocess
from pathlib import Path

import pytest

from image.commandline.completion import Shell, script
from tests.command import ROOT
from tests.image.commandline.shop import shop

DRIVER = """
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_exitisp
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of `words`."""
    path = folder / "completion.bash"
    path.write_text(script(Shell.BASH, shop(ROOT).commands.values()))
    ran = subprocess.run(
        ["bash", "-c", DRIVER, "bash", path, "./exitisp", *words], capture_output=True, text=True
    )
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], ["sell", "greet", "help", "--help", "--version"]),
        (["se"], ["sell"]),
        (["help", "gr"], ["greet"]),
        (["sell", "--"], ["--shell", "--size", "--extra", "--gift", "--fail", "--help"]),
        (["sell", "--shell", ""], ["bash", "zsh"]),
        (["sell", "--shell", "z"], ["zsh"]),
        (["sell", "--extra", ""], []),
        (["sell", "x", "--g"], ["--gift"]),
    ],
)
def test_bash(words: list[str], offered: list[str], tmp_path: Path) -> None:
    assert completed(tmp_path, *words) == offered


def test_zsh_knows_options_operands_and_values() -> None:
    made = script(Shell.ZSH, shop(ROOT).commands.values())
    assert "'sell:Sell something.'" in made
    assert "'--shell[how it is wrapped]:SHELL:(bash zsh)'" in made
    assert "'*--extra[something more]:FILE:_files'" in made
    assert "':SOURCE:_files' '::TARGET:_files'" in made
    assert "'*:NAME: '" in made


@pytest.mark.parametrize("shell", Shell)
def test_the_shell_reads_its_script(shell: Shell) -> None:
    program = shutil.which(shell.value)
    if program is None:
        pytest.skip(f"{shell.value} is not installed")
    made = script(shell, shop(ROOT).commands.values())
    done = subprocess.run([program, "-n"], input=made, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
