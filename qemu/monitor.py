"""QEMU's monitor: the QEMU Machine Protocol (QMP), one JSON object a line."""

import contextlib
import json
import socket
from typing import Any

from qemu.failure import Failure

PATIENCE = 60.0
"""Seconds to wait for an answer. QEMU needs milliseconds, but the host may be busy."""


class MonitorFailure(Failure):
    """QEMU refused a command, did not answer in time, or has ended."""


class Ended(MonitorFailure):
    """QEMU has ended."""


class Monitor:
    """The client's end of the QMP connection `link`, which it owns."""

    def __init__(self, link: socket.socket) -> None:
        link.settimeout(PATIENCE)
        self._link = link
        self._lines = link.makefile("rb")

    def greet(self) -> None:
        """Wait for QEMU's greeting, and answer it. Raises MonitorFailure."""
        self._receive("the greeting")
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> Any:
        """Return what QEMU returns for `command`. Raises MonitorFailure."""
        request = json.dumps({"execute": command, "arguments": arguments})
        try:
            self._link.sendall(request.encode() + b"\n")
        except OSError as error:
            raise Ended(f"QEMU has ended and cannot run {command}: {error}") from error
        while True:
            answer = self._receive(command)
            if "error" in answer:
                raise MonitorFailure(f"QEMU refused {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def event(self, name: str) -> dict[str, Any] | None:
        """Wait for the next event `name` and return its data, or None if QEMU ends first."""
        self._link.settimeout(None)
        with contextlib.suppress(OSError):
            while (line := self._lines.readline()).endswith(b"\n"):
                message = json.loads(line)
                if message.get("event") == name:
                    data: dict[str, Any] = message["data"]
                    return data
        return None

    def _receive(self, awaited: str) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except (ConnectionError, ValueError):  # reset, or closed by another thread
            line = b""
        except OSError as error:
            raise MonitorFailure(f"no answer from QEMU to {awaited}: {error}") from error
        if not line.endswith(b"\n"):
            raise Ended(f"QEMU ended before its answer to {awaited}")
        message: dict[str, Any] = json.loads(line)
        return message

    def close(self) -> None:
        self._lines.close()
        self._link.close()
