"""Third-party modules in the program: names, versions and licences."""

import importlib.metadata
import platform
import re
import shutil
import sysconfig
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.freeze.frozen import Module
from image.freeze.interpreter import Interpreter
from image.freeze.recipe import Found

BOOTLOADER = "pyinstaller"

THIRD_PARTY = {"jinja2": "BSD-3-Clause", "markupsafe": "BSD-3-Clause", "pyyaml": "MIT"}
"""The distributions that may be in the program, and their licences. All are pure Python."""


def modules(distributions: list[str], interpreter: Interpreter | None) -> list[Module]:
    """Return Python, the bootloader and `distributions` as modules. Without an `interpreter` Python
    is this host's."""
    release = interpreter.release if interpreter else platform.python_version()
    bootloader = importlib.metadata.version(BOOTLOADER)
    return [
        Module("python", release, "PSF-2.0"),
        Module(BOOTLOADER, bootloader, "GPL-2.0-or-later WITH Bootloader-exception"),
        *(Module(n, importlib.metadata.version(n), THIRD_PARTY[n]) for n in distributions),
    ]


def origins(found: Found, sources: Path, interpreter: Interpreter | None) -> list[str]:
    """Return the distributions that the modules are from. Raises Refusal for a distribution that
    must not be in the program, and for a module from the wrong standard library."""
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
                f"it is from {distribution}, which must not be in the program",
                "Do without it in firstboot, or add it to THIRD_PARTY with its licence",
            )
        distributions.add(distribution)
    return sorted(distributions)


def copy_licences(distribution: str, folder: Path) -> None:
    """Copy the licence texts of `distribution` to `folder`."""
    for file in importlib.metadata.files(distribution) or ():
        if re.search(r"\.dist-info/.*(LICEN[CS]E|COPYING)", str(file)):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), folder / file.name)
