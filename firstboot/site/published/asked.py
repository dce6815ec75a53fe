"""What a program prints that asks others, whoever answers: it takes no longer and no more room than
is given."""

import subprocess
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from firstboot.core.limits import MIB

LARGEST = 16 * MIB
"""Bytes of an answer."""

LAST_WORDS = 4096
"""Bytes of the end of what a program complains of."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`said` is the standard output, of which there may be one byte more than LARGEST; `error` the
    last line of standard error. `late` is whether the program was ended for taking too long."""

    status: int
    said: bytes
    error: str
    late: bool = False

    @property
    def large(self) -> bool:
        return len(self.said) > LARGEST


def ask(command: Sequence[str], seconds: float) -> Asked:
    """Run `command` for at most that long. Raises OSError if it cannot be run."""
    with tempfile.TemporaryFile() as complaints:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        ) as running:
            assert running.stdout is not None
            over = threading.Event()

            def end() -> None:
                over.set()
                running.kill()

            timer = threading.Timer(seconds, end)
            timer.start()
            try:
                said = running.stdout.read(LARGEST + 1)
                if len(said) > LARGEST:
                    running.kill()
                status = running.wait()
            finally:
                timer.cancel()
        complaints.seek(max(0, complaints.seek(0, 2) - LAST_WORDS))
        last = complaints.read().decode(errors="replace").strip().splitlines()[-1:]
    return Asked(status, said, last[0][:200] if last else "", over.is_set())
