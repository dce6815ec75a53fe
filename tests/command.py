"""The command line as a user has it, in a process of its own."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

Prepare = Callable[[], object]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, str(ROOT / "tasks.py"), *map(str, arguments)]


def environment(cache: Path, **variables: str) -> dict[str, str]:
    """Nothing of the caller's but the PATH; downloads and unpacked sets go to `cache`."""
    return {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(cache), **variables}


def exitisp(
    *arguments: str | Path,
    folder: Path,
    before: Prepare | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run `./exitisp ARGUMENTS` in `folder`, where its cache is too."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder / "cache", **variables),
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=before,
    )


def pieces(path: Path) -> Iterator[tuple[int, bytes]]:
    """The blocks of a sparse file that are not all zeros, and where they are."""
    zeros = bytes(4096)
    with path.open("rb") as file:
        at = 0
        while True:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                return
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            for place in range(at - at % 4096, end, 4096):
                block = os.pread(file.fileno(), 4096, place)
                if block != zeros[: len(block)]:
                    yield place, block
            at = end


def digest(path: Path) -> str:
    """Stands for every byte of the file, however sparse, and is quick where it is."""
    state = hashlib.sha256(str(path.stat().st_size).encode())
    for place, block in pieces(path):
        state.update(place.to_bytes(8, "little") + block)
    return state.hexdigest()
