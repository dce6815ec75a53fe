"""Another build of this minor version of Python on this machine, with the packages of this one."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

MINOR = "{}.{}".format(*sys.version_info[:2])

PLACES = (
    *("/usr/bin", "/usr/local/bin"),
    *("~/.pyenv/versions/*/bin", "/opt/hostedtoolcache/Python/*/x64/bin"),
)
"""Where distributions, people, pyenv and GitHub's runners have their Python."""


def find() -> Path | None:
    """Return the first one, told by the text that says when and with what it was compiled."""
    for path in _candidates():
        command = [str(path), "-I", "-c", "import sys, venv; print(sys.version)"]
        done = subprocess.run(command, capture_output=True, text=True)
        if not done.returncode and done.stdout.rstrip("\n") != sys.version:
            return path
    return None


def _candidates() -> Iterator[Path]:
    for place in (*os.environ.get("PATH", "").split(":"), *PLACES):
        folder = Path(place).expanduser()
        for one in sorted(Path(folder.anchor or ".").glob(str(folder.relative_to(folder.anchor)))):
            path = one / f"python{MINOR}"
            if path.is_file() and not (one.parent / "pyvenv.cfg").exists():
                yield path


def environment(python: Path, folder: Path) -> Path:
    """Make an environment of `python` in the new `folder` that has what is installed in this one,
    and return its program."""
    subprocess.run([python, "-I", "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "first.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin/python"
