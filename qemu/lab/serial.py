"""Plays a conversation over a serial line."""

from collections.abc import Sequence

from qemu.console import Console
from qemu.console_patterns import CRASHES, text


class Serial:
    """Types at `console`, and waits up to `patience` seconds for each question."""

    def __init__(self, console: Console, patience: float) -> None:
        self._console = console
        self._patience = patience

    def expect(self, texts: Sequence[str]) -> int:
        signs = [text(one) for one in texts]
        seen = self._console.expect(*signs, timeout=self._patience, failures=CRASHES)
        return signs.index(seen.sign)

    def send(self, line: str) -> None:
        self._console.send_line(line)
