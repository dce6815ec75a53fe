"""The target's Python: a prefix with libpython, the standard library and extension modules.

A FreeBSD package of Python has them below /usr/local: `lib/libpythonX.Y.so.1.0`, `lib/pythonX.Y`,
and `lib/pythonX.Y/lib-dynload`, which is empty where every extension module is in libpython.
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
"""The minor version whose byte code this host's Python makes."""

EXTENSION = re.compile(r"([A-Za-z0-9_]+)(\.cpython-[A-Za-z0-9_-]+|\.abi3)?\.so")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python for FreeBSD/amd64, `release` as ``3.11.2``.

    `extensions` are the extension modules that are files, by module name, `builtin` those inside
    libpython; `libraries` the shared libraries beside it, by file name.
    """

    release: str
    library: Path
    stdlib: Path
    extensions: Mapping[str, Path]
    builtin: frozenset[str]
    libraries: Mapping[str, Path]

    @classmethod
    def find(cls, prefix: Path, name: str = "", wanted: tuple[int, int] = HOST) -> "Interpreter":
        """The Python of the minor version `wanted` in `prefix`, which came from `name`. Raises
        Refusal if there is none, or one for another system."""
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
                expected="a libpython for FreeBSD/amd64",
                found=str(facts or "no ELF file"),
                remedy="name the prefix of a Python that was built for FreeBSD",
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
    """The refusal of a place that has another Python than `minor`, or none."""
    return Refusal(
        where,
        expected=f"Python {minor}, for this host's Python is {minor} and byte code is one minor "
        "version's",
        found=found,
        remedy="use packages with that version, or remove .venv and say which Python makes it "
        "anew: EXITISP_PYTHON=python3.11 ./exitisp --list",
    )


def _release(library: bytes, minor: str, name: Path) -> str:
    """The full version, which libpython has among its strings."""
    pattern = rf"\0({re.escape(minor)}\.[0-9]{{1,2}}(?:(?:a|b|rc)[0-9]{{1,2}})?)\+?\0"
    if told := re.search(pattern.encode(), library):
        return told[1].decode()
    raise Refusal(
        name,
        expected=f"a libpython that tells its version, {minor}.something",
        found="none in it",
        remedy="take it from its package again",
    )


def _extensions(folder: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(folder.glob("*.so")):
        if name := EXTENSION.fullmatch(path.name):
            found[name[1]] = path
    return found


def _builtin(stdlib: Path) -> frozenset[str]:
    """The names in MODBUILT_NAMES of the build's variables, read without running the file."""
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
        expected="_sysconfigdata_*.py with the names of the built-in modules",
        found="none",
        remedy="take it from its package again",
    )
