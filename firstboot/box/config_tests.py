"""Rendered files judged by the daemons' own checkers, before anything is replaced by them.

The files are laid below a folder of their own, in memory and for root alone. Where one names
another, or a folder that the checker has to find, the name is that of the copy; line numbers stay.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from firstboot.box.host import Ran
from firstboot.box.machine import Machine
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.provenance import origin
from firstboot.site.redact import masked
from firstboot.site.render import Rendered
from firstboot.site.services import Checker

LONGEST = 300
"""Characters of what a checker says that a message repeats."""


COPIES = {"/usr/local/etc": "etc/local"}
"""Where the rendered path differs from the one that programs know: a symbolic link of the image."""


def judge(
    site: Document[Site], files: Sequence[Rendered], machine: Machine, say: Callable[[str], None]
) -> None:
    """Let every checker that is installed look at its files. Raises Refusal for the first that says
    no, naming the line of the file and the answer that it came from."""
    with tempfile.TemporaryDirectory(prefix="trial-") as name:
        folder = Path(name)
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
    """One that sshd can look at: the box makes its own when it starts sshd for the first time."""
    key = folder / "cfg/ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True, exist_ok=True)
    machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key))


def _refused(
    site: Document[Site], checker: Checker, file: Rendered, said: Ran, folder: Path
) -> Refusal:
    told = said.text.replace(str(folder), "").strip()
    line = _line(told, file)
    came = origin(site, file.text, line) if line else ""
    return Refusal(
        f"/{file.path}:{line}" if line else f"/{file.path}",
        expected=f"a file that {checker.name} accepts",
        found=masked(" / ".join(_telling(told)), site.value)[:LONGEST] or f"status {said.status}",
        remedy=f"correct {came}" if came else "correct the site; nothing has changed",
    )


def _telling(text: str) -> list[str]:
    """The lines that say what is wrong, if they can be told from those that do not; without the
    time, which Tor begins them with."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    plain = [re.sub(r"^\w+ \d+ [\d:.]+ \[\w+\] ", "", line) for line in lines]
    wrong = [line for line in plain if re.search(r"Failed to|error|:\d+:|line \d+", line)]
    return wrong or plain


def _line(told: str, file: Rendered) -> int | None:
    """The line that a checker means. Tor names the option and its value instead of a line."""
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
