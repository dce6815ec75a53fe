"""A machine that is switched on: the process that it is, and the next one after each reset.

An emulator keeps what it translated of the code in a page, and looks through it whenever somebody
writes to that page. After a reset firmware has its stack where a kernel was, and crawls: QEMU 7.2
takes minutes for what takes it seconds in a process of its own. So a reset ends the process, and a
new one has the same disks and serial lines.
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
    """A machine from its power-on until it goes off.

    `command` is QEMU's, without its serial ports and monitors. `lines` are the far ends of the
    serial ports, which the machine owns from now on and closes when it goes off. `log` takes the
    commands, and what QEMU says. `unplugged` are the network cards without their cables.
    Raises MonitorFailure if QEMU does not start, Refusal for a program that is missing.
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
        """Of the process, unless the machine is off."""
        process = self._process
        return process.pid if process is not None and self._thread.is_alive() else None

    def execute(self, command: str, **arguments: object) -> Any:
        """See Monitor; a machine that is just being reset takes the command after that."""
        with self._changed:
            monitor = self._monitor
        if monitor is None:
            raise Ended(f"QEMU takes no command {command}")
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
        """Returns when nothing of the machine is left but its disks."""
        with self._changed:
            self._cut = True
            if self._process is not None:
                self._process.kill()
        self._thread.join()

    def wait(self, timeout: float) -> int | None:
        """QEMU's status once the machine has gone off, or None after `timeout` seconds."""
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
        """Be a process until it ends; whether that was for a reset."""
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
    """A monitor, and the end of its connection that is QEMU's."""
    near, far = socket.socketpair()
    with contextlib.closing(Monitor(near)) as monitor, far:
        yield monitor, far


def _ports(com1: int, com2: int, commands: int, events: int) -> list[str]:
    """Serial ports and monitors on sockets that QEMU inherits, so that no byte comes too early."""
    return [
        *("-chardev", f"socket,id=com1,fd={com1}", "-serial", "chardev:com1"),
        *("-chardev", f"socket,id=com2,fd={com2}", "-serial", "chardev:com2"),
        *("-chardev", f"socket,id=commands,fd={commands}"),
        *("-mon", "chardev=commands,mode=control"),
        *("-chardev", f"socket,id=events,fd={events}"),
        *("-mon", "chardev=events,mode=control"),
    ]
