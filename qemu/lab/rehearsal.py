"""A whole lab: the appliance comes up, checks are made, faults tried, and all of it reported."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

from firstboot.core.refusal import Refusal
from qemu import accelerator
from qemu.failure import Failure
from qemu.lab.checks import Verdict
from qemu.lab.fault_actions import Step
from qemu.lab.faults import Fault, named
from qemu.lab.lab_site import on
from qemu.lab.probes import CHECKS, Check
from qemu.lab.progress import Progress
from qemu.lab.report import Report, Trial, save, table
from qemu.lab.session import Lab, laboratory
from qemu.lab.systems import System
from qemu.lab.wires import traffic


def rehearse(image: Path, system: System, fault: str, keep: bool, folder: Path, dist: Path) -> bool:
    """Bring the appliance with `image` up in the simulated Internet, make every check, then try
    `fault` ("" for none, "all"), and write the report into `dist`; whether everything holds.

    With `keep`, the console is handed to the terminal at the end, until Ctrl-] is typed. Raises
    Refusal, and whatever `laboratory` raises.
    """
    faults = named(fault, system) if fault else ()
    if keep and not sys.stdin.isatty():
        raise Refusal(
            "--keep",
            expected="a terminal for the console",
            found="a file or a pipe",
            remedy="run it in a terminal, or without --keep",
        )
    progress = Progress()
    with laboratory(image, system, on(system.devices), folder, progress) as lab:
        trials = [sound(lab)]
        print(table(trials[0]), flush=True)
        for one in faults:
            trials.append(tried(one, lab))
            print(table(trials[-1]), flush=True)
        report = reported(lab, image, trials)
        for path in save(report, lab.site, dist):
            print(path)
        if keep:
            attach(lab)
    return report.holds


def sound(lab: Lab) -> Trial:
    """Every check, with nothing wrong."""
    return Trial("sound", "Nothing is wrong.", made(CHECKS.values(), lab))


def tried(fault: Fault, lab: Lab) -> Trial:
    """What holds while `fault` lasts, and after it. One that could not be inflicted or undone
    holds nothing, and the next one is tried all the same."""
    with lab.progress.stage(fault.name):
        failures = done("inflicted", fault.inflict, lab)
        during = () if failures else made(fault.holds, lab)
        failures += done("undone", fault.undo, lab)
        after = made(fault.after, lab)
    afterwards = (Verdict(f"{one.name} again", one.holds, one.evidence) for one in after)
    return Trial(fault.name, fault.what, (*failures, *during, *afterwards))


def done(name: str, step: Step, lab: Lab) -> tuple[Verdict, ...]:
    """Take a step; nothing, or the verdict that it failed."""
    try:
        step(lab)
    except Failure as failure:
        return (_failed(name, failure),)
    return ()


def made(some: Iterable[Check], lab: Lab) -> tuple[Verdict, ...]:
    return tuple(attempt(check, lab) for check in some)


def attempt(check: Check, lab: Lab) -> Verdict:
    """The verdict of `check`; that it does not hold, if it cannot be made."""
    name = check.__name__
    try:
        with lab.progress.stage(f"  {name}"):
            return check(lab)
    except Failure as failure:
        return _failed(name, failure)


def _failed(name: str, failure: Exception) -> Verdict:
    return Verdict(name, False, str(failure).strip().splitlines()[0])


def reported(lab: Lab, image: Path, trials: Iterable[Trial]) -> Report:
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Report(
        image.name,
        digest,
        lab.appliance.system.base,
        accelerator.best().name,
        tuple(lab.progress.stages),
        tuple(trials),
        tuple(traffic(name, cable.frames()) for name, cable in lab.internet.cables.items()),
    )


def attach(lab: Lab) -> None:
    """Hand the console to the terminal; say how to reach everybody else meanwhile."""
    print("The appliance's console, where root is logged in; Ctrl-] ends the lab.")
    print("In another terminal, a shell at any party of the world:")
    for name in sorted(lab.internet.parties):
        print(f"  {name}: {' '.join(lab.internet.parties[name].inside('sh'))}")
    lab.appliance.machine.console.interact()
