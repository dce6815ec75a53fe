"""Makes a new box the one that a backup is of. A person says which network card each port is on;
everything else is as in the backup."""

from dataclasses import replace
from pathlib import Path

from firstboot.box.backup.archive import PASSWORD, SITE, Kept, lay, unpack
from firstboot.box.backup.create import ENDING
from firstboot.box.backup.encryption import unseal
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.usb import DEVICES, mounted
from firstboot.core.document import Plain
from firstboot.core.limits import BACKUP
from firstboot.core.refusal import Refusal
from firstboot.wizard.ask import Move, ask
from firstboot.wizard.draft import NOTES, Draft
from firstboot.wizard.line_editor import hidden
from firstboot.wizard.question import MachineView, Situation, fixed
from firstboot.wizard.sections.ports import DEVICE, MEMBERS
from firstboot.wizard.terminal import Terminal

NEVER_BOTH = (
    "Switch the old box off before this one runs: neither a relay nor an address may be in two "
    "places."
)


def offer(terminal: Terminal, machine: Machine, path: Path, view: MachineView) -> Draft | None:
    """If a backup is on a stick, offer to restore it.

    Returns the answers, which are kept at `path`, or None if nobody wants that. Raises Interrupted
    and LineLost.
    """
    for name, sealed in _on_sticks(machine, terminal.say):
        terminal.say(f"A backup of a box is on the stick: {name}.")
        wanted = terminal.ask("Make this box the one that was kept (yes or no) [yes]:")
        while wanted.strip().lower() in ("", "y", "yes"):
            try:
                files = opened(terminal, machine, name, sealed)
                return take_over(terminal, machine, files, path, view)
            except Refusal as refusal:
                terminal.say(f"exitisp: {refusal}")
            wanted = terminal.ask("Try again (yes or no) [yes]:")
    return None


def opened(terminal: Terminal, machine: Machine, name: str, sealed: bytes) -> tuple[Kept, ...]:
    """Ask for the passphrase, and return the files of a backup. Raises Refusal and Interrupted."""
    passphrase = terminal.ask("Passphrase of the backup:", hidden)
    return unpack(unseal(sealed, passphrase, machine, name), name)


def take_over(
    terminal: Terminal, machine: Machine, files: tuple[Kept, ...], path: Path, view: MachineView
) -> Draft:
    """Write the keys to where they belong, and ask for the cards.

    The answers are kept at `path`, so that a power cut loses none of them. Raises Refusal.
    """
    data = {one.name: one.data for one in files}
    draft = Draft.from_text(path, data[SITE], SITE)
    lay(files, machine)
    if PASSWORD in data:
        draft.answer((NOTES, "root_password"), data[PASSWORD].decode("ascii", "replace").strip())
    terminal.say(NEVER_BOTH)
    _ask_for_cards(terminal, draft, view)
    return draft


def read(path: Path) -> bytes:
    """The backup at `path`. Raises Refusal."""
    try:
        with path.open("rb") as file:
            return file.read(BACKUP + 1)
    except OSError as error:
        raise Refusal(
            path,
            f"the backup cannot be read: {error.strerror or error}",
            "Name the file that exitisp backup wrote",
        ) from error


def _on_sticks(machine: Machine, say: Say) -> list[tuple[str, bytes]]:
    """The name and content of each backup on the box's own FAT partition and on a USB stick. What
    cannot be read is told, and no reason to stop."""
    found = []
    for device in DEVICES:
        with mounted(machine, (device,)) as folder:
            try:
                paths = sorted(folder.iterdir()) if folder else []
            except OSError as error:
                say(f"The stick cannot be read: {error.strerror or error}.")
                continue
            for path in filter(_is_backup, paths):
                try:
                    found.append((path.name, read(path)))
                except Refusal as refusal:
                    say(f"Left out: {refusal}")
    return found


def _is_backup(path: Path) -> bool:
    """Whether it has the name of a backup. macOS keeps attributes of a file in another one with ._
    before its name (AppleDouble, RFC 1740)."""
    name = path.name.lower()
    return name.endswith(ENDING) and not name.startswith("._")


def _ask_for_cards(terminal: Terminal, draft: Draft, view: MachineView) -> None:
    """Ask for the card of each port. The default is the one that it had, if the box has that."""
    before = [draft.get(("ports", at, "device")) for at in range(draft.count("ports"))]
    bundled = [draft.get(("ports", at, "members")) for at in range(len(before))]
    draft.drop(
        *(("ports", at, "members" if bundled[at] else "device") for at in range(len(before)))
    )
    at = 0
    with view.raised():
        while at < len(before):
            situation = Situation(draft, view, ("ports", at))
            terminal.say(f"--- {situation.here('name')}, {situation.here('role')} ".ljust(78, "-"))
            if bundled[at]:
                question = replace(MEMBERS, default=fixed(_cards(situation, bundled[at])))
            else:
                question = replace(DEVICE, default=fixed(_offered(situation, before, at)))
            at += 1 if ask(terminal, question, situation) is Move.ON else -1 if at else 0


def _cards(situation: Situation, before: Plain) -> Plain:
    """The default for a bundle: the cards that it had, if the box has them all."""
    there = [nic.device for nic in situation.machine.nics()]
    kept = isinstance(before, list) and all(card in there for card in before)
    return before if kept else MEMBERS.default(situation)


def _offered(situation: Situation, before: list[Plain], at: int) -> Plain:
    """The default: the card of an earlier port that shared the card, else the same card, else the
    next free one."""
    for earlier in range(at):
        if before[earlier] == before[at]:
            return situation.site("ports", earlier, "device")
    cards = [nic.device for nic in situation.machine.nics()]
    free = before[at] in cards and before[at] not in situation.each("ports", "device")
    return before[at] if free else DEVICE.default(situation)
