"""`exitisp` on the box: what the consoles and rc(8) start, and what an administrator types.

Every command imports only what it needs: the program starts on slow processors too.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.box.commandline.parse import Asked, Call, Misused, parse
from firstboot.box.host import SEARCH
from firstboot.box.output import say, undisturbed
from firstboot.core.refusal import Refusal

if TYPE_CHECKING:
    from firstboot.box.machine import Machine
    from firstboot.box.system import System

GATE_WAITS = 600.0
"""Seconds for another exitisp to end at a boot: nobody raises the ports later, and an administrator
who types a command as soon as there is a console must not keep the box offline."""

TENDED = 900
"""Seconds that looking after the box may take."""


def main(words: Sequence[str]) -> int:
    """Run the command line `words`. What it says is on standard output, a refusal in one line on
    standard error.

    Returns 0 if the command did what it was asked for, 1 for a refusal or something that is not as
    it has to be, 2 for a command line that is not understood.
    """
    try:
        asked = parse(words)
        if isinstance(asked, Asked):
            say(asked.text if asked.text else _version(Path(asked.root or "/")))
            return 0
        machine = _machine(asked)
        refuse_lacking(asked, machine.system)
        if again := machine.system.again(machine):
            _start_again([*again, sys.executable, *words])
        return RUN[asked.command.name](asked, machine)
    except Misused as misused:
        print(misused, file=sys.stderr)
        return 2
    except Refusal as refusal:
        print(f"exitisp: {refusal}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        print(f"exitisp: {_of_the_disk(error)}", file=sys.stderr)
        return 1


def _of_the_disk(error: OSError) -> Refusal:
    """The refusal for an error of a file system that no command has a better sentence for."""
    return Refusal(
        error.filename or "a file of this box",
        f"{error.strerror or error}",
        "Look at df, and at what the kernel says of the disk in /var/log/messages",
    )


def _machine(call: Call) -> "Machine":
    from firstboot.box import systems
    from firstboot.box.machine import Machine

    root = Path(call.root or "/")
    search = os.environ["PATH"] if call.root else SEARCH
    return Machine(root, search, system=systems.of(root))


def _start_again(command: list[str]) -> None:
    """Run `command` in the place of this program. Raises Refusal."""
    try:
        os.execvpe(command[0], command, {**os.environ, "PATH": SEARCH})  # noqa: S606
    except OSError as error:
        raise Refusal(
            command[0],
            f"exitisp has to be started by it, and it does not run ({error.strerror})",
            "Use a console of the box",
        ) from error


def _version(root: Path) -> str:
    """The release that the image is; of the program alone where there is none."""
    from firstboot.core import release_info

    stamp = release_info.read(root)
    if stamp is None:
        return f"exitisp {release_info.VERSION}"
    commit = f", commit {stamp.commit}" if stamp.commit else ""
    return f"exitisp {stamp.version} ({stamp.base}{commit})"


def refuse_lacking(call: Call, system: "System") -> None:
    """Raises Refusal for a command that this system cannot do."""
    asked = {call.command.name, *(f"{call.command.name} {flag}" for flag in call.flags)}
    for lack in system.lacks:
        if asked & {*lack.commands}:
            raise Refusal(
                f"exitisp {call.command.name}",
                f"{system.name} does not have {lack.what}",
                "Use an image of HardenedBSD or FreeBSD for it",
            )


def _setup(call: Call, machine: "Machine") -> int:
    from firstboot.box.setup import setup

    return setup(machine)


def _reconfigure(call: Call, machine: "Machine") -> int:
    from firstboot.box.setup import reconfigure

    return reconfigure(machine)


def _show(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import show

    show(machine, say)
    return 0


def _diff(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import diff

    diff(call.text("OTHER"), machine, say)
    return 0


def _rollback(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import rollback
    from firstboot.box.confirm import ensure_none
    from firstboot.box.upgrade.switch import back

    with undisturbed():
        if "--slot" in call.flags:
            ensure_none(machine)
            back(machine, say)
        else:
            rollback(call.number("NUMBER"), machine, say, _minutes(call, machine))
    return 0


def _history(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import history

    history(machine, say)
    return 0


def _apply(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import apply_file, dry_run

    if "--dry-run" in call.flags:
        dry_run(call.text("FILE"), machine, say)
        return 0
    with undisturbed():
        apply_file(call.text("FILE"), machine, say, _minutes(call, machine))
    return 0


def _minutes(call: Call, machine: "Machine") -> int:
    """Minutes in which a change has to be confirmed, or 0."""
    from firstboot.box.confirm import minutes_by_default

    if "--no-confirm" in call.flags:
        return 0
    return call.number("--confirm") or minutes_by_default(machine)


def _backup(call: Call, machine: "Machine") -> int:
    from firstboot.box.backup.create import store

    store(call.text("FILE"), machine)
    return 0


def _restore(call: Call, machine: "Machine") -> int:
    from firstboot.box.setup import restore

    return restore(Path(call.text("FILE")), machine)


def _check(call: Call, machine: "Machine") -> int:
    from firstboot.site.check_sites import check_sites
    from firstboot.site.profiles import Machine as Hardware

    check_sites([Path(call.text("FILE"))], Hardware(machine.cores, machine.memory_mib))
    return 0


def _status(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import status, status_document

    if "--json" in call.flags:
        return 0 if status_document(machine, say) else 1
    return 0 if status(machine, say, explained="--explain" in call.flags) else 1


def _family(call: Call, machine: "Machine") -> int:
    from firstboot.box import family

    match [*call.flags]:
        case ["--rsa" | "--ed25519" as kind]:
            family.proof(kind.removeprefix("--"), machine, say)
        case ["--export"]:
            family.give_key(machine)
        case ["--import"]:
            family.take_key(machine, say)
        case _:
            family.show(machine, say)
    return 0


def _relay_keys(call: Call, machine: "Machine") -> int:
    from firstboot.box import relay_keys

    if call.text("FILE"):
        relay_keys.take(call.text("FILE"), machine, say)
    else:
        relay_keys.show(machine, say)
    return 0


def _upgrade(call: Call, machine: "Machine") -> int:
    from firstboot.box.confirm import ensure_none
    from firstboot.box.upgrade.switch import upgrade

    with undisturbed():
        ensure_none(machine)
        upgrade(call.text("FILE|URL"), machine, say)
    return 0


def _slots(call: Call, machine: "Machine") -> int:
    from firstboot.box.upgrade.slots import held, table

    with machine.alone():
        say(table(held(machine)))
    return 0


def _confirm(call: Call, machine: "Machine") -> int:
    from firstboot.box.confirm import confirm

    confirm(machine, say)
    return 0


def _settle(call: Call, machine: "Machine") -> int:
    from firstboot.box.confirm import settle

    settle(machine, say)
    return 0


def _keep(call: Call, machine: "Machine") -> int:
    from firstboot.box.upgrade.switch import stand

    stand(machine, say)
    return 0


def _bootcode(call: Call, machine: "Machine") -> int:
    from firstboot.box.upgrade.boot_programs import renew

    with machine.alone(patience=GATE_WAITS):
        renew(machine, say)
    return 0


def _raise(call: Call, machine: "Machine") -> int:
    from firstboot.box.apply import gate
    from firstboot.box.confirm import ran

    with machine.alone(patience=GATE_WAITS):
        gate(machine, say)
        ran(machine, say)
    return 0


def _tend(call: Call, machine: "Machine") -> int:
    from firstboot.box.journal.minute import note
    from firstboot.box.look import look
    from firstboot.box.tend import tend
    from firstboot.box.watch import watch

    # SIGALRM ends this program if anything of it hangs.
    signal.alarm(TENDED)
    closed = tend(machine, say)
    if machine.running() is None:
        return 0
    found = look(machine, closed)
    try:
        note(machine, found, say)
    except (Refusal, OSError) as error:
        say(f"The journal is not written: {error}")
    watch(machine, say, found)
    return 0


def _metrics(call: Call, machine: "Machine") -> int:
    from firstboot.box.metrics import metrics

    say(metrics(machine).rstrip("\n"))
    return 0


def _report(call: Call, machine: "Machine") -> int:
    from firstboot.box.reports.command import report

    kind, when = call.text("REPORT"), call.text("WHEN")
    return 0 if report(kind, when, machine, say, as_html="--html" in call.flags) else 1


def _top(call: Call, machine: "Machine") -> int:
    from firstboot.box.top import EVERY, top

    top(machine, call.number("--every") or EVERY)
    return 0


def _abuse(call: Call, machine: "Machine") -> int:
    from firstboot.box.reports.complaints import count

    if (word := call.text("count")) != "count":
        raise Misused("exitisp abuse", f"there is no '{word}'", "Try exitisp abuse count CATEGORY")
    count(call.text("CATEGORY"), machine, say)
    return 0


def _watch(call: Call, machine: "Machine") -> int:
    from firstboot.box import watch

    if "--test" in call.flags:
        return 0 if watch.test(machine, say) else 1
    return 0 if watch.show(machine, say) else 1


def _drain(call: Call, machine: "Machine") -> int:
    from firstboot.box.drain import drain

    drain(call.text("PEER"), machine, say, call.number("--for"))
    return 0


def _undrain(call: Call, machine: "Machine") -> int:
    from firstboot.box.drain import undrain

    undrain(call.text("PEER"), machine, say)
    return 0


def _blackhole(call: Call, machine: "Machine") -> int:
    from firstboot.box.blackhole import blackhole

    blackhole(call.text("ADDRESS"), machine, say, call.number("--for"))
    return 0


def _unblackhole(call: Call, machine: "Machine") -> int:
    from firstboot.box.blackhole import unblackhole

    unblackhole(call.text("ADDRESS"), machine, say)
    return 0


def _boot(call: Call, machine: "Machine") -> int:
    from firstboot.box.commands import renew

    renew(machine, say)
    return 0


def _unattended(call: Call, machine: "Machine") -> int:
    from firstboot.box import unattended

    with machine.alone():
        if call.flags:
            unattended.finish(Path(call.text("FOLDER")), machine, say)
        else:
            unattended.take(Path(call.text("FOLDER")), machine, say)
    return 0


RUN: dict[str, Callable[[Call, "Machine"], int]] = {
    "setup": _setup,
    "reconfigure": _reconfigure,
    "show": _show,
    "diff": _diff,
    "rollback": _rollback,
    "history": _history,
    "apply": _apply,
    "backup": _backup,
    "restore": _restore,
    "check": _check,
    "status": _status,
    "family": _family,
    "relay-keys": _relay_keys,
    "upgrade": _upgrade,
    "slots": _slots,
    "confirm": _confirm,
    "settle": _settle,
    "keep": _keep,
    "bootcode": _bootcode,
    "raise": _raise,
    "tend": _tend,
    "top": _top,
    "watch": _watch,
    "metrics": _metrics,
    "report": _report,
    "abuse": _abuse,
    "drain": _drain,
    "undrain": _undrain,
    "blackhole": _blackhole,
    "unblackhole": _unblackhole,
    "boot": _boot,
    "unattended": _unattended,
}
