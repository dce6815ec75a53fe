"""Installs the files of a generation on the running box, each replaced as a whole."""

import os
from collections.abc import Iterable
from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.core.refusal import Refusal
from firstboot.site.render import Rendered


def changes(before: Iterable[Rendered], after: Iterable[Rendered]) -> set[str]:
    """The paths of files that are new, gone, or have another content, mode or owner."""
    return {file.path for file in set(before) ^ set(after)}


def plant(machine: Machine, files: Iterable[Rendered], gone: Iterable[str]) -> None:
    """Write `files` and remove the paths `gone`. Raises Refusal."""
    for file in files:
        path = machine.root / file.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(machine, path, file)
        except OSError as error:
            raise _unplanted(path, error) from error
    for name in gone:
        try:
            path = machine.root / name
            path.unlink(missing_ok=True)
            _part(path).unlink(missing_ok=True)
        except OSError as error:
            raise _unplanted(machine.root / name, error) from error


def _replace(machine: Machine, path: Path, file: Rendered) -> None:
    part = _part(path)
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(file.text.encode())
        os.fchown(stream.fileno(), *machine.owner(file.owner, file.group))
        os.fchmod(stream.fileno(), file.mode)
    part.replace(path)


def _part(path: Path) -> Path:
    """What becomes `path` once it is whole; a kill may leave it."""
    return path.with_name(f".{path.name}.new")


def _unplanted(path: Path, error: OSError) -> Refusal:
    return Refusal(
        path,
        f"the file cannot be replaced: {error.strerror or error}",
        "Restart the box, which writes all files of its configuration anew",
    )
