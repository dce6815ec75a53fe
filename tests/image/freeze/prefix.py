"""A Python for FreeBSD in miniature, with only the parts that a freeze looks at."""

from collections.abc import Sequence
from pathlib import Path

from image.freeze.interpreter import HOST
from tests.image.freeze import compiled

MINOR = "{}.{}".format(*HOST)
LIBPYTHON = f"libpython{MINOR}.so.1.0"

VARIABLES = "build_time_vars = {'MODBUILT_NAMES': 'time  _io', 'VERSION': '3'}\n"


def make(
    prefix: Path,
    *,
    more: str = "",
    needs: Sequence[Path] = (),
    brand: bool = True,
    release: str = f"{MINOR}.99",
) -> Path:
    """Make the prefix, with libpython, a standard library of two modules and no extension modules.
    `more` is C code in libpython that uses the libraries `needs`."""
    source = f'const char version[] = "\\0" "{release}"; {more}'
    compiled.library(prefix / "lib", LIBPYTHON, source, needs=needs, brand=brand)
    stdlib = prefix / "lib" / f"python{MINOR}"
    (stdlib / "lib-dynload").mkdir(parents=True)
    (stdlib / "os.py").write_text("")
    (stdlib / "json").mkdir()
    (stdlib / "json" / "__init__.py").write_text("")
    (stdlib / "_sysconfigdata__freebsd14_.py").write_text(VARIABLES)
    return prefix
