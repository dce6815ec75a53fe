"""A console: lines out, wrapped and a screen at a time, and lines in.

Made for the dumbest there is: a serial line of 24 rows and 80 columns. Nothing moves a cursor.
"""

import contextlib
import os
import sys
import termios
import textwrap
from collections.abc import Callable, Iterator
from typing import Protocol

from firstboot.wizard.line_editor import Hidden, Keyboard, shown

ROWS, COLUMNS = 24, 80
LEAST_ROWS, LEAST_COLUMNS = 10, 40
"""A terminal that says it has fewer does not know, as serial lines, which say 0."""

MORE = "-- Enter shows more --"


class Lines(Protocol):
    """Where answers come from."""

    @property
    def waiting(self) -> bool:
        """Whether something was typed ahead."""

    def line(self, hide: Hidden = shown) -> str:
        """The next line."""


class Terminal:
    """Says and asks. `write` shows text; the last column stays free, for some terminals wrap
    there and some do not. With `paged`, it waits before text that nobody has read scrolls away,
    unless an answer is typed ahead."""

    def __init__(
        self,
        lines: Lines,
        write: Callable[[str], None],
        *,
        rows: int = ROWS,
        columns: int = COLUMNS,
        paged: bool = True,
    ) -> None:
        self._lines = lines
        self._write = write
        self._rows = rows
        self._width = columns - 1
        self._paged = paged
        self._unread = 0

    def say(self, text: str = "") -> None:
        """Show the lines of `text`; what does not fit goes on below, as far in as it began."""
        for line in text.split("\n"):
            for piece in self._wrapped(_harmless(line)):
                self._page()
                self._write(piece + "\n")
                self._unread += 1

    def ask(self, prompt: str, hide: Hidden = shown) -> str:
        """The line that is typed after `prompt`. Raises Interrupted and LineLost."""
        *above, last = self._wrapped(_harmless(prompt))
        for piece in above:
            self.say(piece)
        self._write(last if last.endswith(" ") or not last else f"{last} ")
        answer = self._lines.line(hide)
        self._unread = 1
        return answer

    def _page(self) -> None:
        if self._paged and self._unread >= self._rows - 2 and not self._lines.waiting:
            self._write(MORE)
            self._lines.line()
            self._unread = 0

    def _wrapped(self, line: str) -> list[str]:
        if len(line) <= self._width:
            return [line]
        indent = " " * (len(line) - len(line.lstrip()))
        return textwrap.wrap(
            line,
            self._width,
            subsequent_indent=indent,
            break_on_hyphens=False,
            drop_whitespace=True,
        )


def _harmless(line: str) -> str:
    """`line` without what acts on a terminal: files from elsewhere may have that in them."""
    return "".join(char if char.isprintable() else "?" for char in line)


@contextlib.contextmanager
def console(source: int = 0, target: int = 1) -> Iterator[Terminal]:
    """The terminal on these file descriptors, or a pipe, which echoes nothing and has no pages."""
    with _raw(source) as typed:
        rows, columns = _size(target) if typed else (ROWS, COLUMNS)

        def write(text: str) -> None:
            data = text.encode(errors="replace")
            while data:
                data = data[os.write(target, data) :]

        def silent(_: str) -> None:
            pass

        keyboard = Keyboard(source, write if typed else silent)
        yield Terminal(keyboard, write, rows=rows, columns=columns, paged=typed)


def _size(target: int) -> tuple[int, int]:
    """Rows and columns, as far as the terminal knows them and they are of use."""
    try:
        size = os.get_terminal_size(target)
    except OSError:
        return ROWS, COLUMNS
    rows = size.lines if size.lines >= LEAST_ROWS else ROWS
    return rows, min(size.columns, COLUMNS) if size.columns >= LEAST_COLUMNS else COLUMNS


@contextlib.contextmanager
def _raw(source: int) -> Iterator[bool]:
    """Every byte as it is typed, no echo, no signals; whether `source` is a terminal at all.

    Flow control (Control-S, Control-Q) and the translation of line ends on the way out stay.
    """
    if not os.isatty(source):
        yield False
        return
    before = termios.tcgetattr(source)
    mode = termios.tcgetattr(source)
    mode[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.ISTRIP)
    mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    mode[6] = [*mode[6]]
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
    sys.stdout.flush()
    termios.tcsetattr(source, termios.TCSADRAIN, mode)
    try:
        yield True
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(source, termios.TCSADRAIN, before)
