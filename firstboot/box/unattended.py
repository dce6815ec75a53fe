"""A site file on the FAT partition, taken without questions at the first boot.

It is removed once the box has it: it may have secrets in it, and anybody can read it. /cfg/taken
says that it has to be, from before the box is configured until it is done, so that a power cut in
between leaves no copy. What was there is overwritten first, which a flash drive may not do in
place.
"""

import os
from pathlib import Path

from firstboot.box.apply import prepare
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.document import LARGEST
from firstboot.core.durable import keep, settle
from firstboot.core.refusal import Refusal
from firstboot.site.check import examine_text, refused, sentences
from firstboot.wizard.draft import Draft

SITE = "site.yaml"
FINDINGS = "site-findings.txt"
"""Beside the site file, with the line ends that every editor shows."""


def take(stick: Path, machine: Machine, say: Say) -> None:
    """Check the site file in the folder `stick`; keep and switch to its configuration if it has no
    errors. What was found is said, and written beside it.

    Raises Refusal if it is not taken; the wizard then starts with what can be used of it.
    """
    path = _find(stick)
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    examined = examine_text(data, SITE)
    lines = sentences(examined)
    for line in lines:
        say(line)
    try:
        if examined.site is None or examined.errors:
            raise refused(
                examined, "Answer the wizard, or correct the file and start the box again"
            )
        generation = prepare(examined.site, machine, say, data=data)
    except Refusal as refusal:
        _report(stick, [*lines, f"Not taken: {refusal}"], say)
        _draft(machine, data, say)
        raise
    keep(machine.cfg / "taken", b"")
    machine.generations.switch(generation)
    say(f"The site file was taken: generation {generation.number}.")
    if not (machine.cfg / "accounts/root").exists():
        say("Root has no password, so nobody can log in on a console; SSH keys can.")
    lines.append("Taken. The file was removed from here, for it may have secrets in it.")
    _report(stick, lines, say)
    finish(stick, machine, say)


def finish(stick: Path, machine: Machine, say: Say) -> None:
    """Remove the site file from the stick, once the box has taken it."""
    try:
        _erase(_find(stick))
    except OSError as error:
        say(f"{SITE} could not be removed from the stick ({error.strerror}): remove it yourself.")
        return
    except Refusal:
        pass
    (machine.cfg / "taken").unlink(missing_ok=True)
    settle(machine.cfg)


def _find(stick: Path) -> Path:
    """The site file, whatever case its name has there. Raises Refusal."""
    names = sorted(path for path in stick.iterdir() if path.name.lower() == SITE)
    if not names:
        raise Refusal(stick, expected=f"a file {SITE}", found="none", remedy="put it there")
    return names[0]


def _draft(machine: Machine, data: bytes, say: Say) -> None:
    """Let the wizard begin with what can be used, unless somebody is answering it already."""
    path = machine.cfg / "draft.yaml"
    if path.exists() and path.stat().st_size:
        return
    try:
        Draft.from_text(path, data, SITE).keep()
    except Refusal as refusal:
        say(f"The wizard begins with nothing: {refusal}")


def _report(stick: Path, lines: list[str], say: Say) -> None:
    try:
        keep(stick / FINDINGS, "".join(f"{line}\r\n" for line in lines).encode())
    except OSError as error:
        say(f"{FINDINGS} could not be written on the stick: {error.strerror}")


def _erase(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    settle(path.parent)
