"""The manual page and the completion that the image has."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from firstboot.box.commandline import completion, manual
from firstboot.box.commandline.declared import COMMANDS
from firstboot.box.commandline.pages import made, renew
from tests.firstboot.box.box import ROOT

FILES = ROOT / "overlays/firstboot/files"


@pytest.mark.parametrize("path", made())
def test_the_image_has_them_as_they_would_be_made(path: str) -> None:
    assert (FILES / path).read_text() == made()[path], "run ./exitisp docs"


def test_they_are_written_into_the_overlay(tmp_path: Path) -> None:
    renew(tmp_path)
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {tmp_path / "firstboot/files" / path for path in made()}


def test_the_page_has_every_command() -> None:
    for name in COMMANDS:
        assert f"\n.It Cm {name}" in manual.page()


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_finds_nothing_wrong_with_the_page(tmp_path: Path) -> None:
    """Whether other manual pages are installed here does not matter."""
    path = tmp_path / "exitisp.8"
    path.write_text(manual.page())
    command = ["mandoc", "-T", "lint", "-W", "style", str(path)]
    told = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    assert [line for line in told if "referenced manual not found" not in line] == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["exitisp", "un"], {"undrain", "unblackhole"}),
        (["exitisp", "rollback", "--n"], {"--no-confirm"}),
        (["exitisp", "backup", "s"], {"stick"}),
        (["exitisp", "help", "re"], {"reconfigure", "relay-keys", "report", "restore"}),
    ],
)
def test_bash_completes(line: list[str], words: set[str]) -> None:
    words_here = " ".join(f"'{word}'" for word in line)
    script = (
        f"{completion.bash()}COMP_WORDS=({words_here}); COMP_CWORD={len(line) - 1}\n"
        'COMP_WORDS[0]=exitisp; _exitisp; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True)
    assert (done.stderr, done.returncode) == ("", 0)
    assert set(done.stdout.split()) == words


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_can_read_its_file(tmp_path: Path) -> None:
    path = tmp_path / "_exitisp"
    path.write_text(completion.zsh())
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(["zsh", "-n", path], capture_output=True, text=True, env=environment)
    assert (done.stderr, done.returncode) == ("", 0)
