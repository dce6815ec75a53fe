"""Compiles PyInstaller's bootloader for FreeBSD/amd64 on any host, with zig's C compiler.

zig brings FreeBSD's headers and link stubs of its libraries. A program linked for FreeBSD 14 runs
on 15. The bootloader's own build system would find out with the compiler what ANSWERS says, which
is the same on every FreeBSD.
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
"""What FreeBSD has of the functions and headers that the bootloader's `wscript` looks for. Two
options for semaphores are left out, because only a one-file program uses them."""

FLAGS = (
    *("-O2", "-s", "-DNDEBUG", "-fPIE", "-pie", "-fstack-protector-strong"),
    *("-D_REENTRANT", "-D_BSD_SOURCE", *(f"-DHAVE_{answer}=1" for answer in ANSWERS)),
    *("-Isrc", "-Izlib"),
)

THREADS = b"""\
#include <pthread.h>
__attribute__((used, retain)) static void *const threads = (void *)pthread_create;
"""
"""Makes the linker record libthr. It has to be in the process before libpython is loaded, but

to."""

LIBRARIES = ("-lpthread", "-lm")

FORMAT = 1
"""Part of the cache's key. Raise it when the result changes for the same input."""


def bootloader(cache: Path) -> Path:
    """Return the compiled bootloader, from the folder `cache` or compiled into it. Raises
    Refusal."""
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
    """Compile the C files `sources` in the new folder `work`.

    Raises Refusal if the result is not a program for FreeBSD.
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


def _no_program(problem: str) -> Refusal:
    return Refusal(
        "the bootloader",
        f"zig's compiler did not make a program for FreeBSD: {problem}",
        "Remove .venv, so that the pinned compiler is installed, and run the same command again",
    )
