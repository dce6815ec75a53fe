"""PyInstaller's bootloader for FreeBSD/amd64, compiled on any host by zig's C compiler.

zig brings FreeBSD's headers and link stubs of its libraries; what is linked for FreeBSD 14 runs
on 15. The bootloader's own build system would ask the compiler what the answers below say, which
are the same on every FreeBSD.
"""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze import artifact_cache, elf, source
from image.progress import step

SYSTEM = "x86_64-freebsd.14.0"

ANSWERS = ("STDBOOL_H", "UNSETENV", "MKDTEMP", "DIRNAME", "BASENAME", "WCSDUP")
"""What FreeBSD has of what the bootloader's `wscript` looks for. Without the two options for
semaphores, which only a program of one file uses."""

FLAGS = (
    *("-O2", "-s", "-DNDEBUG", "-fPIE", "-pie", "-fstack-protector-strong"),
    *("-D_REENTRANT", "-D_BSD_SOURCE", *(f"-DHAVE_{answer}=1" for answer in ANSWERS)),
    *("-Isrc", "-Izlib"),
)

THREADS = b"""\
#include <pthread.h>
__attribute__((used, retain)) static void *const threads = (void *)pthread_create;
"""
"""libthr has to be in the process before libpython is loaded, although nothing in the bootloader
refers to it; the linker records no library that nothing refers to."""

LIBRARIES = ("-lpthread", "-lm")

FORMAT = 1
"""Part of the cache's key; raised when what is done here changes."""


def bootloader(cache: Path) -> Path:
    """The compiled bootloader, out of the folder `cache` or made for it. Raises Refusal."""
    sdist = source.obtain(cache)
    sha256 = source.SHA256[source.version()]
    zig = importlib.metadata.version("ziglang")
    name = artifact_cache.key(FORMAT, sha256, zig, SYSTEM, FLAGS, THREADS, LIBRARIES)
    place = cache / f"bootloader-{name}"
    if (kept := artifact_cache.take(place)) is None:
        with artifact_cache.making(place) as work, step("Compile the bootloader for FreeBSD"):
            made = work / "made"
            made.mkdir()
            (made / "run").write_bytes(compiled(source.c_files(sdist), work / "build"))
            kept = artifact_cache.put(made, place, {"zig": zig, "pyinstaller": source.version()})
    return kept.folder / "run"


def compiled(sources: dict[str, bytes], work: Path) -> bytes:
    """The program that the C files `sources` are, made in the new folder `work`.

    Raises Refusal if they do not compile to a program for FreeBSD.
    """
    sources = {**sources, "threads.c": THREADS}
    for path, data in sources.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(data)
    files = sorted(path for path in sources if path.endswith(".c"))
    command = [sys.executable, "-m", "ziglang", "cc", "-target", SYSTEM]
    command += [*FLAGS, *files, *LIBRARIES, "-o", "run"]
    caches = {f"ZIG_{which}_CACHE_DIR": str(work / "zig") for which in ("GLOBAL", "LOCAL")}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **caches}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise _no_program(f"exit status {done.returncode}: {done.stderr.strip()[:300]}")
    data = elf.branded((work / "run").read_bytes())
    facts = elf.read(data, "the bootloader")
    if facts is None or not facts.for_freebsd or "libthr.so.3" not in facts.needed:
        raise _no_program(f"{facts}")
    return data


def _no_program(found: str) -> Refusal:
    return Refusal(
        "the bootloader",
        expected="zig's compiler to make a program for FreeBSD of it",
        found=found,
        remedy="remove .venv, so that the pinned compiler is installed, and run the same command "
        "again",
    )
