"""Lines as they are typed, byte by byte, on a terminal that edits nothing itself.

A terminal's own editing ends a line after 255 bytes on FreeBSD (MAX_CANON, termios(4)), and an SSH
key of the type RSA has three times as many. So the terminal hands over every byte and echoes none;
erasing, killing and echoing are done here, with nothing but backspaces, which every terminal has.
"""

import codecs
import os
import select
from collections.abc import Callable

LONGEST = 16384
"""Characters of a line; what goes beyond is not taken."""

ERASE = "\b\x7f"
KILL = "\x15"
WORD = "\x17"
INTERRUPT = "\x03"
END = "\x04"
ESCAPE = "\x1b"

Hidden = Callable[[str], bool]
"""Whether what is typed next is not to be seen, by what is typed before it."""


class Interrupted(KeyboardInterrupt):
    """Control-C, which comes as a byte like any other."""


class LineLost(EOFError):
    """Nobody is there any more: Control-D, the end of the input, a lost line."""


def shown(_: str) -> bool:
    """For lines that may be seen."""
    return False


def hidden(_: str) -> bool:
    """For secrets."""
    return True


class Keyboard:
    """Reads the file descriptor `source`, UTF-8; what is none of it becomes U+FFFD.

    `echo` shows what is typed, where the terminal does not do it.
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

    def line(self, hide: Hidden = shown) -> str:
        """The next line. Raises Interrupted and LineLost."""
        typed = _Line(self._echo, hide)
        while True:
            char = self._next()
            returned, self._after_return = self._after_return, char == "\r"
            if char == "\n" and returned:
                continue
            if char in "\r\n":
                self._echo("\n")
                return typed.text
            if char == INTERRUPT:
                self._echo("^C\n")
                raise Interrupted
            if char == END:
                if not typed.text:
                    raise LineLost
            elif char == ESCAPE:
                self._skip_sequence()
            else:
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
        """Arrows and the like send several characters after Escape (ECMA-48, section 5.4)."""
        if self._next() in "[O":
            while not "@" <= self._next() <= "~":
                pass


class _Line:
    """A line while it is typed."""

    def __init__(self, echo: Callable[[str], None], hide: Hidden) -> None:
        self._echo = echo
        self._hide = hide
        self._seen: list[bool] = []
        self.text = ""

    def take(self, char: str) -> None:
        if char in ERASE:
            self._erase()
        elif char == KILL:
            while self.text:
                self._erase()
        elif char == WORD:
            while self.text.endswith(" "):
                self._erase()
            while self.text and not self.text.endswith(" "):
                self._erase()
        elif len(self.text) < LONGEST:
            char = " " if char == "\t" else char
            if char.isprintable():
                self._seen.append(not self._hide(self.text))
                self.text += char
                if self._seen[-1]:
                    self._echo(char)

    def _erase(self) -> None:
        if self.text:
            self.text = self.text[:-1]
            if self._seen.pop():
                self._echo("\b \b")
