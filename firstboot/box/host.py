"""The machine that this program runs on, as far as its files and programs go.

Everything that runs a program of the box does it here, so that tests can put a folder and their own
answers in the machine's place.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SEARCH = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
"""The folders of the box's programs, whatever the environment says."""

PATIENCE = 600.0
"""Seconds that a program may take. Starting a service is slow on an emulated processor."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended: its standard output and standard error in `text`, its exit status, and
    whether it was killed because it was too `late`."""

    text: str
    status: int
    late: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """`root` is / on the box. `search` is the PATH of the programs that are run."""

    root: Path = Path("/")
    search: str = SEARCH

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        """Run a program to its end, with `given` as its standard input.

        The status is 127 if the program does not exist. It is 124 if the program was killed because
        it took longer than `patience` seconds.
        """
        environment = {"PATH": self.search, "LC_ALL": "C", "HOME": "/root"}
        try:
            ended = subprocess.run(
                command,
                input=given,
                stdin=subprocess.DEVNULL if given is None else None,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                text=True,
                errors="replace",
                timeout=patience,
            )
        except OSError as error:
            return Ran(f"{command[0]}: {error.strerror}", 127)
        except subprocess.TimeoutExpired:
            return Ran(f"{command[0]}: not done after {patience:g} s", 124, late=True)
        return Ran(ended.stdout, ended.returncode)

    def mounted(self, name: str) -> bool:
        """Whether the file system `name` of the box is there: "cfg" or "data". In a folder that
        stands for a box, a folder stands for the file system."""
        path = self.root / name
        return os.path.ismount(path) if self.root == Path("/") else path.is_dir()

    def has(self, program: str) -> bool:
        """Whether a program is installed; `program` is its absolute path on the box."""
        return os.access(self.root / program.lstrip("/"), os.X_OK)
