"""Small shared libraries for FreeBSD, made by zig's compiler."""

import os
import subprocess
import sys
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
    """A shared library `name`, whose soname it is too."""
    folder.mkdir(parents=True, exist_ok=True)
    code = folder / "source.c"
    code.write_text(source)
    path = folder / name
    caches = {f"ZIG_{which}_CACHE_DIR": str(folder / "zig") for which in ("GLOBAL", "LOCAL")}
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        SYSTEM,
        "-shared",
        "-fPIC",
        "-s",
        "-nostdlib",
    ]
    command += [str(code), *map(str, needs), f"-Wl,-soname,{name}", "-o", str(path)]
    subprocess.run(command, check=True, env={"PATH": os.environ["PATH"], **caches})
    code.unlink()
    if brand:
        path.write_bytes(elf.branded(path.read_bytes()))
    return path
