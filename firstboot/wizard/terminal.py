"""A console that says and asks: lines out, wrapped, a screenful at a time; lines in.

Made for the simplest terminal there is: a serial line of 24 rows and 80 columns. Nothing moves the
cursor.
"""

import contextlib
import os
import sys
import termios
import textwrap
from collections.abc import Callable, Iterator
from typing import Protocol

from firstboot.wizard.line_editor import (
    Hidden,
    Interrupted,
    Keyboard,
    LineLost,
    UnusableLine,
    hidden,
    shown,
)

ROWS, COLUMNS = 24, 80
LEAST_ROWS, LEAST_COLUMNS = 10, 40
"""A terminal that reports less does not know its size; serial lines report 0."""

MORE = "-- Enter shows more --"

REFUSED = "!! No: "
NOTED = "   Taken. Note: "
"""The beginnings of a refusal and of a note. They differ in the first column, so that nobody takes
a note for a refusal and types the answer again, at the next question."""

HANG = 3
"""Columns by which the lines of a refusal and of a note are indented."""

SHOWN_AGAIN = "   What you type from here on is shown."


class Lines(Protocol):
    """Where answers come from."""

    @property
    def waiting(self) -> bool:
        """Whether something was typed ahead."""

    def discard(self) -> None:
        """Forget what was typed ahead."""

    def line(self, hide: Hidden = shown) -> str:
        """Return the next line. Raises Interrupted, LineLost and UnusableLine."""


class Terminal:
    """Says and asks.

    `write` shows text. The last column stays free, because some terminals wrap there and some do
    not. With `paged`, the terminal waits for Enter before unread text would scroll away, unless an
    answer is typed ahead.
    """

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
        self._secret_typed = False

    def say(self, text: str = "", *, hang: int = 0) -> None:
        """Show the lines of `text`. The rest of a line that is too long goes below it, indented
        like the line and by `hang` columns more."""
        for line in text.split("\n"):
            for piece in self._wrapped(_harmless(line), hang):
                self._page()
                self._write(piece + "\n")
                self._unread += 1

    def refuse(self, sentences: str) -> None:
        """Say why an answer is not taken, and forget what was typed ahead: it was meant for
        questions that do not come yet."""
        self._lines.discard()
        self.say(f"{REFUSED}{sentences}", hang=HANG)

    def note(self, sentences: str) -> None:
        """Say something about an answer that is taken."""
        self.say(f"{NOTED}{sentences}")

    def ask(self, prompt: str, hide: Hidden = shown) -> str:
        """Return the line that is typed after `prompt`. Raises Interrupted and LineLost.

        A hidden line is asked for as readpassphrase(3) does: what was typed before the prompt and
        what follows the line are forgotten, so that neither another answer becomes a secret nor a
        secret another answer. The first question after it says that its answer is shown again.
        """
        if hide is hidden:
            self._lines.discard()
        elif self._secret_typed:
            self.say(SHOWN_AGAIN)
            self._secret_typed = False
        *above, last = self._wrapped(_harmless(prompt))
        for piece in above:
            self.say(piece)
        while True:
            self._write(last if last.endswith(" ") or not last else f"{last} ")
            try:
                answer = self._answer(hide)
            except UnusableLine as reason:
                self.refuse(str(reason))
                continue
            self._unread = 1
            return answer

    def _answer(self, hide: Hidden) -> str:
        if hide is not hidden:
            return self._lines.line(hide)
        try:
            answer = self._lines.line(hide)
            self._secret_typed = answer != ""
        except (Interrupted, UnusableLine):
            self._secret_typed = True
            raise
        finally:
            self._lines.discard()
        return answer

    def _page(self) -> None:
        """Wait for Enter when the screen is full. Nothing that is typed here is echoed: it may be
        meant for a hidden question."""
        if self._paged and self._unread >= self._rows - 2 and not self._lines.waiting:
            self._write(MORE)
            with contextlib.suppress(UnusableLine):
                self._lines.line(hidden)
            self._unread = 0

    def _wrapped(self, line: str, hang: int = 0) -> list[str]:
        if len(line) <= self._width:
            return [line]
        indent = " " * (len(line) - len(line.lstrip()) + hang)
        return textwrap.wrap(
            line,
            self._width,
            subsequent_indent=indent,
            break_on_hyphens=False,
            drop_whitespace=True,
        )


def _harmless(line: str) -> str:
    """Replace what could act on a terminal: files from elsewhere may contain it."""
    return "".join(char if char.isprintable() else "?" for char in line)


@contextlib.contextmanager
def console(source: int = 0, target: int = 1) -> Iterator[Terminal]:
    """Yield the terminal on these file descriptors. A pipe gets no echo and no pages."""
    with _raw(source) as typed:
        rows, columns = _size(target) if typed else (ROWS, COLUMNS)

        def write(text: str) -> None:
            data = text.encode(errors="replace")
            try:
                while data:
                    data = data[os.write(target, data) :]
            except OSError as error:
                raise LineLost from error

        def silent(_: str) -> None:
            pass

        keyboard = Keyboard(source, write if typed else silent)
        yield Terminal(keyboard, write, rows=rows, columns=columns, paged=typed)


def _size(target: int) -> tuple[int, int]:
    """Return rows and columns, or the defaults if the terminal does not know them."""
    try:
        size = os.get_terminal_size(target)
    except OSError:
        return ROWS, COLUMNS
    rows = size.lines if size.lines >= LEAST_ROWS else ROWS
    return rows, min(size.columns, COLUMNS) if size.columns >= LEAST_COLUMNS else COLUMNS


@contextlib.contextmanager
def _raw(source: int) -> Iterator[bool]:
    """Turn off echo, line editing and signals of `source`; yield whether it is a terminal.

    Flow control (Control-S, Control-Q) and the translation of line ends on output stay on.
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
