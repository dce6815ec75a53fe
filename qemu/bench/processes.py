"""What the processes of a daemon take of the machine: processor time and memory (proc(5))."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qemu.failure import Late
from qemu.world.net import Daemon, Failed

PAUSE = 0.05
"""Seconds between two looks at a daemon."""

IDLE = 1.0
"""Seconds without work after which a daemon has settled."""

WORK = 0.03
"""Seconds of processor time that are work: less is timers, and answers to our questions."""


@dataclass(frozen=True, slots=True)
class Memory:
    """In MiB. `shared` counts a page that n processes have n times, `fair` counts an nth of it for
    each of them (RSS and PSS)."""

    fair: float
    shared: float


def processor_seconds(daemon: Daemon) -> float:
    """Return the processor time that all processes of `daemon` have taken, in user and in kernel
    mode."""
    ticks = 0
    for process in _of(daemon):
        with suppress(ProcessLookupError, FileNotFoundError):
            stat = Path(f"/proc/{process}/stat").read_text()
            user, kernel = stat.rpartition(")")[2].split()[11:13]
            ticks += int(user) + int(kernel)
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(daemon: Daemon) -> Memory:
    """Return the memory of all processes of `daemon`. Raises Failed if there is none."""
    found = {"Pss": 0, "Rss": 0}
    for process in _of(daemon):
        with suppress(ProcessLookupError, FileNotFoundError):
            said = Path(f"/proc/{process}/smaps_rollup").read_text()
            for name in found:
                match = re.search(rf"(?m)^{name}: +([0-9]+) kB$", said)
                found[name] += int(match[1]) if match else 0
    if not found["Pss"]:
        raise Failed(f"{daemon.log.name}: the kernel tells no memory of its processes")
    return Memory(found["Pss"] / 1024, found["Rss"] / 1024)


def settled(what: str, daemon: Daemon, there: Callable[[], bool], longest: float) -> float:
    """Wait until `there` returns true and `daemon` has nothing to do any more.

    Return the moment, of time.monotonic, at which it was last seen at work. Raises Late, which
    names `what`, after `longest` seconds, and Failed with its log if the daemon ends.
    """
    end = time.monotonic() + longest
    last, spent = time.monotonic(), processor_seconds(daemon)
    arrived = False
    while not arrived or time.monotonic() - last < IDLE:
        if daemon.process.poll() is not None:
            raise Failed(f"{daemon.log.name} ended: {daemon.said()[-2000:]}")
        if time.monotonic() > end:
            raise Late(f"{what}: did not come within {longest:.0f} s")
        if not arrived and there():
            arrived = True
            last, spent = time.monotonic(), processor_seconds(daemon)
        time.sleep(PAUSE)
        now = processor_seconds(daemon)
        if now - spent >= WORK or waits(daemon):
            last, spent = time.monotonic(), now
    return last


def waits(daemon: Daemon) -> bool:
    """Return whether a process of `daemon` has work, but perhaps no processor or disk for it."""
    for process in _of(daemon):
        with suppress(ProcessLookupError, FileNotFoundError):
            stat = Path(f"/proc/{process}/stat").read_text()
            if stat.rpartition(")")[2].split()[0] in ("R", "D"):
                return True
    return False


def _of(daemon: Daemon) -> Iterator[int]:
    """Yield the processes of `daemon`. The one that entered the namespaces for it only waits."""
    todo = list(_children(daemon.process.pid))
    while todo:
        process = todo.pop()
        yield process
        todo += _children(process)


def _children(process: int) -> list[int]:
    with suppress(ProcessLookupError, FileNotFoundError):
        said = Path(f"/proc/{process}/task/{process}/children").read_text()
        return [int(one) for one in said.split()]
    return []
