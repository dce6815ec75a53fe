"""Runs the wizard on a console of the box, and applies the answers.

Imports inside functions are those that take long on a slow processor: both consoles greet before
anything of that is loaded.
"""

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.box.machine import Machine, ensure_storage
from firstboot.box.output import Say, say, undisturbed
from firstboot.box.usb import mounted
from firstboot.core.durable import damaged, keep, kept
from firstboot.core.refusal import Refusal
from firstboot.wizard.console_lock import first_come
from firstboot.wizard.intro import INTRO
from firstboot.wizard.line_editor import Interrupted, LineLost
from firstboot.wizard.terminal import Terminal, console

if TYPE_CHECKING:
    from firstboot.wizard.conversation import MachineView, Saved
    from firstboot.wizard.draft import Draft

DRAFT = "draft.yaml"

HASH = re.compile(rb"\$[0-9a-z]+\$[!-9;-~]+\n")
"""What crypt(3) makes of a password, as a line."""


def setup(machine: Machine) -> int:
    """Ask on the console where somebody answers first, until the box is configured."""
    ensure_storage(machine)
    if machine.running() is not None:
        return 0
    path = machine.cfg / DRAFT

    def draft(terminal: Terminal) -> "Draft":
        from firstboot.box.backup.restore import offer
        from firstboot.wizard.draft import Draft

        if lost := _lost(machine):
            terminal.say(lost)
        kept = Draft.open(path)
        return kept if kept.begun else offer(terminal, machine, path, _view(machine, None)) or kept

    return _talk(machine, draft, again=False)


def _lost(machine: Machine) -> str:
    """What to tell if a box that asks was configured once; empty if it never was."""
    damaged = [str(one.number) for one in machine.generations.all()]
    if not damaged:
        return ""
    return (
        f"This box was configured, and what it kept is damaged (generations {', '.join(damaged)}). "
        "A backup of it brings back the same relays; other answers make a new box."
    )


def restore(file: Path, machine: Machine) -> int:
    """Make this box the one that the backup `file` is of. Raises Refusal if it is configured."""
    from firstboot.box.backup.restore import opened, read, take_over

    if machine.running() is not None:
        raise Refusal(
            "this box",
            "it is configured already",
            "Restore on a freshly flashed box; exitisp apply takes another site",
        )
    path = machine.cfg / DRAFT

    def draft(terminal: Terminal) -> "Draft":
        files = opened(terminal, machine, file.name, read(file))
        return take_over(terminal, machine, files, path, _view(machine, None))

    return _talk(machine, draft, again=True)


def reconfigure(machine: Machine) -> int:
    """Ask again, starting with the present site. Raises Refusal if the box is not configured."""
    from firstboot.box.apply import site_of_running
    from firstboot.wizard.draft import Draft
    from firstboot.wizard.unfinished import go_on_or_drop

    site = site_of_running(machine).value
    running = machine.running()
    assert running is not None
    password = root_password(machine, say)
    path = machine.cfg / f"draft-{running.number:04d}.yaml"

    present = Draft.from_site(path, site, password)

    def draft(terminal: Terminal) -> Draft:
        return go_on_or_drop(terminal, Draft.open(path), present) if path.exists() else present

    return _talk(machine, draft, again=True, running=Draft.from_site(path, site, password))


def _talk(
    machine: Machine,
    draft: "Callable[[Terminal], Draft]",
    *,
    again: bool,
    running: "Draft | None" = None,
) -> int:
    machine.state.mkdir(parents=True, exist_ok=True)
    name = os.ttyname(0).removeprefix("/dev/") if os.isatty(0) else "standard input"
    with console() as terminal:
        try:
            greeting = "" if again else INTRO
            with first_come(machine.state / "conversation", terminal, name, greeting):
                if machine.running() is not None and not again:
                    return 0
                answers = draft(terminal)
                with mounted(machine) as stick:
                    return _until_applied(machine, answers, terminal, stick, running)
        except (Interrupted, LineLost):
            return 1


def _until_applied(
    machine: Machine,
    draft: "Draft",
    terminal: Terminal,
    stick: Path | None,
    running: "Draft | None",
) -> int:
    """Ask and apply, until the daemons accept the answers or the person leaves."""
    from firstboot.wizard.conversation import Abandoned, converse

    while True:
        outcome = converse(terminal, draft, _view(machine, stick), running)
        if isinstance(outcome, Abandoned):
            return 1
        before = machine.generations.current()
        with undisturbed():
            try:
                _apply(machine, outcome)
            except Refusal as refusal:
                terminal.say(f"exitisp: {refusal}")
                if machine.generations.current() != before:
                    draft.clear()
                    return 1
                terminal.say("Nothing has changed. Correct the answer, and save again.")
                continue
            draft.clear()
        terminal.say("This box is configured. exitisp status says how it is.")
        return 0


def _apply(machine: Machine, saved: "Saved") -> None:
    """Apply what was saved.

    The password is kept after the daemons have accepted the site and before it runs. So a refused
    site has changed nothing, and a configured box lets its operator in.
    """
    from firstboot.box.apply import prepare
    from firstboot.box.confirm import carry_out, minutes_by_default

    with machine.alone():
        generation = prepare(saved.site, machine, say)
        keep_password(machine, saved.root_password)
        how = "reconfigure" if machine.running() else "setup"
        carry_out(generation, machine, say, how, minutes_by_default(machine))


def root_password(machine: Machine, say: Say) -> str | None:
    """The hash of root's password, as it is kept. None, so that it is asked for, if there is none
    or if it is damaged, which is told."""
    place = machine.cfg / "accounts/root"
    try:
        data = kept(place)
        if data is None:
            return None
        if not HASH.fullmatch(data):
            raise damaged(place, "it is not the hash of a password")
    except Refusal as refusal:
        say(f"Root's password has to be chosen again. {refusal}")
        return None
    return data.decode().strip()


def keep_password(machine: Machine, hashed: str) -> None:
    """Set root's password, now and at every boot. `hashed` is as in master.passwd(5). Raises
    Refusal."""
    folder = machine.cfg / "accounts"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        keep(folder / "root", f"{hashed}\n".encode())
    except OSError as error:
        raise Refusal(
            folder,
            f"root's password cannot be kept there: {error.strerror or error}",
            "Look at the file system /cfg",
        ) from error
    machine.run(*machine.system.password(machine), given=f"{hashed}\n")


def _view(machine: Machine, stick: Path | None) -> "MachineView":
    from firstboot.wizard.conversation import MachineView

    box = machine.box()
    versions = {"tor": ".".join(map(str, box.tor)), "unbound": ".".join(map(str, box.unbound))}
    system = machine.system
    return MachineView(
        box.cores,
        box.memory_mib,
        stick,
        versions,
        nics=partial(system.nics, machine),
        raised=partial(system.raised, machine),
        kind=system.kind,
    )
