"""PyInstaller's analysis of the program, in a process of its own, and what must hold of it."""

import ast
import os
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
    *("asyncio", "ctypes", "multiprocessing", "ssl", "sqlite3", "tkinter", "typing_extensions"),
    *("lib2to3", "pip", "pkg_resources", "pydoc_data", "setuptools", "test", "xmlrpc"),
)
"""C halves of packages that have a Python half too, so that the program behaves alike on every
target; and what others import for purposes that the wizard does not have."""

ALWAYS = frozenset({"sys", "builtins", "marshal", "gc", "_imp", "_thread", "_warnings", "posix"})
"""Modules that are part of every interpreter and that no build's list names."""


def analyse(parameters: Parameters, work: Path) -> Found:
    """Freeze into the folder `work`, in a process and with an environment of its own; what was
    found. Raises Refusal, also for a module of the program that is not in it."""
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
    found = Found.load(work / FOUND)
    if missing := set(parameters.modules) - found.modules.keys():
        raise Refusal(
            f"the module {min(missing)}",
            expected="one that can be imported",
            found="an error in it, or in what imports it",
            remedy="import it in Python to see, and correct it",
        )
    return found


def absent(interpreter: Interpreter) -> list[str]:
    """Modules of this host's standard library that the target's does not have."""
    there = {path.stem for path in interpreter.stdlib.iterdir()}
    there |= {*interpreter.builtin, *interpreter.extensions, *sys.builtin_module_names}
    return sorted(sys.stdlib_module_names - there)


def check_imports(program: Program, found: Found, compiled: Collection[str]) -> None:
    """Raises Refusal if firstboot imports what is no Python and is not among `compiled`."""
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
                raise Refusal(
                    path,
                    expected="imports that the target's Python has",
                    found=", ".join(sorted(missing)),
                    remedy="do without it, or use a Python that has it",
                )
