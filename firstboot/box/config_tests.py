"""Has the daemons check rendered files before anything is replaced by them.

The daemons read copies in a folder of their own, which is in memory and for root alone. Where a
file names another file or folder, the copy names the copy of that. Line numbers stay the same.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from firstboot.box.host import Ran
from firstboot.box.machine import Machine
from firstboot.box.working_folder import working_folder
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.provenance import origin
from firstboot.site.redact import masked
from firstboot.site.render import Rendered
from firstboot.site.services import Checker

LONGEST = 300
"""Characters of a checker's output that a message repeats."""


COPIES = {"/usr/local/etc": "etc/local"}
"""Rendered paths of folders that programs know by another path, a symbolic link in the image."""


def judge(
    site: Document[Site], files: Sequence[Rendered], machine: Machine, say: Callable[[str], None]
) -> None:
    """Run every installed checker on its files.

    Raises Refusal for the first file that one refuses, with the line of the file and the key of the
    site that it came from.
    """
    with working_folder() as folder:
        _lay(files, folder)
        _host_key(machine, folder)
        for checker in machine.system.checkers:
            matching = [file for file in files if fnmatch(file.path, checker.files)]
            if not matching:
                continue
            if not machine.has(checker.program):
                say(f"{checker.program} is not installed: /{checker.files} is not checked by it")
                continue
            for file in matching:
                said = _ask(checker, file, folder, machine)
                if said.status != 0:
                    raise _refused(site, checker, file, said, folder)


def _lay(files: Iterable[Rendered], folder: Path) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(file.text)


def _ask(checker: Checker, file: Rendered, folder: Path, machine: Machine) -> Ran:
    path = folder / file.path
    text = file.text
    for place in checker.moved:
        copy = folder / _copied(place)
        copy.mkdir(parents=True, exist_ok=True)
        text = re.sub(rf"{re.escape(place)}(?=[/\"\s])", str(copy), text)
    for line in checker.without:
        text = re.sub(rf"^{re.escape(line)}$", "", text, flags=re.MULTILINE)
    path.write_text(text)
    program = machine.root / checker.program.lstrip("/")
    return machine.run(str(program), *(part.format(file=path) for part in checker.arguments))


def _copied(place: str) -> str:
    for seen, path in COPIES.items():
        if place.startswith(seen):
            return path + place.removeprefix(seen)
    return place.lstrip("/")


def _host_key(machine: Machine, folder: Path) -> None:
    """Make a host key for sshd's check: the box makes its own at the first start of sshd."""
    key = folder / "cfg/ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True, exist_ok=True)
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key))


def _refused(
    site: Document[Site], checker: Checker, file: Rendered, said: Ran, folder: Path
) -> Refusal:
    told = said.text.replace(str(folder), "").strip()
    line = _line(told, file)
    came = origin(site, file.text, line) if line else ""
    reason = masked(" / ".join(_telling(told)), site.value)[:LONGEST] or f"status {said.status}"
    return Refusal(
        f"/{file.path}:{line}" if line else f"/{file.path}",
        f"{checker.name} refuses it: {reason}",
        f"Correct {came}" if came else "Correct the site. Nothing has changed",
    )


def _telling(text: str) -> list[str]:
    """The lines of a checker's output that name an error, or all if none can be told to.

    The time with which Tor begins its lines is cut off.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    plain = [re.sub(r"^\w+ \d+ [\d:.]+ \[\w+\] ", "", line) for line in lines]
    wrong = [line for line in plain if re.search(r"Failed to|error|:\d+:|line \d+", line)]
    return wrong or plain


def _line(told: str, file: Rendered) -> int | None:
    """The line of `file` that a checker names. Tor names the option and its value instead."""
    match = re.search(
        rf"{re.escape(file.path.rpartition('/')[2])}\"?(?::| line | line: )(\d+)", told
    )
    match = match or re.search(r"\bline:? (\d+)", told)
    if match:
        return int(match[1])
    lines = file.text.splitlines()
    words = re.findall(r"'([^']{3,})'|\"([^\"]{3,})\"|\b([A-Z][A-Za-z]{4,})\b", told)
    for word in (one or other or third for one, other, third in words):
        for number, line in enumerate(lines, 1):
            if not line.lstrip().startswith("#") and word in line:
                return number
    return None
