"""Programs of Debian's packages that run on the host with the libraries of these packages."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.rehearsal.linked import closure
from image.rehearsal.unpacked import merged
from image.tree import Kind, Tree

LINKER = "usr/lib64/ld-linux-x86-64.so.2"


@dataclass(frozen=True, slots=True)
class Tools:
    """Programs below the folder `root`."""

    root: Path

    def run(self, program: str, *arguments: str, **environment: str) -> bytes:
        """Run `program`, given by its path in a package, and return its standard output. Raises
        Refusal."""
        libraries = self.root / "usr/lib/x86_64-linux-gnu"
        command = [
            *(str(self.root / LINKER), "--library-path", str(libraries)),
            *(str(self.root / merged(program)), *arguments),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C"} | environment,
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise Refusal(
                program,
                "the program failed on this machine: "
                + (said[-1] if said else f"exit status {done.returncode}"),
                "Build on Linux on amd64",
            )
        return done.stdout


@contextmanager
def unpacked(tree: Tree, programs: Iterable[str], folders: Iterable[str]) -> Iterator[Tools]:
    """Unpack the `programs` of `tree` with their libraries, and its `folders`, into a temporary
    folder."""
    with tempfile.TemporaryDirectory(prefix="tools-") as name:
        root = Path(name)
        files = closure(tree, programs)
        for folder in folders:
            files |= {path: path for path in tree.below(folder) if tree[path].kind is Kind.FILE}
        for path, source in files.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(tree[source].content.read())
            place.chmod(0o755)
        yield Tools(root)
