"""Prints how far a lab is: a line when a stage begins, when it has taken long, and when it ends."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qemu.lab.report import Moment, Stage

EVERY = 20.0
"""Seconds between two lines of a stage that takes long."""


class Progress:
    """Times the stages of a lab from now on, and keeps those that ended well.

    A stage may contain others. `say` takes each line.
    """

    def __init__(self, say: Callable[[str], None] | None = None, every: float = EVERY) -> None:
        self.stages: list[Stage] = []
        self.moments: list[Moment] = []
        self._say = say or _print
        self._every = every
        self._began = time.monotonic()
        self._innermost: list[str] = []

    def mark(self, what: str) -> None:
        """Keep the moment at which `what` happens."""
        self.moments.append(Moment(what, time.time()))

    @contextmanager
    def stage(self, name: str, now: Callable[[], str] | None = None) -> Iterator[None]:
        """Time what happens in the `with` block under `name`. Every EVERY seconds, say that it
        still goes on; `now`, if given, tells what is being done."""
        before = time.monotonic()
        over = threading.Event()
        self._innermost.append(name)
        self._tell(f"{name} ...")
        watch = threading.Thread(
            target=self._keep_telling, args=(name, before, over, now), name="progress", daemon=True
        )
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()
            self._innermost.pop()
        ended = time.monotonic()
        stage = Stage(name, round(ended - self._began, 1), round(ended - before, 1))
        self.stages.append(stage)
        self._tell(f"{name}: {stage.took:.1f} s")

    def _keep_telling(
        self, name: str, before: float, over: threading.Event, now: Callable[[], str] | None
    ) -> None:
        while not over.wait(self._every):
            if self._innermost[-1:] == [name]:
                doing = f": {told}" if now and (told := now()) else ""
                self._tell(f"{name}, {time.monotonic() - before:.0f} s so far{doing}")

    def _tell(self, text: str) -> None:
        self._say(f"[{time.monotonic() - self._began:6.1f} s] {text}")


def _print(line: str) -> None:
    print(line, flush=True)
