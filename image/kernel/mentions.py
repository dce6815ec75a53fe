"""Where overlays name something of the kernel: settings, tunables, modules.

Five grammars: sysctl.conf(5), loader.conf(5), the loader's Lua scripts, profiles of hardware, and,
wherever else such a command may stand, the shell's. Templates are read as they are: what Jinja
prints in the middle of a name may be anything, `ANY`; a name that Jinja prints as a whole is its
source's business.
"""

import fnmatch
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firstboot.core import document
from firstboot.site import profiles
from firstboot.site.profiles import By

ANY = "*"
"""A part of a name that is known at run time only: a unit of a driver, mostly."""

LARGEST = 1 << 20
"""Bytes of a file that is read; nobody writes more by hand."""


class Use(Enum):
    """What a name is named for."""

    SET = "a setting that sysctl(8) can change"
    READ = "a setting that sysctl(8) knows"
    TUNABLE = "a variable that the loader or the kernel reads"
    MODULE = "a module"
    FILE = "a file that the loader reads"
    DRIVER = "a driver"
    CHIP = "a device that a driver takes"


@dataclass(frozen=True, slots=True)
class Mention:
    """A name, what for, with which value (None: none, or known at run time only), and where:
    ``file:line``. A chip is named by its PCI id, and its value is the driver."""

    where: str
    use: Use
    name: str
    value: str | None = None


def in_overlay(folder: Path) -> Iterator[Mention]:
    """Everything that the files and templates of the overlay in `folder` name."""
    for kind in ("files", "templates"):
        for path in sorted((folder / kind).rglob("*")):
            if not path.is_file() or path.is_symlink() or path.stat().st_size > LARGEST:
                continue
            data = path.read_bytes()
            if b"\0" not in data:
                yield from in_text(path, data.decode("utf-8", "replace"))
    for path in sorted((folder / "profiles").glob("*.yaml")):
        yield from in_profile(path)


def in_profile(path: Path) -> Iterator[Mention]:
    """What a profile of hardware names. Raises Refusal for a faulty one."""
    profile = profiles.parse(document.read(path), str(path))
    driver = profile.value.driver
    if driver is not None:
        yield Mention(profile.where("driver"), Use.DRIVER, driver)
    for at, chip in enumerate(profile.value.chips):
        yield Mention(profile.where("chips", at), Use.CHIP, chip.id, driver)
    for at, module in enumerate(profile.value.modules):
        yield Mention(profile.where("modules", at), Use.MODULE, module)
    for at, setting in enumerate(profile.value.settings):
        use = Use.TUNABLE if setting.by is By.LOADER else Use.SET
        name = setting.name.replace("{unit}", ANY)
        value = setting.value if re.fullmatch(r"-?[0-9]+|[a-z]+", setting.value) else None
        yield Mention(profile.where("settings", at, "name"), use, name, value)
        for place, chip_id in enumerate(setting.chips):
            where = profile.where("settings", at, "chips", place)
            yield Mention(where, Use.CHIP, chip_id, driver)


def in_text(path: Path, text: str) -> Iterator[Mention]:
    """What a file named `path` names, told by its place and its name what its grammar is."""
    read = next((reader for glob, reader in GRAMMARS if fnmatch.fnmatch(str(path), glob)), _shell)
    for number, line in _lines(text, path.suffix == ".j2"):
        for use, name, value in read(line):
            plain = None if value is None or ANY in value else value
            if name.strip(ANY + "."):
                yield Mention(f"{path}:{number}", use, name, plain)


def _lines(text: str, is_template: bool) -> Iterator[tuple[int, str]]:
    if is_template:
        text = re.sub(r"\{#.*?#\}|\{%.*?%\}", _blank, text, flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}", lambda match: ANY + _blank(match), text, flags=re.DOTALL)
    number, whole = 0, ""
    for at, line in enumerate(text.split("\n"), 1):
        number = number or at
        if line.endswith("\\"):
            whole += line[:-1] + " "
            continue
        yield number, whole + line
        number, whole = 0, ""


