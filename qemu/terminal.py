"""Removes escape sequences from the output of a terminal."""

import re

_SEQUENCE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*(?P<final>[@-~])"  # control sequence
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system command and other strings
    rb"|\x1b[ -/]*[0-~]"
    rb"|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
_INCOMPLETE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")

LONGEST_SEQUENCE = 256
"""Bytes. What is longer is not a sequence, but an escape character among other data."""


class PlainText:
    """Removes escape sequences (ECMA-48) and control characters from a stream that comes in pieces.

    Line feeds, carriage returns, tabs and backspaces stay. Each sequence that positions the cursor
    becomes `moved`: the loader's menu is drawn with those, and has no line feeds.
    """

    def __init__(self, moved: bytes = b"") -> None:
        self._moved = moved
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return the text of `data`, the next piece of the stream."""
        data = self._held + data
        incomplete = _INCOMPLETE.search(data)
        if incomplete and len(data) - incomplete.start() <= LONGEST_SEQUENCE:
            data, self._held = data[: incomplete.start()], data[incomplete.start() :]
        else:
            self._held = b""
        return _SEQUENCE.sub(self._replacement, data)

    def _replacement(self, match: re.Match[bytes]) -> bytes:
        return self._moved if match["final"] in (b"H", b"f") else b""
