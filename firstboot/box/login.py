"""The login that a command is typed in: who it is, from where, and since when.

A shell of sshd(8) is a child of the process that serves its connection, which starts with the
connection. With `ExposeAuthInfo` in sshd_config(5), the file that SSH_USER_AUTH names says by which
key somebody logged in.
"""

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.host import Host

COLUMNS = ("pid", "ppid", "etime", "tty", "comm")
PS = ("ps", "-A", *(word for name in COLUMNS for word in ("-o", f"{name}=")))
"""ps(1) with numbers of process and parent, time since the start, terminal, program."""

TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")
"""Days, hours, minutes and seconds since the start of a process."""

CONSOLE = re.compile(r"tty[vuS0-9]|console|[vu][0-9]$|4,")
"""The terminal of a console; busybox prints its major number, 4."""

KEYS = "etc/ssh/authorized_keys/root"
LONGEST = 40
"""Characters of a name."""


@dataclass(frozen=True, slots=True)
class Login:
    """`who` is the comment of the SSH key, or the terminal. `leader` is the process that leads the
    session. `connection` is the one of SSH, empty on a console. `since` is when the login began, in
    seconds of the monotonic clock."""

    who: str
    leader: int
    console: bool
    connection: str
    since: float


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    age: int
    terminal: str
    program: str


def login(host: Host, environment: Mapping[str, str] = os.environ) -> Login:
    """The login of this process."""
    lineage = list(_lineage(os.getpid(), host))
    served = [one for one in lineage if one.program.startswith("sshd")]
    terminal = lineage[0].terminal if lineage else ""
    connection = environment.get("SSH_CONNECTION", "") or ("unknown" if served else "")
    console = not connection and bool(CONSOLE.match(terminal))
    oldest = (served or lineage[-1:] or [_Process(0, 1 << 31, "", "")])[0]
    who = _key(host, environment) or (f"console {terminal}" if console else "")
    since = time.monotonic() - oldest.age
    return Login(who, os.getsid(0), console, connection, since)


def _lineage(number: int, host: Host) -> Iterator[_Process]:
    """The process and those it descends from, without init(8)."""
    table = dict(_processes(host.run(*PS).text))
    while number > 1 and number in table:
        found = table.pop(number)
        yield found
        number = found.parent


def _processes(text: str) -> Iterator[tuple[int, _Process]]:
    for line in text.splitlines():
        words = line.split(None, 4)
        if len(words) == 5 and words[0].isdecimal() and words[1].isdecimal():
            age = TIME.fullmatch(words[2])
            if age is not None:
                days, hours, minutes, seconds = (int(part or 0) for part in age.groups())
                since = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
                yield int(words[0]), _Process(int(words[1]), since, words[3], words[4])


def _key(host: Host, environment: Mapping[str, str]) -> str:
    """The comment of the key that somebody logged in with, or "" if nothing tells it."""
    try:
        told = _read(Path(environment["SSH_USER_AUTH"]))
        keys = _read(host.root / KEYS)
    except (KeyError, OSError):
        return ""
    used = re.search(r"^publickey \S+ (\S+)", told, re.MULTILINE)
    for line in keys.splitlines():
        words = line.split()
        if used and used[1] in words:
            comment = " ".join(words[words.index(used[1]) + 1 :])
            return "".join(char if char.isprintable() else "?" for char in comment[:LONGEST])
    return ""


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(1 << 16).decode(errors="replace")
