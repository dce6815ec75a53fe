"""How far a lab is: a line as each stage ends, and all of them for the report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from qemu.lab.report import Stage


class Progress:
    """Begins when it is made."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._began = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The time in between is that of `name`, told if it ends well."""
        before = time.monotonic()
        yield
        now = time.monotonic()
        stage = Stage(name, round(now - self._began, 1), round(now - before, 1))
        self.stages.append(stage)
        print(f"[{stage.at:6.1f} s] {name}: {stage.took:.1f} s", flush=True)