def _blank(match: "re.Match[str]") -> str:
    return "\n" * match.group().count("\n")


Named = tuple[Use, str, str | None]


def _sysctl_conf(line: str) -> Iterator[Named]:
    name, equals, value = line.partition("#")[0].partition("=")
    if equals:
        yield Use.SET, name.strip(), value.strip().strip('"')


LOADS = ("_load", "_name", "_type", "_flags", "_before", "_after", "_error")
"""What loader.conf(5) has for a module X: X_load, and facts of it."""


def _loader_conf(line: str) -> Iterator[Named]:
    match = re.match(r'\s*([\w.*%-]+)\s*=\s*("?)([^"#]*)\2', line)
    if match is None:
        return
    name, value = match[1], match[3].strip()
    stem, ending = next(
        ((name.removesuffix(end), end) for end in LOADS if name.endswith(end)), (name, "")
    )
    if ending == "_name":
        yield Use.FILE, value, None
    elif ending == "_load":
        if value.upper() == "YES":
            yield Use.MODULE, stem, None
    elif not ending:
        yield Use.TUNABLE, name, value


def _lua(line: str) -> Iterator[Named]:
    for match in re.finditer(r"""loader\.(?:set|get|unset)env\(\s*["']([\w.]+)["']""", line):
        yield Use.TUNABLE, match[1], None


WORD = r"[^\s;|&()<>`]+"
COMMAND = re.compile(
    rf"""(?<![\w./-])(?:/s?bin/|/usr/s?bin/)?(sysctl|kenv|kldload|kldstat|load_kld)((?:\s+{WORD})+)"""
)
LISTS = re.compile(r"""^\s*(?:kld_list|required_modules)\+?=["']?([^"'#]*)""")
ARGUED = {"sysctl": "Bfj", "kldstat": "i", "load_kld": "em"}
"""Options with an argument that is no name."""


def _shell(line: str) -> Iterator[Named]:
    """Commands of sysctl(8), kenv(1), kldload(8) and kldstat(8), and rc.conf(5)'s lists."""
    line = re.sub(r"(^|\s)#.*", "", line)
    if match := LISTS.match(line):
        for name in match[1].split():
            yield Use.MODULE, _variable(name.partition(":")[0]).removesuffix(".ko"), None
    for match in COMMAND.finditer(re.sub("[\"']", "", line)):
        yield from _command(match[1], match[2].split())


def _command(program: str, words: list[str]) -> Iterator[Named]:
    reads_file = False
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            reads_file = reads_file or (program == "sysctl" and "f" in word)
            skip = word[-1] in ARGUED.get(program, "")
        elif re.match(r"\d*[<>]", word) or reads_file:
            return
        else:
            yield from _argument(program, word)


def _argument(program: str, word: str) -> Iterator[Named]:
    name, equals, value = word.partition("=")
    name = _variable(name)
    if not re.fullmatch(r"[\w.*%-]+", name):
        return
    if program == "sysctl" and "." in name:
        yield (Use.SET if equals else Use.READ), name, _variable(value) if equals else None
    elif program == "kenv":
        yield Use.TUNABLE, name, _variable(value) if equals else None
    elif program in ("kldload", "kldstat", "load_kld"):
        yield Use.MODULE, name.removesuffix(".ko"), None


def _variable(text: str) -> str:
    """`text` with what the shell puts in as `ANY`."""
    return re.sub(r"\$(?:\w+|\{[^}]*\}|\([^)]*\)?)", ANY, text)


GRAMMARS: tuple[tuple[str, Callable[[str], Iterator[Named]]], ...] = (
    ("*/sysctl.conf*", _sysctl_conf),
    ("*/sysctl.kld.d/*", _sysctl_conf),
    ("*/loader.conf*", _loader_conf),
    ("*.lua", _lua),
)
