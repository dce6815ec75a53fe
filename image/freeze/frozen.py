"""A frozen program: its files, the modules in it, and how it is put into a root tree."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from firstboot.core.refusal import Refusal
from image.atomic_files import writing
from image.freeze.artifact_cache import Files
from image.freeze.recipe import CONTENTS, PROGRAM
from image.freeze.target import Target
from image.tree import Content, Extent, Tree, directory, file, parent, symlink

FOLDER = "usr/local/exitisp"
COMMAND = "usr/local/bin/exitisp"
"""Where the program lies on the box, and the link to it in everybody's PATH."""

RUN_PATH = f"/{FOLDER}/{CONTENTS}"
"""Where its libraries lie on the box."""


class Module(NamedTuple):
    """A third-party module in the program. `licence` is an SPDX expression."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True, slots=True)
class Frozen:
    """A program in `folder`: the file `exitisp`, and what it loads, in `_internal/`.

    `files` are the files of that folder by path, with mode and SHA-256.
    """

    target: Target
    folder: Path
    files: Files
    modules: tuple[Module, ...]

    @property
    def sha256(self) -> str:
        """The hash, in hexadecimal, of every path, every byte, and the modes that `plant` sets. The
        modes in the folder are left out, because they depend on the user who froze it."""
        lines = (
            f"{path}\0{_planted(mode):o}\0{digest}\n" for path, (mode, digest) in self.files.items()
        )
        return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _planted(mode: int) -> int:
    return 0o555 if mode & 0o111 else 0o444


def plant(tree: Tree, frozen: Frozen, time: int) -> None:
    """Put the program into a root tree: owned by root, read-only, and `time` old.

    `tree` must have /usr/local. Raises Refusal if something else is in the way.
    """
    folders = {parent(COMMAND), FOLDER}
    for path in frozen.files:
        above = parent(f"{FOLDER}/{path}")
        while len(above) > len(FOLDER):
            folders.add(above)
            above = parent(above)
    for path in sorted(folders):
        if path not in tree:
            tree[path] = directory(mtime=time)
    for path, (mode, _) in sorted(frozen.files.items()):
        here = frozen.folder / path
        size = here.stat().st_size
        content = Content(size, (Extent(0, size, here),) if size else ())
        tree[f"{FOLDER}/{path}"] = file(content, _planted(mode), mtime=time)
    tree[COMMAND] = symlink(f"../{FOLDER.removeprefix('usr/local/')}/{PROGRAM}", mtime=time)


def save(frozen: Frozen, output: Path) -> None:
    """Copy the program to the folder `output`, replacing an older one. Raises Refusal."""
    with writing(output):
        if output.exists() and not (output / PROGRAM).is_file() and any(output.iterdir()):
            raise Refusal(
                output,
                "the folder holds something other than an older program",
                "Name another folder with --output",
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
