"""QEMU's process while a machine is on, and a new process after each reset.

QEMU keeps the code that it translated from a page, and searches it at every write to that page.
After a reset the firmware's stack lies where a kernel was, so QEMU 7.2 takes minutes for a start
that takes a fresh process seconds. So a reset ends the process, and the next one gets the same
disks and serial lines.
"""

import contextlib
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qemu import programs
from qemu.monitor import PATIENCE, Ended, Monitor, MonitorFailure


class Running:
    """A machine from power-on until it is off.

    `command` starts QEMU; serial ports and monitors are added to it. `lines` are the machine's ends
    of the serial ports, which it owns from now on and closes when it goes off. `log` gets the
    commands and QEMU's messages. `unplugged` has the indexes of the network cards whose cables
    are pulled. Raises MonitorFailure if QEMU does not start, Refusal if a program is missing.
    """

    def __init__(
        self, command: list[str], lines: Sequence[socket.socket], log: Path, unplugged: set[int]
    ) -> None:
        self._command = [*command, "-no-reboot"]
        self._lines = lines
        self._log = log
        self._unplugged = unplugged
        self._process: subprocess.Popen[bytes] | None = None
        self._monitor: Monitor | None = None
        self._failure: Exception | None = None
        self._cut = False
        self._changed = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._run, name="machine", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._monitor or self._failure)
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    @property
    def pid(self) -> int | None:
        """QEMU's process id, or None when the machine is off."""
        process = self._process
        return process.pid if process is not None and self._thread.is_alive() else None

    def execute(self, command: str, **arguments: object) -> Any:
        """As Monitor.execute(). If the machine is being reset, the command runs after the reset."""
        with self._changed:
            monitor = self._monitor
        if monitor is None:
            raise Ended(f"QEMU has ended and cannot run {command}")
        try:
            return monitor.execute(command, **arguments)
        except Ended:
            with self._changed:
                self._changed.wait_for(lambda: self._monitor is not monitor, PATIENCE)
                another = self._monitor
            if another is None or another is monitor:
                raise
            return another.execute(command, **arguments)

    def cut_power(self) -> None:
        """Kill QEMU, and return when it is gone."""
        with self._changed:
            self._cut = True
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def wait(self, timeout: float) -> int | None:
        """Return QEMU's exit status once the machine is off, or None after `timeout` seconds."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            return None
        assert self._process is not None
        return self._process.returncode

    def _run(self) -> None:
        try:
            while self._one():
                pass
        except Exception as failure:
            self._failure = failure
        finally:
            for line in self._lines:
                line.close()
            with self._changed:
                self._monitor = None
                self._changed.notify_all()

    def _one(self) -> bool:
        """Run QEMU until it ends, and return whether it ended for a reset."""
        with _connected() as (monitor, far), _connected() as (told, distant):
            with self._changed:
                if self._cut:
                    return False
                self._process = self._start(far, distant)
            try:
                for end in (far, distant):
                    end.close()
                monitor.greet()
                told.greet()
                for nic in self._unplugged:
                    monitor.execute("set_link", name=f"net{nic}", up=False)
                with self._changed:
                    self._monitor = monitor
                    self._changed.notify_all()
                ended = told.event("SHUTDOWN")
            except MonitorFailure:
                self._process.kill()
                raise
            finally:
                self._process.wait()
        return ended is not None and str(ended["reason"]).endswith("reset")

    def _start(self, *monitors: socket.socket) -> subprocess.Popen[bytes]:
        ports = [end.fileno() for end in (*self._lines, *monitors)]
        command = programs.dying_with_us([*self._command, *_ports(*ports)])
        with self._log.open("ab") as log:
            log.write(f"{shlex.join(command)}\n".encode())
            log.flush()
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=ports
            )


@contextlib.contextmanager
def _connected() -> Iterator[tuple[Monitor, socket.socket]]:
    """Yield a monitor, and QEMU's end of its connection."""
    near, far = socket.socketpair()
    with contextlib.closing(Monitor(near)) as monitor, far:
        yield monitor, far


def _ports(com1: int, com2: int, commands: int, events: int) -> list[str]:
    """Return QEMU's arguments for serial ports and monitors on sockets that it inherits. Since the
    sockets are connected already, no byte is lost at the start."""
    return [
        *("-chardev", f"socket,id=com1,fd={com1}", "-serial", "chardev:com1"),
        *("-chardev", f"socket,id=com2,fd={com2}", "-serial", "chardev:com2"),
        *("-chardev", f"socket,id=commands,fd={commands}"),
        *("-mon", "chardev=commands,mode=control"),
        *("-chardev", f"socket,id=events,fd={events}"),
        *("-mon", "chardev=events,mode=control"),
    ]
