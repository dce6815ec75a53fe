"""Read lines byte by byte from a terminal that edits nothing itself.

A terminal's own line editing ends a line after 255 bytes on FreeBSD (MAX_CANON, termios(4)), and an
RSA key for SSH is three times as long. So the terminal hands over every byte and echoes none; this
module erases, kills and echoes, with nothing but backspaces, which every terminal understands.
"""

import codecs
import contextlib
import os
import select
import termios
from collections.abc import Callable

LONGEST = 16384
"""The most characters of a line."""

ERASE = "\b\x7f"
KILL = "\x15"
WORD = "\x17"
INTERRUPT = "\x03"
END = "\x04"
ESCAPE = "\x1b"
BREAK = "\0"
"""What a serial line delivers when its cable is plugged in or the other end sends a break."""

Hidden = Callable[[str], bool]
"""Decides, from what is on the line already, whether the next character is hidden."""


class Interrupted(KeyboardInterrupt):
    """The person typed Control-C, which arrives as a byte like any other."""


class LineLost(EOFError):
    """The input has ended: Control-D, the end of a pipe, or a terminal that is gone."""


class UnusableLine(ValueError):
    """A line that cannot be an answer; the message is one or two sentences for the person."""


def shown(_: str) -> bool:
    """Echo the whole line."""
    return False


def hidden(_: str) -> bool:
    """Echo nothing: for secrets."""
    return True


class Keyboard:
    """Reads UTF-8 from the file descriptor `source`; bytes that are not UTF-8 become U+FFFD.

    `echo` shows what is typed, because the terminal does not.
    """

    def __init__(self, source: int, echo: Callable[[str], None]) -> None:
        self._source = source
        self._echo = echo
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._ahead = ""
        self._after_return = False

    @property
    def waiting(self) -> bool:
        """Whether something was typed ahead."""
        if self._ahead:
            return True
        readable, _, _ = select.select([self._source], [], [], 0)
        return bool(readable)

    def discard(self) -> None:
        """Forget what was typed ahead. What waits in a pipe or a file was written for questions
        that come later, and stays."""
        if os.isatty(self._source):
            self._ahead = ""
            self._decoder.reset()
            with contextlib.suppress(termios.error):
                termios.tcflush(self._source, termios.TCIFLUSH)

    def line(self, hide: Hidden = shown) -> str:
        """Return the next line. Raises Interrupted, LineLost and UnusableLine."""
        typed = _Line(self._echo, hide)
        while True:
            char = self._next()
            returned, self._after_return = self._after_return, char == "\r"
            if char == "\n" and returned:
                continue
            if char in "\r\n":
                self._echo("\n")
                return typed.whole()
            if char == INTERRUPT:
                self._echo("^C\n")
                raise Interrupted
            if char == END:
                if not typed.text:
                    raise LineLost
            elif char == ESCAPE:
                self._skip_sequence()
            elif char != BREAK:
                typed.take(char)

    def _next(self) -> str:
        while not self._ahead:
            try:
                data = os.read(self._source, 4096)
            except OSError as error:
                raise LineLost from error
            if not data:
                raise LineLost
            self._ahead = self._decoder.decode(data)
        char, self._ahead = self._ahead[0], self._ahead[1:]
        return char

    def _skip_sequence(self) -> None:
        """Skip what arrow keys and the like send after Escape (ECMA-48, section 5.4)."""
        if self._next() in "[O":
            while not "@" <= self._next() <= "~":
                pass


class _Line:
    """A line while it is typed."""

    def __init__(self, echo: Callable[[str], None], hide: Hidden) -> None:
        self._echo = echo
        self._hide = hide
        self._seen: list[bool] = []
        self._too_long = False
        self._unprintable = ""
        self.text = ""

    def take(self, char: str) -> None:
        if char in ERASE:
            self._erase()
        elif char == KILL:
            while self.text:
                self._erase()
            self._too_long, self._unprintable = False, ""
        elif char == WORD:
            while self.text.endswith(" "):
                self._erase()
            while self.text and not self.text.endswith(" "):
                self._erase()
        elif len(self.text) >= LONGEST:
            self._too_long = True
        else:
            self._add(" " if char == "\t" else char)

    def whole(self) -> str:
        """Return the line. Raises UnusableLine if a part of it could not be taken."""
        if self._too_long:
            raise UnusableLine(f"The line is longer than {LONGEST} characters. Type a shorter one.")
        if self._unprintable:
            code = f"U+{ord(self._unprintable):04X}"
            raise UnusableLine(
                f"The line has a control character or another that cannot be seen ({code}). Type "
                "it without."
            )
        return self.text

    def _add(self, char: str) -> None:
        if not char.isprintable():
            self._unprintable = self._unprintable or char
            return
        self._seen.append(not self._hide(self.text))
        self.text += char
        if self._seen[-1]:
            self._echo(char)

    def _erase(self) -> None:
        if self.text:
            self.text = self.text[:-1]
            if self._seen.pop():
                self._echo("\b \b")
