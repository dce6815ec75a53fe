"""The wizard as one program for the box: no Python is needed there, and no FreeBSD here."""

import ast
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.refusal import Refusal
from image.freeze import shelf
from image.freeze.bootloader import bootloader
from image.freeze.carried import carry
from image.freeze.frozen import Frozen, Module
from image.freeze.interpreter import Interpreter
from image.freeze.provided import Provided
from image.freeze.recipe import CONTENTS, FOUND, PROGRAM, Found, Parameters
from image.freeze.source import version as pyinstaller_version
from image.freeze.target import Target
from image.freeze.verify import Base, verify
from image.progress import step
from image.writing import writing

ROOT = Path(__file__).resolve().parents[2]

EXCLUDED = (
    *("markupsafe._speedups", "yaml._yaml", "yaml.cyaml"),
    *("asyncio", "ctypes", "multiprocessing", "ssl", "sqlite3", "tkinter", "typing_extensions"),
    *("lib2to3", "pip", "pkg_resources", "pydoc_data", "setuptools", "test", "xmlrpc"),
)
"""C halves of packages that have a Python half too, so that the program behaves alike on every
target; and what others import for purposes that the wizard does not have."""

THIRD_PARTY = {"jinja2": "BSD-3-Clause", "markupsafe": "BSD-3-Clause", "pyyaml": "MIT"}
"""The distributions that may be in the program, all of them pure Python, and their licences."""

MADE_WITH = ("pyinstaller", "pyinstaller-hooks-contrib", "ziglang")

BOOTLOADER = Module(
    "pyinstaller", pyinstaller_version(), "GPL-2.0-or-later WITH Bootloader-exception"
)

ALWAYS = frozenset({"sys", "builtins", "marshal", "gc", "_imp", "_thread", "_warnings", "posix"})
"""Modules that are part of every interpreter and that no build's list names."""


SCRIPT = "firstboot/__main__.py"


