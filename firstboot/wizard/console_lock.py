"""Two consoles, one conversation: the first that comes has it, the other says so and waits.

Whoever talks holds a lock (flock(2)) on a file that says who that is; the kernel lets go of it when
the program ends, whichever way it does.
"""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from firstboot.core.refusal import Refusal
from firstboot.wizard.line_editor import LineLost
from firstboot.wizard.terminal import Terminal

PATIENCE = 5.0
"""Seconds that the other one has to end, once it is asked to."""


class TakenOver(LineLost):
    """Somebody goes on from another console."""


@contextlib.contextmanager
def first_come(lock: Path, terminal: Terminal, console: str, greeting: str = "") -> Iterator[None]:
    """Wait until nobody else talks, then hold the file `lock` for `console` (``ttyu0``).

    With a `greeting`, it is shown first, and nothing is held before somebody presses Enter here:
    all consoles greet, and the one where somebody is has the conversation.

    While the lock is held, SIGHUP raises TakenOver. Raises Interrupted and LineLost while it
    waits, Refusal if there can be no such file.
    """
    with _opened(lock) as file:
        if greeting:
            terminal.say(greeting)
            terminal.ask("Press Enter to begin:")
        while not _held(file):
            holder, process = _holder(file)
            terminal.say(f"The questions are being answered on the other console ({holder}).")
            terminal.say("Here, Enter looks again, and take goes on with them here instead.")
            if terminal.ask("Enter or take:").strip().lower() == "take":
                _send_away(file, process)
        os.ftruncate(file, 0)
        os.pwrite(file, f"{console} {os.getpid()}\n".encode(), 0)
        before = signal.signal(signal.SIGHUP, _taken_over)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)
            os.ftruncate(file, 0)


def _taken_over(_number: int, _frame: FrameType | None) -> None:
    raise TakenOver


@contextlib.contextmanager
def _opened(lock: Path) -> Iterator[int]:
    try:
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Refusal(
            lock,
            expected="a file that says who answers",
            found=error.strerror or str(error),
            remedy="see that its folder is there and can be written",
        ) from error
    try:
        yield file
    finally:
        os.close(file)


def _held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _holder(file: int) -> tuple[str, int | None]:
    """The console and the process of the one who talks, as far as it is known."""
    words = os.pread(file, 200, 0).decode(errors="replace").split()
    if len(words) == 2 and words[1].isdecimal():
        return words[0], int(words[1])
    return "unknown", None


def _send_away(file: int, process: int | None) -> None:
    """Ask the holder to end, and give it time. Only who holds the lock has its number there."""
    if process is not None and not _held(file):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGHUP)
    end = time.monotonic() + PATIENCE
    while not _held(file) and time.monotonic() < end:
        time.sleep(0.1)
