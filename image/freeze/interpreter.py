"""The target's Python: a prefix with libpython, the standard library and extension modules.

A FreeBSD package of Python has them below /usr/local: `lib/libpythonX.Y.so.1.0`, `lib/pythonX.Y`,
and `lib/pythonX.Y/lib-dynload`, which is empty if every extension module is inside libpython.
"""

import ast
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import writing
from image.freeze import elf

HOST = sys.version_info[:2]
"""The minor version of this host's Python, and so of the byte code that it makes."""

EXTENSION = re.compile(r"([A-Za-z0-9_]+)(\.cpython-[A-Za-z0-9_-]+|\.abi3)?\.so")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python for FreeBSD/amd64. `release` is its full version, as ``3.11.2``.

    `extensions` are the extension modules that are files, by module name; `builtin` are those
    inside libpython. `libraries` are the shared libraries beside libpython, by file name.
    """

    release: str
    library: Path
    stdlib: Path
    extensions: Mapping[str, Path]
    builtin: frozenset[str]
    libraries: Mapping[str, Path]

    @classmethod
    def find(cls, prefix: Path, name: str = "", wanted: tuple[int, int] = HOST) -> "Interpreter":
        """Find the Python of the minor version `wanted` in `prefix`. `name` says where the prefix
        came from. Raises Refusal if there is none, or one for another system."""
        minor = "{}.{}".format(*wanted)
        stdlib = prefix / "lib" / f"python{minor}"
        with writing(prefix):
            found = sorted((prefix / "lib").glob(f"libpython{minor}.so.1*"))
            others = sorted(path.name for path in prefix.glob("lib/libpython3.*.so.1*"))
        if not found or not (stdlib / "os.py").is_file():
            raise no_python(name or str(prefix), ", ".join(others) or "none", minor)
        library = found[0]
        data = library.read_bytes()
        facts = elf.read(data, str(library))
        if facts is None or not facts.for_freebsd:
            raise Refusal(
                library,
                f"this is not a libpython for FreeBSD/amd64 but {facts or 'no ELF file'}",
                "Name the prefix of a Python that was built for FreeBSD",
            )
        return cls(
            _release(data, minor, library),
            library,
            stdlib,
            _extensions(stdlib / "lib-dynload"),
            _builtin(stdlib),
            {path.name: path for path in sorted((prefix / "lib").glob("lib*.so.*"))},
        )


def no_python(where: str, found: str, minor: str) -> Refusal:
    """Return the Refusal of a place that has no Python `minor`. `found` names what it has
    instead."""
    return Refusal(
        where,
        f"Python {minor} is missing (found: {found}). This host's Python is {minor}, and byte code "
        "works with one minor version only",
        f"Use packages with Python {minor}, or remove .venv and choose the Python that makes it "
        "anew: EXITISP_PYTHON=python3.11 ./exitisp --list",
    )


def _release(library: bytes, minor: str, name: Path) -> str:
    """Return the full version of libpython, which is among its strings."""
    pattern = rf"\0({re.escape(minor)}\.[0-9]{{1,2}}(?:(?:a|b|rc)[0-9]{{1,2}})?)\+?\0"
    if told := re.search(pattern.encode(), library):
        return told[1].decode()
    raise Refusal(
        name,
        f"this libpython does not contain its version, {minor}.something",
        "Take it from its package again",
    )


def _extensions(folder: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(folder.glob("*.so")):
        if name := EXTENSION.fullmatch(path.name):
            found[name[1]] = path
    return found


def _builtin(stdlib: Path) -> frozenset[str]:
    """Return the names in MODBUILT_NAMES of the build's variables, without running the file that
    has them."""
    for path in sorted(stdlib.glob("_sysconfigdata_*.py")):
        try:
            tree = ast.parse(path.read_bytes())
            values = (node.value for node in tree.body if isinstance(node, ast.Assign))
            variables = [ast.literal_eval(value) for value in values]
        except (SyntaxError, ValueError):
            variables = []
        for one in variables:
            if isinstance(one, dict) and "MODBUILT_NAMES" in one:
                return frozenset(str(one["MODBUILT_NAMES"]).split())
    raise Refusal(
        stdlib,
        "no _sysconfigdata_*.py has the names of the built-in modules",
        "Take it from its package again",
    )
