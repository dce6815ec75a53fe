"""What PyInstaller is told, in the process of its own in which it runs; see `program.spec`.

For FreeBSD nothing of PyInstaller is changed but one answer: where libpython is. The analysis
runs with this host's Python, but the target's standard library comes first in its path.
"""

import json
import shutil
import sys
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

CONTENTS = "_internal"
PROGRAM = "exitisp"
FOUND = "found.json"

HOOKS = ("end_as_python_does.py", "restore_environment.py")
"""What runs in the program before the program itself."""

Row = tuple[str, str, str]
"""As PyInstaller lists what it found: name or path in the program, path here, kind."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What to freeze. Paths as text; the last three are empty for the host's own system.

    `folder`: where the program's own packages are; `modules`: what is imported in ways that the
    analysis does not see; `excluded`: what is not to be found; `data`: (path here, path in the
    program) of files. `stdlib`, `library`, `bootloader`: the target's standard library, libpython
    and bootloader.
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
    """What the analysis found: Python modules by name, each with its file here, and the names of
    all that is no Python: extension modules, built-in ones and missing ones."""

    modules: dict[str, str]
    others: list[str]

    @classmethod
    def load(cls, path: Path) -> "Found":
        return cls(**json.loads(path.read_text()))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, sort_keys=True))


def make(parameters: Parameters, folder: Path) -> None:
    """Freeze into the folder `folder`/`PROGRAM`, which is new: the program, and what it loads in
    `CONTENTS`. Beside it goes `FOUND`. For another system than the host's no machine code but the
    bootloader's gets in."""
    from PyInstaller.building.api import EXE, PYZ  # type: ignore[import-untyped]
    from PyInstaller.building.build_main import Analysis  # type: ignore[import-untyped]
    from PyInstaller.depend import bindepend  # type: ignore[import-untyped]
    from PyInstaller.lib.modulegraph import modulegraph  # type: ignore[import-untyped]

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
    # What an installer noted about packages differs between hosts.
    rows += [row for row in analysis.datas if ".dist-info/" not in row[0]]
    rows += [(there, here, "DATA") for here, there in parameters.data]
    collect(rows, program.parent / CONTENTS)
    no_python = (modulegraph.Extension, modulegraph.BuiltinModule, modulegraph.MissingModule)
    Found(
        {name: path for name, path, _ in analysis.graph.make_pure_toc()},
        sorted(n.identifier for n in analysis.graph.iter_graph() if isinstance(n, no_python)),
    ).save(folder / FOUND)


def collect(rows: Collection[Row], folder: Path) -> None:
    """Copy files to where they belong below `folder`; links become what they lead to."""
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
