"""Takes a site file from the FAT partition at the first boot, without questions.

The file is removed once the box has its content, because it may have secrets and anybody can read
it. From before the box is configured until the file is removed, /cfg/taken says that it has to be,
so that a power cut leaves no copy. The file is overwritten with zeros first, which a flash drive
may not do in place.
"""

import os
from pathlib import Path

from firstboot.box.apply import prepare, step_to
from firstboot.box.machine import Machine, ensure_storage
from firstboot.box.output import Say
from firstboot.box.setup import root_password
from firstboot.core import document
from firstboot.core.durable import keep, settle
from firstboot.core.refusal import Refusal
from firstboot.site.check import examine_text, refused, sentences
from firstboot.wizard.draft import Draft

SITE = "site.yaml"
FINDINGS = "site-findings.txt"
"""The findings, written beside the site file with line ends that every editor shows (CR LF)."""


def take(stick: Path, machine: Machine, say: Say) -> None:
    """Check the site file in the folder `stick`, and switch to its configuration.

    The findings are told, and written beside the file. Raises Refusal if the file is not taken; the
    wizard then starts with what can be used of it.
    """
    ensure_storage(machine)
    try:
        data = document.read(_find(stick))
    except OSError as error:
        raise Refusal(
            stick,
            f"the folder cannot be read: {error.strerror or error}",
            "Name the folder that the stick is mounted at",
        ) from error
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
    machine.history.begin(step_to(generation, None, machine, "unattended"), say)
    machine.generations.switch(generation)
    say(f"The site file was taken: generation {generation.number}.")
    if root_password(machine, say) is None:
        say("Root has no password, so nobody can log in on a console; SSH keys can.")
    lines.append("Taken. The file was removed from here, for it may have secrets in it.")
    _report(stick, lines, say)
    finish(stick, machine, say)


def finish(stick: Path, machine: Machine, say: Say) -> None:
    """Remove the site file that the box has taken from the folder `stick`."""
    try:
        _erase(_find(stick))
    except OSError as error:
        say(f"{SITE} could not be removed from the stick ({error.strerror}): remove it yourself.")
        return
    except Refusal:
        pass
    mark = machine.cfg / "taken"
    try:
        mark.unlink(missing_ok=True)
        settle(machine.cfg)
    except OSError as error:
        raise Refusal(
            mark,
            f"it cannot be removed: {error.strerror or error}",
            "Remove it, or every start looks for a site file on the stick to erase",
        ) from error


def _find(stick: Path) -> Path:
    """The site file, with its name in any case. Raises Refusal if there is none."""
    names = sorted(path for path in stick.iterdir() if path.name.lower() == SITE)
    if not names:
        raise Refusal(stick, f"there is no file {SITE}", "Put it there")
    return names[0]


def _draft(machine: Machine, data: bytes, say: Say) -> None:
    """Let the wizard start with what can be used, unless it has answers already."""
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
