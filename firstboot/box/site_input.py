"""Reads the site file that a command names, once: what is judged is what is kept."""

import os
import select
import stat
from dataclasses import dataclass
from pathlib import Path

from firstboot.core import document
from firstboot.core.refusal import Refusal
from firstboot.site.check import Examined, examine_text

STANDARD_INPUT = ("-", "/dev/stdin")

HANG_UP = 500
"""Milliseconds in which sshd(8) closes standard output, after standard input, if a connection is
lost."""


@dataclass(frozen=True, slots=True)
class Given:
    """The bytes of a site file, and what was found in them."""

    data: bytes
    examined: Examined


def given(name: str) -> Given:
    """Read and examine the site file called `name`; `-` and /dev/stdin are standard input.

    Raises Refusal if it cannot be read, or came over a pipe, a socket or a terminal that broke off.
    """
    if name in STANDARD_INPUT:
        data, called = _standard_input(), "standard input"
        is_file = stat.S_ISREG(os.fstat(0).st_mode)
    else:
        path, called = Path(name), name
        data = document.read(path)
        is_file = path.is_file()
    if not is_file:
        _refuse_half(data, called)
    return Given(data, examine_text(data, called))


def _standard_input() -> bytes:
    try:
        with os.fdopen(0, "rb", closefd=False) as file:
            return file.read(document.LARGEST + 1)
    except OSError as error:
        raise Refusal(
            "standard input",
            f"it cannot be read ({error.strerror or error})",
            "Name a file in its place",
        ) from error


def _refuse_half(data: bytes, called: str) -> None:
    """Raises Refusal if the last line has no end, or if nobody is there to read what is told: both
    are how a broken connection looks from this end."""
    if data and not data.endswith(b"\n"):
        line = data.count(b"\n") + 1
        raise Refusal(
            f"{called}:{line}",
            "the last line has no end, so not all of the site may have arrived",
            "Send it again; nothing has changed",
        )
    if _hung_up():
        raise Refusal(
            called,
            "whoever sent the site is gone, so not all of it may have arrived",
            "Send it again; nothing has changed",
        )


def _hung_up() -> bool:
    """Whether the other end of standard output is closed."""
    poll = select.poll()
    try:
        poll.register(1, 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(HANG_UP))
    except OSError:
        return False
