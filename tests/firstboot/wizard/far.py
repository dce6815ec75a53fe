"""The end of a process's pseudo-terminal where a person types and reads."""

import io
from collections.abc import Sequence
from typing import Any

import pexpect

PATIENCE = 120
"""Seconds; the machine may be busy."""


class Far:
    """Types into `child` and keeps everything that it printed."""

    def __init__(self, child: "pexpect.spawn[Any]") -> None:
        self.child = child
        self._seen = io.BytesIO()
        child.logfile_read = self._seen

    @property
    def seen(self) -> bytes:
        return self._seen.getvalue()

    def expect(self, texts: Sequence[str]) -> int:
        return self.child.expect_exact([text.encode() for text in texts])

    def send(self, line: str) -> None:
        self.child.send(f"{line}\r")

    def press(self, key: str, prompt: str) -> None:
        """Press `key` where `prompt` asks for something."""
        self.expect([prompt])
        self.child.send(key)

    def end(self) -> str:
        """Wait for the end of the program; return how it says it ended."""
        self.child.expect(pexpect.EOF)
        return self.seen.rpartition(b"ENDED ")[2].strip().decode()