@dataclass(frozen=True, slots=True)
class Program:
    """What is frozen, as it was when it was read: the files of `firstboot`, templates and profiles,
    by path in the repository. `SCRIPT` runs it."""

    files: Mapping[str, bytes]

    @classmethod
    def read(cls, root: Path = ROOT) -> "Program":
        paths = (
            *root.glob("firstboot/**/*.py"),
            *root.glob("overlays/*/templates/*"),
            *root.glob("overlays/*/profiles/*"),
        )
        with writing(root):
            return cls(
                {str(path.relative_to(root)): path.read_bytes() for path in paths if path.is_file()}
            )

    @property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            digest.update(f"{path}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()

    @property
    def modules(self) -> list[str]:
        """The names of its modules, without the one that is run."""
        paths = (path for path in self.files if path.endswith(".py") and path != SCRIPT)
        names = (path.removesuffix(".py").removesuffix("/__init__") for path in paths)
        return sorted(name.replace("/", ".") for name in names)

    def write(self, folder: Path) -> None:
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def freeze(
    target: Target,
    cache: Path,
    *,
    python: Provided | None = None,
    base: Base | None = None,
    program: Program | None = None,
) -> Frozen:
    """The wizard for `target`, out of the folder `cache` if nothing has changed since.

    FreeBSD's `python` is where the target's Python comes from; libraries and symbols are looked up
    in `base`, if it is given. Same input, same bytes. Raises Refusal.
    """
    if target is Target.FREEBSD and python is None:
        raise Refusal(
            "--target freebsd",
            expected="a Python for FreeBSD",
            found="none",
            remedy="name a package repository with --packages, or an unpacked Python with "
            "--python-prefix",
        )
    python = python if target is Target.FREEBSD else None
    program = program or Program.read()
    place = cache / f"frozen-{target.value}-{_key(target, python, program)}"
    if (kept := shelf.take(place)) is None:
        with shelf.making(place) as work, step(f"Freeze the wizard for {target.value}"):
            modules = _make(work, cache, python, program)
            if target is Target.FREEBSD:
                verify(work / PROGRAM, base)
            kept = shelf.put(work / PROGRAM, place, {"modules": modules})
    elif target is Target.FREEBSD and base is not None:
        verify(kept.folder, base)
    modules = [Module(*one) for one in kept.facts["modules"]]
    return Frozen(target, kept.folder, kept.files, tuple(modules))


def save(frozen: Frozen, output: Path) -> None:
    """Copy the program to the folder `output`, in place of an older one. Raises Refusal."""
    with writing(output):
        if output.exists() and not (output / PROGRAM).is_file() and any(output.iterdir()):
            raise Refusal(
                output,
                expected="a new folder, or one with an older program",
                found="one with something else in it",
                remedy="name another one with -o",
            )
        part = output.with_name(f".{output.name}.{os.getpid()}")
        old = output.with_name(f".{output.name}.{os.getpid()}.old")
        try:
            for path in frozen.files:
                (part / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(frozen.folder / path, part / path)
            if output.exists():
                output.rename(old)
            part.rename(output)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def _key(target: Target, python: Provided | None, program: Program) -> str:
    """Stands for all that the result follows from."""
    recipe = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.*"))]
    own = hashlib.sha256(b"\0".join(recipe)).hexdigest()
    tools = [importlib.metadata.version(name) for name in (*MADE_WITH, *THIRD_PARTY)]
    host = [sys.version, platform.libc_ver()] if target is Target.LINUX else [sys.version]
    return shelf.key(own, program.digest, *tools, *host, python.digest() if python else "")


def _make(work: Path, cache: Path, python: Provided | None, program: Program) -> list[Module]:
    """Freeze into the folder `work`/`PROGRAM`; what of other people's is in it."""
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
    analyse(parameters, work)
    found = Found.load(work / FOUND)
    if missing := set(program.modules) - found.modules.keys():
        raise Refusal(
            f"the module {min(missing)}",
            expected="one that can be imported",
            found="an error in it, or in what imports it",
            remedy="import it in Python to see, and correct it",
        )
    folder = work / PROGRAM / CONTENTS
    distributions = origins(found, sources, interpreter)
    if interpreter:
        names = carry(interpreter, found.others, folder)
        check_imports(program, found, interpreter.builtin | names | ALWAYS)
    for name in (*distributions, BOOTLOADER.name):
        copy_licences(name, folder / "licences" / name)
    release = interpreter.release if interpreter else platform.python_version()
    return [
        Module("python", release, "PSF-2.0"),
        BOOTLOADER,
        *(Module(n, importlib.metadata.version(n), THIRD_PARTY[n]) for n in distributions),
    ]


def analyse(parameters: Parameters, work: Path) -> None:
    """Run PyInstaller, in a process and with an environment of its own. Raises Refusal."""
    parameters.save(work / "parameters.json")
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(work),
        "PYINSTALLER_CONFIG_DIR": str(work / "config"),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    command = [sys.executable, "-m", "PyInstaller", "--log-level", "WARN", "--noconfirm"]
    command += ["--distpath", str(work), "--workpath", str(work / "build")]
    command += [str(Path(__file__).with_name("program.spec")), "--", str(work / "parameters.json")]
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
    if done.returncode or not (work / FOUND).exists():
        raise Refusal(
            "PyInstaller",
            expected="it to freeze the wizard",
            found=(done.stderr.strip().splitlines() or ["no word"])[-1][:300],
            remedy="see that every module of firstboot can be imported",
        )


def absent(interpreter: Interpreter) -> list[str]:
    """Modules of this host's standard library that the target's does not have."""
    there = {path.stem for path in interpreter.stdlib.iterdir()}
    there |= {*interpreter.builtin, *interpreter.extensions, *sys.builtin_module_names}
    return sorted(sys.stdlib_module_names - there)


def origins(found: Found, sources: Path, interpreter: Interpreter | None) -> list[str]:
    """The distributions that the modules are from. Raises Refusal for one that is not to be in
    the program, and for a module of the wrong standard library."""
    stdlib = interpreter.stdlib if interpreter else Path(sysconfig.get_paths()["stdlib"])
    packages = importlib.metadata.packages_distributions()
    distributions = set()
    for name, path in found.modules.items():
        if path in ("-", "") or Path(path).is_relative_to(sources):
            continue
        if Path(path).is_relative_to(stdlib) and "site-packages" not in path:
            continue
        distribution = packages.get(name.partition(".")[0], [path])[0].lower()
        if distribution not in THIRD_PARTY:
            raise Refusal(
                f"the module {name}",
                expected="one of firstboot, of the target's standard library, or of "
                + ", ".join(THIRD_PARTY),
                found=f"one of {distribution}",
                remedy="do without it in firstboot",
            )
        distributions.add(distribution)
    return sorted(distributions)


def check_imports(program: Program, found: Found, compiled: Collection[str]) -> None:
    """Raises Refusal if firstboot imports what is no Python and is not among `compiled`."""
    lacking = set(found.others) - set(compiled) - found.modules.keys()
    for path, data in sorted(program.files.items()):
        if not path.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(data)):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [node.module]
            if missing := lacking.intersection(names):
                raise Refusal(
                    path,
                    expected="imports that the target's Python has",
                    found=", ".join(sorted(missing)),
                    remedy="do without it, or use a Python that has it",
                )


def copy_licences(distribution: str, folder: Path) -> None:
    """The texts under which `distribution` may be passed on."""
    for file in importlib.metadata.files(distribution) or ():
        if re.search(r"\.dist-info/.*(LICEN[CS]E|COPYING)", str(file)):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), folder / file.name)
