"""Runs PyInstaller's analysis of the program in a separate process, and checks the result."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze.interpreter import Interpreter
from image.freeze.program import Program
from image.freeze.recipe import FOUND, Found, Parameters

EXCLUDED = (
    *("markupsafe._speedups", "yaml._yaml", "yaml.cyaml"),
    *("asyncio", "ctypes", "multiprocessing", "sqlite3", "tkinter", "typing_extensions"),
    *("lib2to3", "pip", "pkg_resources", "pydoc_data", "setuptools", "test", "xmlrpc"),
)
"""Modules that stay out: C halves of packages that also have a Python half, so that the program

have."""

ALWAYS = frozenset({"sys", "builtins", "marshal", "gc", "_imp", "_thread", "_warnings", "posix"})
"""Modules that every interpreter has and that no build lists."""


def check_tools() -> None:
    """Raise Refusal unless what PyInstaller starts on Linux is there."""
    if shutil.which("objdump") is None:
        raise Refusal(
            "objdump",
            "the program, without which PyInstaller does not start, is missing",
            "Install it, on Debian and Ubuntu with: sudo apt-get install binutils",
        )


def analyse(parameters: Parameters, work: Path) -> Found:
    """Freeze into the folder `work`, in a separate process with a clean environment. Return what
    was found. Raises Refusal, also if a module of the program could not be imported."""
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
        last_line = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise Refusal(
            "PyInstaller",
            f"it could not freeze the wizard: {last_line[:300]}",
            "Check that every module of firstboot can be imported",
        )
    found = Found.load(work / FOUND)
    if missing := set(parameters.modules) - found.modules.keys():
        raise Refusal(
            f"the module {min(missing)}",
            "it cannot be imported, because of an error in it or in a module that it imports",
            "Import it in Python to see the error, and correct it",
        )
    return found


def absent(interpreter: Interpreter) -> list[str]:
    """Return the modules of this host's standard library that the target does not have."""
    there = {path.stem for path in interpreter.stdlib.iterdir()}
    there |= {*interpreter.builtin, *interpreter.extensions, *sys.builtin_module_names}
    return sorted(sys.stdlib_module_names - there)


def check_imports(program: Program, found: Found, compiled: Collection[str]) -> None:
    """Raises Refusal if firstboot imports an extension module that is neither always there nor in
    `compiled`."""
    lacking = set(found.others) - ALWAYS - set(compiled) - found.modules.keys()
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
                listed = ", ".join(sorted(missing))
                raise Refusal(
                    path,
                    f"it imports modules that the target's Python does not have: {listed}",
                    "Do without them, or use a Python that has them",
                )
