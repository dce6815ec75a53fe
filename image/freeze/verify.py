"""Checks that the target can load all machine code of a frozen program.

No file may be of another system, every library must be in the program or in the base and where the
run-time linker looks for it, and every symbol must be defined there.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze import elf
from image.freeze.frozen import RUN_PATH
from image.freeze.recipe import CONTENTS, PROGRAM
from image.tree import Kind, Tree

Base = Mapping[str, Callable[[], bytes]]
"""The shared libraries of a base system, by name."""

USUAL = re.compile(
    r"lib(?:c|m|thr|util|dl|rt|z|bz2|lzma|crypt|crypto|ssl|edit|ncursesw|tinfow|panelw|md|gcc_s|elf"
    r"|execinfo|uuid|sys)\.so\.[0-9]+"
)
"""Libraries of FreeBSD's base that Python is linked to. They stand for the base where none is at
hand."""

IN_BASE = re.compile(r"(?:usr/)?lib/([^/]+\.so\.[0-9]+)")


def base_libraries(base: Tree) -> Base:
    """Return the libraries in the tree `base` that the run-time linker finds without a search
    path."""
    return {
        name[1]: entry.content.read
        for path, entry in base.items()
        if (name := IN_BASE.fullmatch(path)) and entry.kind is Kind.FILE
    }


def verify(folder: Path, base: Base | None) -> None:
    """Raises Refusal for the first fault of the program in `folder`.

    Without a `base` its libraries are assumed to be `USUAL`, and symbols are not looked up.
    """
    machine_code: dict[str, tuple[elf.Elf, bytes]] = {}
    for name, data in contents(folder):
        facts = elf.read(data, name)
        if facts is None:
            continue
        if not facts.for_freebsd:
            raise Refusal(
                name,
                f"machine code for another system than FreeBSD/amd64: {facts}",
                "Remove the import in firstboot that brings it",
            )
        machine_code[name] = facts, data
    if PROGRAM not in machine_code:
        raise Refusal(
            folder / PROGRAM,
            "the program is not an ELF file",
            "Remove the cache's folder 'freeze' and run the same command again",
        )
    own = {Path(name).name for name in machine_code}
    for name, (facts, _) in machine_code.items():
        for needed in facts.needed:
            if needed not in own and not offers(base, needed):
                raise Refusal(
                    name,
                    f"it needs {needed}, which neither the program nor the base has",
                    "Use packages and a base that fit each other",
                )
            if not offers(base, needed) and facts.run_path != (RUN_PATH,):
                raise Refusal(
                    name,
                    f"it needs {needed}, and its run path is not {RUN_PATH} but "
                    f"{':'.join(facts.run_path) or 'empty'}",
                    "Remove the cache's folder 'freeze' and run the same command again",
                )
    if base is not None:
        resolve(machine_code, base)


def resolve(machine_code: Mapping[str, tuple[elf.Elf, bytes]], base: Base) -> None:
    """Raises Refusal for a symbol that neither `machine_code` nor `base` defines."""
    symbols = {name: elf.symbols(data, name) for name, (_, data) in machine_code.items()}
    libraries = list(symbols.values())
    waiting = [name for facts, _ in machine_code.values() for name in facts.needed]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in base:
            continue
        seen.add(name)
        data = base[name]()
        libraries.append(elf.symbols(data, name))
        facts = elf.read(data, name)
        waiting += facts.needed if facts else ()
    for name, its in symbols.items():
        if missing := elf.unresolved(its, libraries):
            raise Refusal(
                name,
                "the base's libraries do not define " + ", ".join(map(str, missing[:5])),
                "Use a Python and a base of one FreeBSD version",
            )


def offers(base: Base | None, library: str) -> bool:
    return library in base if base is not None else USUAL.fullmatch(library) is not None


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file of a frozen program and of its archives: (name, bytes)."""
    from PyInstaller.archive.readers import CArchiveReader  # type: ignore[import-untyped]

    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        data = path.read_bytes()
        yield name, data
        if name == PROGRAM:
            archive = CArchiveReader(str(path))
            for member, (*_, kind) in archive.toc.items():
                if kind not in "od":
                    content = archive.extract(member)
                    yield f"{name}: {member}", content if isinstance(content, bytes) else b""
        elif name == f"{CONTENTS}/base_library.zip":
            with zipfile.ZipFile(io.BytesIO(data)) as library:
                for member in library.namelist():
                    yield f"{name}: {member}", library.read(member)
