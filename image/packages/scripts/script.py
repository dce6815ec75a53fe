"""The scripts of a package."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from image.packages.contents import Contents
from image.packages.scripts import lua, shell
from image.packages.scripts.effects import Effect, NotUnderstood

TRIGGER = re.compile(r"usr/(?:local/)?share/pkg/triggers/([^/]+\.ucl)")
"""Files that tell pkg what to run after it has installed any package (pkg-triggers(8))."""

NEVER = ("pre-deinstall", "deinstall", "post-deinstall")
"""Phases that no box comes to: a box is replaced as a whole, and no package is removed from it."""


@dataclass(frozen=True, slots=True)
class Script:
    """`name` is the phase and the language, ``post-install.sh``, or the name of a trigger,
    ``gschemas.ucl``. Bytes of `text` that are no UTF-8 are lone surrogates."""

    package: str
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Of the text as pkg would run it, in hexadecimal."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()

    def effects(self) -> tuple[Effect, ...]:
        """What the script does. Raises NotUnderstood."""
        if self.name.endswith(".sh"):
            return shell.effects(self.text)
        if self.name.endswith(".lua"):
            return lua.effects(self.text)
        raise NotUnderstood("is a trigger")

    def __str__(self) -> str:
        """The whole text, indented; control characters are shown as escapes."""
        lines = (shown(line) for line in self.text.split("\n"))
        return "".join(f"    {line}\n" for line in lines)


def scripts(contents: Contents) -> Iterator[Script]:
    """The scripts of a package that pkg would run when it is installed, in pkg's order; triggers
    last."""
    manifest = contents.manifest
    name = manifest.package.name
    for phase, text in manifest.scripts.items():
        if phase not in NEVER:
            yield Script(name, f"{phase}.sh", text)
    for phase, texts in manifest.lua_scripts.items():
        if phase not in NEVER:
            for text in texts:
                yield Script(name, f"{phase}.lua", text)
    for file in manifest.files:
        if trigger := TRIGGER.fullmatch(file.path):
            text = contents.read(file.path).decode(errors="surrogateescape")
            yield Script(name, trigger[1], text)


def shown(line: str) -> str:
    """`line` for a terminal: control characters, and bytes that are no UTF-8, as escapes."""
    return "".join(
        char
        if char.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in line.expandtabs()
    )
