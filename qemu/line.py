"""A serial line that pexpect can search. A thread empties it all the time."""

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
"""Bytes handed to pexpect at a time: fewer than WINDOW, so that all text is searched."""

WINDOW = 4096
"""Characters at the end of the text that pexpect searches whenever more has come."""


class Line(Text):
    """The host's end of a serial line to a machine.

    A thread reads whatever comes at once: a guest blocks in its next write if nobody empties the
    port, even while the test works with another port. pexpect gets the text without escape
    sequences unless `exact` is set. Bytes that are not UTF-8 become surrogates (surrogateescape).
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
        """Whether the machine has hung up, which it does when it ends."""
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
        """Return what has come as text, at most `size` bytes of it. pexpect calls this.

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
        """Send `data` unchanged. Raises OSError if the machine has hung up."""
        self._link.sendall(data)

    def close(self) -> None:
        """Hang up, and end the reading thread."""
        with contextlib.suppress(OSError):
            self._link.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._link.close()
        self.closed = True
