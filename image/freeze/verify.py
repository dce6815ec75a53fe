"""Whether the target can load every file of machine code in a frozen program.

No file of another system may have slipped in, every library must be in the program or in the
base, and every symbol must be found there.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze import elf
from image.freeze.recipe import CONTENTS, PROGRAM
from image.tree import Kind, Tree

Base = Mapping[str, Callable[[], bytes]]
"""The shared libraries of a base system, by name."""

USUAL = re.compile(
    r"lib(?:c|m|thr|util|dl|rt|z|bz2|lzma|crypt|crypto|ssl|edit|ncursesw|tinfow|panelw|md|gcc_s|elf"
    r"|execinfo|uuid|sys)\.so\.[0-9]+"
)
"""Libraries of FreeBSD's base that Python is linked to, for where no base is at hand."""

IN_BASE = re.compile(r"(?:usr/)?lib/([^/]+\.so\.[0-9]+)")


def base_libraries(base: Tree) -> Base:
    """The libraries in the tree `base` that the run-time linker finds without being told where."""
    return {
        name[1]: entry.content.read
        for path, entry in base.items()
        if (name := IN_BASE.fullmatch(path)) and entry.kind is Kind.FILE
    }


def verify(folder: Path, base: Base | None) -> None:
    """Raises Refusal for the first fault of the program in `folder`.

    Without a `base` its libraries are taken to be the usual ones, and symbols are not looked up.
    """
    machine_code: dict[str, tuple[elf.Elf, bytes]] = {}
    for name, data in contents(folder):
        facts = elf.read(data, name)
        if facts is None:
            continue
        if not facts.for_freebsd:
            raise Refusal(
                name,
                expected="machine code for FreeBSD/amd64 only",
                found=str(facts),
                remedy="remove what brings it from the program's imports",
            )
        machine_code[name] = facts, data
    if PROGRAM not in machine_code:
        raise Refusal(
            folder / PROGRAM,
            expected="a program",
            found="no ELF file",
            remedy="remove the cache's folder 'freeze' and run the same command again",
        )
    own = {Path(name).name for name in machine_code}
    for name, (facts, _) in machine_code.items():
        for needed in facts.needed:
            if needed not in own and not offers(base, needed):
                raise Refusal(
                    name,
                    expected="only libraries of the program and of the base",
                    found=f"{needed}, which neither has",
                    remedy="use packages and a base that fit each other",
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
                expected="symbols that the base's libraries have",
                found=", ".join(map(str, missing[:5])),
                remedy="use a Python and a base of one FreeBSD version",
            )


def offers(base: Base | None, library: str) -> bool:
    return library in base if base is not None else USUAL.fullmatch(library) is not None


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a frozen program, with what is in its archives: (name, bytes)."""
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
