"""Several consoles, one conversation: the first one has it, the others say so and wait.

The console that has the conversation locks a file (flock(2)) and writes its name into it. The
kernel releases the lock when the program ends, for whatever reason.
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
"""Seconds that the other console has to end, once it is told to."""


class TakenOver(LineLost):
    """Somebody takes the conversation over from another console."""


@contextlib.contextmanager
def first_come(lock: Path, terminal: Terminal, console: str, greeting: str = "") -> Iterator[None]:
    """Wait until no other console has the conversation, then hold `lock` for `console` (``ttyu0``).

    A `greeting` is shown first, and the lock is not taken before somebody presses Enter here: all
    consoles greet, and the one where somebody is gets the conversation.

    While the lock is held, SIGHUP raises TakenOver. Raises Interrupted and LineLost while it waits,
    Refusal if the file cannot be created.
    """
    with _opened(lock) as file:
        if greeting:
            terminal.say(greeting)
            terminal.ask("Press Enter to begin:")
        while not _held(file):
            holder, process = _holder(file)
            terminal.say(f"The questions are being answered on the other console ({holder}).")
            terminal.say("Press Enter to look again, or type take to go on with them here.")
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
        reason = error.strerror or str(error)
        raise Refusal(
            lock,
            f"the lock file of the conversation cannot be opened: {reason}",
            "Check that its folder exists and can be written",
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
    """Return the console and the process that hold the lock, as far as they are known."""
    words = os.pread(file, 200, 0).decode(errors="replace").split()
    if len(words) == 2 and words[1].isdecimal():
        return words[0], int(words[1])
    return "unknown", None


def _send_away(file: int, process: int | None) -> None:
    """Tell the holder to end, and wait until it does, PATIENCE seconds at most.

    The number in the file is that of the holder only while the lock is held.
    """
    if process is not None and not _held(file):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGHUP)
    end = time.monotonic() + PATIENCE
    while not _held(file) and time.monotonic() < end:
        time.sleep(0.1)
