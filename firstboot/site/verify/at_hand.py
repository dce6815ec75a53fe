"""Asks the daemons that this machine has what they understand of rendered files."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.understood import DAEMONS, FILE, Daemon, differences

FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where daemons are besides PATH."""

PATIENCE = 60.0
"""Seconds that a program may take for one answer."""


def ask_all(files: Sequence[Rendered], context: Context) -> tuple[list[Flaw], list[str]]:
    """The flaws that daemons at hand see in `files`, and a sentence about each daemon."""
    flaws: list[Flaw] = []
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="exitisp-") as name:
        folder = Path(name)
        for file in files:
            place = folder / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch(0o600)
            place.write_text(file.text)
        _host_key(folder)
        for daemon in DAEMONS:
            found, sentence = _ask_one(daemon, files, context, folder)
            flaws += found
            told.append(sentence)
    return flaws, told


def _ask_one(
    daemon: Daemon, files: Sequence[Rendered], context: Context, folder: Path
) -> tuple[list[Flaw], str]:
    path = os.pathsep.join((os.environ.get("PATH", ""), *FOLDERS))
    program = shutil.which(daemon.program, path=path)
    if program is None:
        return [], f"{daemon.program}: not here, so it was not asked"
    flaws: list[Flaw] = []
    for file in files:
        if not fnmatch(file.path, daemon.files):
            continue

        def ask(text: str, question: tuple[str, ...], file: Rendered = file) -> str | None:
            return _told(daemon, program, text, question, folder / file.path, folder)

        found, asked = differences(daemon, file, context, ask)
        if not asked:
            return [], f"{daemon.program}: does not answer here, not even about what is expected"
        flaws += found
    understood = "something else than" if flaws else "what"
    return flaws, f"{daemon.program}: understands {understood} the site asks for"


def _told(
    daemon: Daemon,
    program: str,
    text: str,
    question: tuple[str, ...],
    place: Path,
    folder: Path,
) -> str | None:
    for moved, copied in daemon.moved.items():
        text = re.sub(rf"{re.escape(moved)}(?=[/\"\s])", str(folder / copied), text)
    for line in daemon.without:
        text = re.sub(rf"^{re.escape(line)}$", "", text, flags=re.MULTILINE)
    place.write_text(text)
    arguments = (str(place) if word == FILE else word for word in question)
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _host_key(folder: Path) -> None:
    """Make a host key for sshd, which prints nothing without one."""
    key = folder / "cfg/ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True, exist_ok=True)
    keygen = shutil.which("ssh-keygen")
    if keygen is not None:
        command = [keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)]
        subprocess.run(command, check=False, capture_output=True, timeout=PATIENCE)
