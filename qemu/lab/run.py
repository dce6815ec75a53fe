"""A whole lab: bring the appliance up, make the checks, try faults, and write the report."""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from firstboot.core.refusal import Refusal
from qemu import accelerator
from qemu.failure import Failure
from qemu.lab.attempts import done, made
from qemu.lab.faults import Fault, named
from qemu.lab.hearing import hearings
from qemu.lab.lab_site import fitted, read
from qemu.lab.pair_site import alone
from qemu.lab.probe import Probe
from qemu.lab.probes import CHECKS
from qemu.lab.progress import Progress
from qemu.lab.proof import proof
from qemu.lab.report import AGAIN, Origin, Report, Status, Trial, save, table
from qemu.lab.session import Lab, laboratory
from qemu.lab.systems import System
from qemu.lab.wires import Span, traffic

ROOT = Path(__file__).parents[2]


def run_lab(
    image: Path, system: System, site: Path, fault: str, keep: bool, folder: Path, dist: Path
) -> bool:
    """Run a lab with `image` and the site of the file `site`, print what it finds, and write the
    report into `dist`.

    `fault` is the name of one to try after the checks, "all", or "" for none. `folder` keeps
    consoles, captures and logs. With `keep`, the console is in the terminal at the end, until
    Ctrl-] is typed. Returns whether everything holds. Raises Refusal, and whatever `laboratory`
    raises.
    """
    whole = read(site)
    alone(whole)
    fit = fitted(whole, system.card, bundles=True)
    faults = named(fault, system, fit.site) if fault else ()
    check_terminal(keep)
    began = datetime.now(UTC)
    progress = Progress()
    for cut in fit.cuts:
        print(f"{site.name}: {cut}", flush=True)
    with laboratory(image, system, fit.site, folder, progress) as lab:
        trials = [sound(lab)]
        print(table(trials[0]), flush=True)
        for one in faults:
            trials.append(tried(one, lab))
            print(table(trials[-1]), flush=True)
        report = reported(lab, origin(image, system, site, began), trials, fit.cuts)
        for path in save(report, lab.site, dist):
            print(path)
        if keep:
            print(parties(lab), flush=True)
            lab.appliance.machine.console.hand_over()
    return report.holds


def check_terminal(keep: bool) -> None:
    """Raises Refusal if a console is wanted and there is no terminal."""
    if keep and not sys.stdin.isatty():
        raise Refusal(
            "--keep",
            "the console at the end needs a terminal, and standard input is a file or a pipe",
            "Run the command in a terminal, or leave --keep out",
        )


def sound(lab: Lab) -> Trial:
    """Every check, with nothing wrong."""
    verdicts = made(CHECKS.values(), lab)
    return Trial("sound", "Nothing is wrong.", verdicts, status=status(lab))


def tried(fault: Fault, lab: Lab) -> Trial:
    """Inflict `fault`, ask the box how it is, make the fault's checks, undo it, and make the checks
    that must hold afterwards.

    If it cannot be inflicted, it is undone all the same. Failures are verdicts that do not hold.
    """
    if lack := fault.lack(lab.site):
        return Trial(fault.name, fault.what, (), lack)
    with lab.progress.stage(fault.name):
        lab.mark(fault.name)
        failures = done("inflicted", fault.inflict, lab)
        told = None if failures else status(lab)
        during = () if failures else made(_applying(fault.holds, lab), lab)
        lab.mark(f"{fault.name} undone")
        failures += done("undone", fault.undo, lab)
        after = made(_applying(fault.after, lab), lab)
    afterwards = (replace(one, name=f"{one.name}{AGAIN}") for one in after)
    return Trial(fault.name, fault.what, (*failures, *during, *afterwards), status=told)


def status(lab: Lab) -> Status | None:
    """What the box says of itself now; None if it does not."""
    try:
        text = lab.appliance.ran("exitisp status --json").text
        told = json.loads(text[text.index("{") : text.rindex("}") + 1])
        return Status(told["well"], tuple(one["text"] for one in told["findings"] if one["cause"]))
    except (Failure, ValueError, LookupError, TypeError):
        # The kernel prints on the same console.
        return None


def _applying(some: Iterable[Probe], lab: Lab) -> list[Probe]:
    return [check for check in some if not check.lack(lab.site)]


def origin(image: Path, system: System, site: Path, began: datetime) -> Origin:
    with image.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    ran_under = accelerator.best().name
    return Origin(image.name, digest, system.base, commit(), began, ran_under, site.name)


def commit() -> str:
    """This project's commit, with "-dirty" if files differ from it."""
    describe = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        asked = subprocess.run(describe, capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown: there is no git"
    return asked.stdout.strip() if asked.returncode == 0 else "unknown: no git checkout"


def reported(
    lab: Lab, origin: Origin, trials: Iterable[Trial], cuts: tuple[str, ...] = ()
) -> Report:
    wires = {name: cable.frames() for name, cable in lab.internet.cables.items()}
    span = Span.of(wires.values())
    return Report(
        origin,
        tuple(lab.progress.stages),
        tuple(trials),
        tuple(traffic(name, frames, span) for name, frames in wires.items()),
        proof(lab.appliance),
        cuts,
        tuple(lab.progress.moments),
        hearings(lab.internet),
        tuple(lab.refusals),
    )


def parties(lab: Lab) -> str:
    """What a person is told before the console is theirs: how to leave it, and commands to paste
    into another terminal that reach everybody in the simulated Internet."""
    names = sorted(lab.internet.parties)
    router = min(lab.internet.routers)
    birdc = ("birdc", "-s", f"/run/bird.{router}", "show", "protocols")
    lines = [
        "Now comes the appliance's console, where root is logged in. Ctrl-] ends the lab.",
        "In another terminal, this opens a shell at a party of the simulated Internet:",
        f"  {_at(lab, 'NAME', 'sh')}",
        f"NAME is one of {', '.join(names)}.",
        f"The BGP sessions of {router}:",
        f"  {_at(lab, router, *birdc)}",
        "What a root server answers:",
        f"  {_at(lab, 'client', 'drill', '@198.41.0.4', 'example.', 'NS')}",
    ]
    return "\n".join(lines)


def _at(lab: Lab, party: str, *command: str) -> str:
    """`command` at a party, as a line for a shell on this host. Daemons' programs are in folders
    that an ordinary user's PATH lacks."""
    return shlex.join(
        lab.internet.world.inside(
            *("ip", "netns", "exec", party),
            *("env", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", *command),
        )
    )
