"""`exitisp` on the box: what the consoles and rc(8) start, and what an administrator types.

Every command imports only what it needs: the program starts on slow processors too.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.box.host import SEARCH
from firstboot.box.output import say, undisturbed
from firstboot.core.refusal import Refusal
from firstboot.core.release_info import VERSION

if TYPE_CHECKING:
    from firstboot.box.machine import Machine

SLOTS_WAIT = 60.0
"""Seconds for another exitisp to end."""

GATE_WAITS = 600.0
"""The same at a boot: nobody raises the ports later, and an administrator who types a command as
soon as there is a console must not keep the box offline."""

Command = Callable[[argparse.Namespace, "Machine"], int]


def main(arguments: Sequence[str]) -> int:
    """Run one command; what it says is on standard output, a refusal in one line on standard error.

    0 is done, 1 a refusal or something that is not as it has to be, 2 a command line that is not
    understood, 130 an interruption.
    """
    options = _parser().parse_args(list(arguments))
    try:
        status: int = options.command(options, _machine(options))
    except Refusal as refusal:
        print(f"exitisp: {refusal}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("exitisp: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return status


def _machine(options: argparse.Namespace) -> "Machine":
    from firstboot.box import systems
    from firstboot.box.machine import Machine

    search = SEARCH if options.root == Path("/") else os.environ["PATH"]
    return Machine(options.root, search, system=systems.of(options.root))


def _setup(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.setup import setup

    return setup(machine)


def _reconfigure(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.setup import reconfigure

    return reconfigure(machine)


def _show(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.commands import show

    show(machine, say)
    return 0


def _diff(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.commands import diff

    diff(options.other, machine, say)
    return 0


def _rollback(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.commands import rollback
    from firstboot.box.upgrade.switch import back

    with undisturbed():
        if options.slot:
            back(machine, say)
        else:
            rollback(options.number, machine, say)
    return 0


def _apply(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.commands import apply_file

    with undisturbed():
        apply_file(options.file, machine, say)
    return 0


def _backup(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.backup.create import store

    store(options.file, machine)
    return 0


def _restore(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.setup import restore

    return restore(options.file, machine)


def _check(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.site.commands import check_sites

    check_sites([options.file])
    return 0


def _status(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.commands import status

    return 0 if status(machine, say) else 1


def _upgrade(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.upgrade.switch import upgrade

    with undisturbed():
        upgrade(options.source, machine, say)
    return 0


def _slots(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.upgrade.slots import held, table

    with machine.alone(patience=SLOTS_WAIT):
        say(table(held(machine)))
    return 0


def _confirm(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.upgrade.switch import stand

    stand(machine, say)
    return 0


def _raise(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.apply import gate

    with machine.alone(patience=GATE_WAITS):
        gate(machine, say)
    return 0


def _drain(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.drain import drain

    drain(options.peer, machine, say)
    return 0


def _undrain(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.drain import undrain

    undrain(options.peer, machine, say)
    return 0


def _boot(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box.commands import renew

    renew(machine, say)
    return 0


def _unattended(options: argparse.Namespace, machine: "Machine") -> int:
    from firstboot.box import unattended

    with machine.alone():
        if options.finish:
            unattended.finish(options.stick, machine, say)
        else:
            unattended.take(options.stick, machine, say)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="exitisp",
        description="An exit ISP on one box.",
        epilog="Example: exitisp status",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"exitisp {VERSION}")
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, what: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
        added.set_defaults(command=run)
        return added

    command("setup", _setup, "answer the questions of the first boot")
    command("reconfigure", _reconfigure, "answer them again, starting with the present site")
    command("show", _show, "print the present site, its secrets masked")
    differing = command("diff", _diff, "print what differs from another generation or a site file")
    differing.add_argument("other", nargs="?", default="", help="its number, or the file")
    back = command("rollback", _rollback, "run an earlier generation, or the system before")
    which = back.add_mutually_exclusive_group()
    which.add_argument("number", nargs="?", type=int, help="which; the one before the present one")
    which.add_argument("--slot", action="store_true", help="restart into the other slot's system")
    command("apply", _apply, "make a site file what this box runs").add_argument("file", type=Path)
    keeping = command("backup", _backup, "write what makes this box, sealed with a passphrase")
    keeping.add_argument("file", help="the file, - for standard output, or stick for a USB stick")
    back = command("restore", _restore, "make this new box the one that a backup is of")
    back.add_argument("file", type=Path)
    command("check", _check, "say what is wrong with a site file").add_argument("file", type=Path)
    command("status", _status, "say how this box is; status 1 if something is not as it has to be")
    upgrading = command("upgrade", _upgrade, "verify another system, and restart into it")
    upgrading.add_argument("source", metavar="FILE|URL", help="exitisp-VERSION.upgrade")
    command("slots", _slots, "say which system each slot holds")
    command("raise", _raise, "raise the transit and exchange ports if nothing can leak")
    command("drain", _drain, "let traffic go around a peer before work on its link").add_argument(
        "peer", help="its name in the site"
    )
    command("undrain", _undrain, "let traffic come back to a peer").add_argument("peer")
    command("confirm", _confirm, "for rc(8): keep the slot once the box does what it did before")
    command("boot", _boot, "for rc(8): render the site anew with this image")
    taking = command("unattended", _unattended, "for rc(8): take the site file in a folder")
    taking.add_argument("--finish", action="store_true", help="remove it: it was taken")
    taking.add_argument("stick", type=Path)
    return parser
