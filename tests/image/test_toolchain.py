"""No compiler, linker or debugger is in an image."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import overlay, toolchain
from image.tree import Tree, directory, file
from tests.command import ROOT

BINUTILS = (
    "addr2line", "ar", "c++filt", "nm", "objcopy", "objdump", "ranlib", "readelf", "size",
    "strings", "strip", "llvm-ar", "llvm-nm", "llvm-objcopy", "llvm-objdump", "llvm-ranlib",
    "llvm-readelf", "llvm-size", "llvm-strings", "llvm-strip", "llvm-symbolizer", "llvm-cxxfilt",
)  # fmt: skip
COMPILER = (
    "CC", "asan_symbolize", "bugpoint", "c++", "c89", "c99", "cc", "clang", "clang++",
    "clang-cpp", "clang-format", "clang-scan-deps", "cpp", "gcov", "ld", "ld.lld", "llc", "lld",
    "lldb", "lldb-server", "lli", "llvm-as", "llvm-cov", "llvm-link", "llvm-profdata", "opt",
    "ctfconvert", "ctfmerge", "elfdump", "as",
)  # fmt: skip
LIBRARIES = ("libprivatellvm.so.19", "libprivateclang.so.19", "libprivatelldb.so.19")
FULL = [f"usr/bin/{name}" for name in (*BINUTILS, *COMPILER)] + [
    f"usr/lib/{name}" for name in LIBRARIES
]
"""The names in HardenedBSD's base of what only a compiler, linker or debugger needs."""


def made(*paths: str) -> Tree:
    tree = Tree()
    for folder in ("usr", "usr/bin", "usr/lib", "usr/local", "usr/local/bin"):
        tree[folder] = directory()
    for path in paths:
        tree[path] = file(b"")
    return tree


@pytest.mark.parametrize("path", FULL)
def test_the_overlays_drop_every_one_of_the_base(path: str) -> None:
    drop, _ = overlay.dropping(overlay.load_all(Path(ROOT / "overlays")))
    assert drop(path)


@pytest.mark.parametrize("path", [*FULL, "usr/local/bin/gcc", "usr/local/bin/clang"])
def test_one_that_is_left_stops_the_build(path: str) -> None:
    with pytest.raises(Refusal, match="compilers, linkers or debuggers are left: "):
        toolchain.check(made(path))


def test_all_that_are_left_are_named_also_under_other_names() -> None:
    tree = made("usr/bin/nm", "usr/bin/less")
    tree["usr/bin/other"] = tree["usr/bin/nm"]
    with pytest.raises(Refusal, match="left: /usr/bin/nm, /usr/bin/other\\."):
        toolchain.check(tree)


def test_other_programs_are_left_alone() -> None:
    toolchain.check(made("usr/bin/less", "usr/lib/libc.so.7", "usr/lib/nm"))
