"""A serial line, read all the time, as pexpect wants it."""

import codecs
import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pexpect
from pexpect.spawnbase import SpawnBase

from qemu.terminal import PlainText
from qemu.transcript import Transcript

if TYPE_CHECKING:
    Text = SpawnBase[str]
else:
    Text = SpawnBase  # generic in its stubs alone

CHUNK = 2048
"""Bytes handed to pexpect at a time; below WINDOW, so that no text escapes the search."""

WINDOW = 4096
"""Characters that pexpect searches whenever something new has come."""


class Line(Text):
    """The near end of a serial line whose far end is a machine.

    A thread reads whatever comes, at once: a guest whose port nobody empties stands still in
    its next write to it, even if the test is busy with another port. Text reaches pexpect
    without escape sequences unless `exact` is set; bytes that are not UTF-8 become surrogates
    (surrogateescape), so that the exact bytes can be had back.
    """

    def __init__(self, link: socket.socket, transcript: Transcript) -> None:
        super().__init__(timeout=None, maxread=CHUNK, searchwindowsize=WINDOW, encoding="utf-8")
        self.delayafterread = None
        self.exact = False
        self.echo_to: Callable[[bytes], None] | None = None
        self._link = link
        self._transcript = transcript
        self._plain = PlainText()
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._unread = bytearray()
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="serial line", daemon=True)
        self._reader.start()

    @property
    def ended(self) -> bool:
        """Whether the far end has hung up, which a machine does when it ends."""
        return self._ended

    def _read(self) -> None:
        while True:
            try:
                data = self._link.recv(1 << 16)
            except OSError:
                data = b""
            if data:
                self._transcript.write(data)
            with self._news:
                self._unread += data
                self._ended = not data
                self._news.notify_all()
            if not data:
                return
            if self.echo_to is not None:
                self.echo_to(data)

    def read_nonblocking(self, size: int = 1, timeout: float | None = None) -> str:
        """What has come, `size` bytes at most, as text. For pexpect.

        Raises pexpect.TIMEOUT after `timeout` seconds, pexpect.EOF at the end.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._news:
                self._news.wait_for(
                    lambda: self._unread or self._ended,
                    None if deadline is None else max(0.0, deadline - time.monotonic()),
                )
                data = bytes(self._unread[:size])
                del self._unread[:size]
            if not data:
                if self._ended:
                    raise pexpect.EOF("the machine has hung up")
                raise pexpect.TIMEOUT("nothing came in time")
            text = self._decode(data if self.exact else self._plain.feed(data).replace(b"\b", b""))
            if text:
                return text

    def send_bytes(self, data: bytes) -> None:
        """Send `data` as it is. Raises OSError if the far end has hung up."""
        self._link.sendall(data)

    def close(self) -> None:
        """Hang up, and end the reading thread."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._link.close()
        self.closed = True
