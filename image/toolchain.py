"""No compiler, linker or debugger is in an image, under whatever name."""

import re
from collections.abc import Iterator

from firstboot.core.refusal import Refusal
from image.tree import Kind, Tree

NAMES = (
    "addr2line", "ar", "as", "asan_symbolize", "bugpoint", "c++", "c++filt", "c89", "c99", "CC",
    "cc", "clang", "clang++", "clang-cpp", "clang-format", "clang-scan-deps", "clang-tblgen",
    "cpp", "ctfconvert", "ctfmerge", "elfdump", "gcc", "g++", "gcov", "gdb", "kgdb", "ld",
    "ld.bfd", "ld.lld", "llc", "lld", "lldb", "lldb-server", "lldb-tblgen", "lli", "llvm-ar",
    "llvm-as", "llvm-bcanalyzer", "llvm-cov", "llvm-cxxdump", "llvm-cxxfilt", "llvm-diff",
    "llvm-dis", "llvm-dwarfdump", "llvm-dwarfutil", "llvm-extract", "llvm-link", "llvm-lto",
    "llvm-lto2", "llvm-mc", "llvm-mca", "llvm-modextract", "llvm-nm", "llvm-objcopy",
    "llvm-objdump", "llvm-pdbutil", "llvm-profdata", "llvm-ranlib", "llvm-readelf",
    "llvm-readobj", "llvm-rtdyld", "llvm-size", "llvm-stress", "llvm-strings", "llvm-strip",
    "llvm-symbolizer", "llvm-tblgen", "llvm-xray", "nm", "objcopy", "objdump", "opt", "ranlib",
    "readelf", "size", "strings", "strip",
)  # fmt: skip
"""The programs of HardenedBSD's base that build, take apart or debug programs, and their usual
names elsewhere. Sources: usr.bin/clang and usr.bin/Makefile of its tree, with MK_CLANG_EXTRAS and
MK_LLVM_BINUTILS."""

_PROGRAM = re.compile(r"(?:usr/(?:local/)?)?(?:s?bin|libexec)/([^/]+)")
_LIBRARY = re.compile(r"libprivate(?:llvm|clang|lldb)[^/]*|lib(?:LLVM|clang|lldb)[^/]*\.so[^/]*")


def check(tree: Tree) -> None:
    """Raises Refusal naming all of them that are left in `tree`.

    A file counts if any of its names (hard links) does.
    """
    if left := sorted(_left(tree)):
        raise Refusal(
            "the root tree",
            f"compilers, linkers or debuggers are left: {', '.join(f'/{path}' for path in left)}",
            "Drop them in an overlay.yaml, or do without the package that brings them",
        )


def _left(tree: Tree) -> Iterator[str]:
    named = {
        id(entry) for path, entry in tree.items() if entry.kind is Kind.FILE and _is_named(path)
    }
    for path, entry in tree.items():
        if entry.kind is not Kind.DIRECTORY and (_is_named(path) or id(entry) in named):
            yield path


def _is_named(path: str) -> bool:
    program = _PROGRAM.fullmatch(path)
    name = path.rpartition("/")[2]
    return (program is not None and program[1] in NAMES) or _LIBRARY.fullmatch(name) is not None
