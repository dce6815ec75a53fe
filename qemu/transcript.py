"""Keeps what comes over a serial line: every byte, and for people lines with the time."""

import re
import threading
import time
from collections import deque
from pathlib import Path

from qemu.terminal import PlainText

TAIL = 40
"""How many lines an error message shows."""

_ERASED = re.compile(r"[^\x08]\x08|^\x08")


class Transcript:
    """Writes `stem.raw` (the bytes as they come) and `stem.txt` (lines such as ``[  12.3] text``).

    The number is the seconds from the beginning of the transcript to the line's first byte.
    Existing files are continued. Empty lines are left out of the text. One thread may write while
    another one reads the tail.
    """

    def __init__(self, stem: Path) -> None:
        self.raw = stem.with_name(f"{stem.name}.raw")
        self.text = stem.with_name(f"{stem.name}.txt")
        self._raw = self.raw.open("ab")
        self._text = self.text.open("a", encoding="utf-8", errors="backslashreplace")
        self._began = time.monotonic()
        self._plain = PlainText(moved=b"\n")
        self._partial = b""
        self._stamp = 0.0
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._lock:
            self._raw.write(data)
            self._raw.flush()
            now = time.monotonic() - self._began
            *lines, rest = re.split(rb"[\r\n]+", self._plain.feed(data))
            for line in lines:
                self._end_line(self._partial + line, now)
                self._partial = b""
            if rest and not self._partial:
                self._stamp = now
            self._partial += rest
            self._text.flush()

    def _end_line(self, line: bytes, now: float) -> None:
        stamp = self._stamp if self._partial else now
        told = _told(line, stamp)
        if told:
            self._text.write(told + "\n")
            self._tail.append(told)

    def tail(self) -> list[str]:
        """Return the last TAIL lines, including the one that is not complete yet."""
        with self._lock:
            told = _told(self._partial, self._stamp)
            return [*self._tail, *([told] if told else [])][-TAIL:]

    def close(self) -> None:
        """Complete the last line and close the files. May be called twice."""
        with self._lock:
            if not self._text.closed:
                self._end_line(self._partial, self._stamp)
                self._partial = b""
                self._raw.close()
                self._text.close()


def _told(line: bytes, stamp: float) -> str:
    text = line.decode("utf-8", "backslashreplace")
    while "\b" in text:
        text = _ERASED.sub("", text)
    return f"[{stamp:7.1f}] {text.rstrip()}" if text.strip() else ""
