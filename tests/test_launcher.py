"""`./exitisp` makes its environment once, and says in one sentence why it cannot.

The Pythons of these tests are fakes that write down how they are called.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command import ROOT

FAKE = """\
#!/bin/sh
[ "$1" = -c ] && exit {too_old}
{{ printf '%s' "$*"; printf '\\n'; }} >> "$CALLS"
case "$1 ${{2-}}" in
"--version ") echo Python 3.12.0 ;;
"-m venv") [ -z "${{NO_VENV-}}" ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") eval "${{PIP-}}" ;;
*tasks.py*) printf '%s\\n' "$PWD" "$VIRTUAL_ENV" "$PATH" "$@"; exit "${{STATUS-0}}" ;;
esac
"""

LOCK = "requirements.txt"
PIP = "-m pip install --disable-pip-version-check"

TOOLS = ("sh", "dirname", "readlink", "cmp", "rm", "cp", "mkdir", "flock", "cat")


@dataclass(frozen=True)
class Checkout:
    """A checkout in a folder with a space in its name, and a PATH with hardly anything in it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "a checkout"

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        calls = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return calls

    def add_python(self, name: str, too_old: bool = False) -> None:
        path = self.folder / "bin" / name
        path.write_text(FAKE.format(too_old=int(too_old)))
        path.chmod(0o755)

    def run(
        self, *arguments: str, where: Path | None = None, program: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program or self.root / "exitisp", *arguments],
            cwd=where or self.folder,
            env={
                "PATH": str(self.folder / "bin"),
                "CALLS": str(self.folder / "calls"),
                "CDPATH": "/",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=30,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    checkout = Checkout(tmp_path)
    checkout.root.mkdir()
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    shutil.copy(ROOT / "exitisp", checkout.root)
    (checkout.root / "pyproject.toml").write_text("[project]\n")
    (checkout.root / LOCK).write_text("jinja2==3.1.6\n")
    checkout.add_python("python3.12")
    return checkout


def made(checkout: Checkout) -> bool:
    """Whether the calls since it was last asked made an environment."""
    calls = checkout.calls
    return any(call.startswith("-m venv") for call in calls) and any(
        call.startswith("-m pip install") for call in calls
    )


def test_the_first_run_makes_the_environment_and_goes_on(checkout: Checkout) -> None:
    result = checkout.run("build")
    venv = checkout.root / ".venv"
    assert result.returncode == 0
    assert result.stderr.startswith(f"exitisp: preparing {venv} with Python 3.12.0")
    assert checkout.calls == [
        "--version",
        f"-m venv {venv}",
        f"{PIP} --only-binary :all: --require-hashes --requirement {checkout.root}/{LOCK}",
        f"{PIP} --no-index --no-deps --no-build-isolation --editable {checkout.root}",
        f"{checkout.root}/tasks.py build",
    ]


def test_the_second_run_only_runs(checkout: Checkout) -> None:
    checkout.run("build")
    assert made(checkout)
    result = checkout.run("test")
    assert (result.returncode, result.stderr) == (0, "")
    assert checkout.calls == [f"{checkout.root}/tasks.py test"]


@pytest.mark.parametrize("file", ["pyproject.toml", LOCK])
def test_other_dependencies_make_another_environment(checkout: Checkout, file: str) -> None:
    checkout.run("build")
    assert made(checkout)
    leftover = checkout.root / ".venv/leftover"
    leftover.touch()
    (checkout.root / file).write_text("changed\n")
    checkout.run("build")
    assert made(checkout)
    assert not leftover.exists()
    checkout.run("build")
    assert not made(checkout)


def test_another_python_can_be_named(checkout: Checkout) -> None:
    checkout.add_python("python3.12", too_old=True)
    checkout.add_python("my-python")
    assert checkout.run("build").returncode == 1
    assert checkout.run("build", EXITISP_PYTHON="my-python").returncode == 0
    assert made(checkout)


@pytest.mark.parametrize("name", ["no-python", "old-python"])
def test_a_named_python_that_will_not_do_is_refused(checkout: Checkout, name: str) -> None:
    checkout.add_python("old-python", too_old=True)
    result = checkout.run("build", EXITISP_PYTHON=name)
    assert result.returncode == 1
    assert f"EXITISP_PYTHON: {name} is no Python of version 3.11 or newer" in result.stderr


def test_arguments_and_exit_status_are_passed_on(checkout: Checkout) -> None:
    result = checkout.run("build", "--sets", "my sets", "*", "", STATUS="7")
    assert result.returncode == 7
    assert result.stdout.splitlines()[4:] == ["build", "--sets", "my sets", "*", ""]


def test_paths_are_the_caller_s(checkout: Checkout) -> None:
    where = checkout.folder / "elsewhere"
    where.mkdir()
    result = checkout.run("build", where=where, program="../a checkout/exitisp")
    folder, environment, path, *arguments = result.stdout.splitlines()
    assert folder == str(where)
    assert environment == str(checkout.root / ".venv")
    assert path.startswith(f"{checkout.root}/.venv/bin:")
    assert arguments == [f"{checkout.root}/tasks.py", "build"]


@pytest.mark.parametrize("fault", ["exit 1", "kill -9 $PPID"])
def test_a_half_made_environment_is_started_over(checkout: Checkout, fault: str) -> None:
    assert checkout.run("build", PIP=fault).returncode
    assert made(checkout)
    result = checkout.run("build")
    assert result.returncode == 0
    assert made(checkout)


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("exitisp: ")
    return line


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.run("build")
    (checkout.root / ".venv/bin/python").unlink()
    assert made(checkout)
    assert checkout.run("build").returncode == 0
    assert made(checkout)


def test_a_link_to_the_script_is_the_script(checkout: Checkout) -> None:
    link = checkout.folder / "link"
    link.symlink_to(checkout.root / "exitisp")
    result = checkout.run("build", program=str(link))
    assert str(checkout.root / ".venv") in result.stdout


def test_what_pip_says_is_shown_only_if_it_fails(checkout: Checkout) -> None:
    assert "much ado" not in checkout.run("build", PIP="echo much ado").stderr
    shutil.rmtree(checkout.root / ".venv")
    failed = checkout.run("build", PIP="echo much ado; exit 1")
    assert "much ado\n" in failed.stderr
    assert "Check the network" in one_sentence(failed)


def test_a_python_without_venv_is_told(checkout: Checkout) -> None:
    result = checkout.run("build", NO_VENV="1")
    assert "sudo apt install python3-venv" in one_sentence(result)
    assert not (checkout.root / ".venv").exists()


@pytest.mark.parametrize("names", [[], ["python3"], ["python3", "python3.11"]])
def test_no_python_that_is_new_enough_is_told(checkout: Checkout, names: list[str]) -> None:
    (checkout.folder / "bin/python3.12").unlink()
    for name in names:
        checkout.add_python(name, too_old=True)
    result = checkout.run("build")
    assert one_sentence(result).startswith("exitisp: no Python of version 3.11 or newer was found")
    assert len(result.stderr.splitlines()) == 1
    assert checkout.calls == []


def test_a_python_of_any_name_will_do_if_it_is_new_enough(checkout: Checkout) -> None:
    (checkout.folder / "bin/python3.12").rename(checkout.folder / "bin/python3")
    checkout.add_python("python3.13", too_old=True)
    assert checkout.run("build").returncode == 0


def test_the_script_is_a_program() -> None:
    assert os.access(ROOT / "exitisp", os.X_OK)


def test_an_active_environment_is_not_made_from_its_own_python(checkout: Checkout) -> None:
    checkout.run("build")
    (checkout.root / "pyproject.toml").write_text("changed")
    path = f"{checkout.root / '.venv/bin'}:{checkout.folder / 'bin'}"
    assert checkout.run("build", PATH=path).returncode == 0
    assert any("-m venv" in call for call in checkout.calls)
