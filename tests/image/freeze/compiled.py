"""Small shared libraries for FreeBSD, compiled by zig."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image.freeze import elf
from image.freeze.bootloader import SYSTEM


def library(
    folder: Path,
    name: str,
    source: str,
    *,
    needs: Sequence[Path] = (),
    brand: bool = True,
) -> Path:
    """Compile the shared library `name`, which is also its soname."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    command = [sys.executable, "-m", "ziglang", "cc", "-target", SYSTEM, "-shared", "-fPIC", "-s"]
    with tempfile.TemporaryDirectory() as work:
        code = Path(work) / "source.c"
        code.write_text(source)
        command += ["-nostdlib", str(code), *map(str, needs), f"-Wl,-soname,{name}"]
        caches = {f"ZIG_{which}_CACHE_DIR": work for which in ("GLOBAL", "LOCAL")}
        environment = {"PATH": os.environ["PATH"], **caches}
        subprocess.run([*command, "-o", str(path)], check=True, env=environment)
    if brand:
        path.write_bytes(elf.branded(path.read_bytes()))
    return path
