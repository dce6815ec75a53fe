"""Drives PyInstaller in its separate process; see `program.spec`.

For FreeBSD one answer of PyInstaller is changed: where libpython is. The analysis runs with this
host's Python, with the target's standard library first in the path. Nothing is compressed, because
that depends on the zlib of this host's Python.
"""

import json
import shutil
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from image.freeze import stored

CONTENTS = "_internal"
PROGRAM = "exitisp"
FOUND = "found.json"

HOOKS = ("end_as_python_does.py", "restore_environment.py")
"""Scripts that run in the program before the program itself."""

Row = tuple[str, str, str]
"""A file in PyInstaller's lists: name or path in the program, path on the host, kind."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What to freeze. Paths are texts. The last three are empty if the host's own system is the
    target.

    `folder` has the program's packages. `modules` are imported in ways that the analysis does not
    see. `excluded` modules are left out. `data` lists files as (path on the host, path in the
    program). `stdlib`, `library` and `bootloader` are the target's standard library, libpython and
    bootloader.
    """

    script: str
    folder: str
    modules: list[str]
    excluded: list[str]
    data: list[list[str]]
    stdlib: str = ""
    library: str = ""
    bootloader: str = ""

    @classmethod
    def load(cls, path: Path) -> "Parameters":
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


@dataclass(frozen=True, slots=True)
class Found:
    """What the analysis found: Python modules by name with their file on the host, and the names of
    everything else: extension modules, built-in modules, missing modules."""

    modules: dict[str, str]
    others: list[str]

    @classmethod
    def load(cls, path: Path) -> "Found":
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True))


def make(parameters: Parameters, folder: Path) -> None:
    """Freeze into the new folder `folder`/`PROGRAM`: the program, and what it loads in `CONTENTS`.
    Write `FOUND` beside it. For another system than the host's the bootloader is the only machine
    code in it."""
    from PyInstaller.archive import writers  # type: ignore[import-untyped]
    from PyInstaller.building.api import EXE, PYZ  # type: ignore[import-untyped]
    from PyInstaller.building.build_main import Analysis  # type: ignore[import-untyped]
    from PyInstaller.depend import bindepend  # type: ignore[import-untyped]
    from PyInstaller.lib.modulegraph import modulegraph  # type: ignore[import-untyped]

    writers.zlib = stored
    if parameters.stdlib:
        sys.path.insert(0, parameters.stdlib)
        bindepend.get_python_library_path = lambda: parameters.library
    analysis = Analysis(
        [parameters.script],
        pathex=[*filter(None, [parameters.stdlib]), parameters.folder],
        hiddenimports=parameters.modules,
        runtime_hooks=[str(Path(__file__).with_name(hook)) for hook in HOOKS],
        excludes=parameters.excluded,
    )
    archive = EXE(
        PYZ(analysis.pure),
        analysis.scripts,
        [],
        name=PROGRAM,
        exclude_binaries=True,
        append_pkg=False,
        console=True,
        strip=False,
        upx=False,
        contents_directory=CONTENTS,
    )
    program = folder / PROGRAM / PROGRAM
    program.parent.mkdir(parents=True)
    bootloader = Path(parameters.bootloader or archive.exefiles[0][1])
    program.write_bytes(bootloader.read_bytes() + Path(archive.pkg.name).read_bytes())
    program.chmod(0o755)
    rows = [] if parameters.stdlib else list(analysis.binaries)
    # What installers write about packages differs between hosts.
    rows += [row for row in analysis.datas if ".dist-info/" not in row[0]]
    rows += [(there, here, "DATA") for here, there in parameters.data]
    collect(rows, program.parent / CONTENTS)
    no_python = (modulegraph.Extension, modulegraph.BuiltinModule, modulegraph.MissingModule)
    Found(
        {name: path for name, path, _ in analysis.graph.make_pure_toc()},
        sorted(n.identifier for n in analysis.graph.iter_graph() if isinstance(n, no_python)),
    ).save(folder / FOUND)


def collect(rows: Collection[Row], folder: Path) -> None:
    """Copy files to their places below `folder`. A link becomes a copy of its target."""
    for destination, source, kind in rows:
        path = folder / destination
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind != "SYMLINK":
            shutil.copyfile(source, path)
            path.chmod(0o644)
    for destination, source, kind in rows:
        path = folder / destination
        if kind == "SYMLINK":
            shutil.copyfile(path.parent / source, path)
            path.chmod(0o644)
