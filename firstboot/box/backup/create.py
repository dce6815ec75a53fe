"""`exitisp backup`: asks for a passphrase and writes the encrypted archive."""

import itertools
import os
import sys
from pathlib import Path

from firstboot.box.backup.archive import gather, pack
from firstboot.box.backup.encryption import seal
from firstboot.box.machine import Machine
from firstboot.box.usb import PLUGGED_IN, mounted
from firstboot.core.durable import keep
from firstboot.core.passwords import weakness
from firstboot.core.refusal import Refusal
from firstboot.wizard.line_editor import LineLost, hidden
from firstboot.wizard.terminal import Terminal, console

STICK = "stick"
"""The word for the FAT file system labelled EXITISP on a USB stick."""

ENDING = ".backup"


def store(target: str, machine: Machine) -> None:
    """Write a backup of the box to `target`: a path, ``-`` for standard output, or `STICK`.

    The passphrase is typed twice, or is the first line of a standard input that is not a terminal.
    Raises Refusal.
    """
    archive = pack(gather(machine))
    with console(0, 2) as terminal:
        passphrase = _chosen(terminal, typed=os.isatty(0))
    sealed = seal(archive, passphrase, machine)
    if target == "-":
        sys.stdout.buffer.write(sealed)
        sys.stdout.buffer.flush()
    elif target == STICK:
        print(f"Kept on the stick as {_on_stick(sealed, machine)}.")
    else:
        _keep(Path(target), sealed)


def _chosen(terminal: Terminal, *, typed: bool) -> str:
    """Ask for a new passphrase. Raises Refusal for a weak one, and Interrupted."""
    try:
        if typed:
            terminal.say("Whoever has the backup and its passphrase has the relays' identities.")
        passphrase = terminal.ask("Passphrase:", hidden)
        same = passphrase if not typed else terminal.ask("The same again:", hidden)
    except LineLost:
        passphrase = same = ""
    weak = weakness(passphrase, [])
    if passphrase != same or weak:
        raise Refusal(
            "the passphrase",
            weak or "the two passphrases differ",
            "Take five random words, and write them down where the backup is not",
        )
    return passphrase


def _on_stick(sealed: bytes, machine: Machine) -> str:
    """Write to the stick under a name that is free, and return the name."""
    with mounted(machine, (PLUGGED_IN,), "sync") as folder:
        if folder is None:
            raise Refusal(
                PLUGGED_IN,
                "there is no USB stick with a FAT file system of this label",
                "Plug one in; newfs_msdos -L EXITISP, or any computer, makes one",
            )
        there = {path.name.lower() for path in folder.iterdir()}
        names = (f"exitisp-{number}{ENDING}" for number in itertools.count(1))
        name = next(one for one in names if one not in there)
        _keep(folder / name, sealed)
        return name


def _keep(path: Path, sealed: bytes) -> None:
    try:
        keep(path, sealed)
    except OSError as error:
        raise Refusal(
            path,
            f"the backup cannot be written there: {error.strerror or error}",
            "Name another place",
        ) from error
