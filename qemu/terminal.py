"""Takes out of a terminal's stream what is there for the terminal and not for the reader."""

import re

_SEQUENCE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*(?P<final>[@-~])"  # control sequence
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system command and other strings
    rb"|\x1b[ -/]*[0-~]"
    rb"|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
_INCOMPLETE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)\Z")

LONGEST_SEQUENCE = 256
"""Bytes; what is longer is no sequence but an escape character among other data."""


class PlainText:
    """Drops escape sequences (ECMA-48) and control characters, sequences cut in two included.

    Line feeds, carriage returns, tabs and backspaces stay. `moved` stands in for every sequence
    that puts the cursor somewhere: the loader's menu is drawn with them, not with line feeds.
    """

    def __init__(self, moved: bytes = b"") -> None:
        self._moved = moved
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The text of `data`, which goes on where the last call's ended."""
        data = self._held + data
        incomplete = _INCOMPLETE.search(data)
        if incomplete and len(data) - incomplete.start() <= LONGEST_SEQUENCE:
            data, self._held = data[: incomplete.start()], data[incomplete.start() :]
        else:
            self._held = b""
        return _SEQUENCE.sub(self._replacement, data)

    def _replacement(self, match: re.Match[bytes]) -> bytes:
        return self._moved if match["final"] in (b"H", b"f") else b""
