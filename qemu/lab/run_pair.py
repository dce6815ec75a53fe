"""A whole lab of two boxes: bring both up, make the checks, make one fail, and write the report."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from qemu.lab.failover import named, tried
from qemu.lab.hearing import hearings
from qemu.lab.lab_site import read
from qemu.lab.pair import Pair, beside, sound
from qemu.lab.pair_site import paired
from qemu.lab.progress import Progress
from qemu.lab.report import Origin, Outage, Report, Trial, save, table
from qemu.lab.run import check_terminal, origin, parties
from qemu.lab.session import laboratories
from qemu.lab.systems import System
from qemu.lab.wires import Span, traffic


def run_pair(
    image: Path,
    system: System,
    sites: tuple[Path, Path],
    fault: str,
    keep: bool,
    folder: Path,
    dist: Path,
) -> bool:
    """Run a lab with two boxes, for the sites of two files, as `qemu.lab.run.run_lab` runs one.

    `fault` is the name of one of FAILOVERS, "all", or "" for none. With `keep`, the console of the
    first box is in the terminal at the end. Raises Refusal, and whatever `laboratories` raises.
    """
    fits = paired(read(sites[0]), read(sites[1]), system)
    faults = named(fault) if fault else ()
    check_terminal(keep)
    began = datetime.now(UTC)
    progress = Progress()
    cuts = tuple(
        f"{path.name}: {cut}" for path, fit in zip(sites, fits, strict=True) for cut in fit.cuts
    )
    print("\n".join(cuts), flush=True)
    with laboratories(image, system, [fit.site for fit in fits], folder, progress) as (one, other):
        pair = beside(one, other)
        trials, outages = [sound(pair)], []
        print(table(trials[0]), flush=True)
        for failover in faults:
            trial, outage = tried(failover, pair)
            trials.append(trial)
            outages.append(outage)
            print(table(trial), flush=True)
        where = origin(image, system, sites[0], began)
        where = replace(where, site=" and ".join(path.name for path in sites))
        report = reported(pair, where, trials, outages, cuts)
        for path in save(report, one.site, dist, other.site):
            print(path)
        if keep:
            print(parties(one), flush=True)
            one.appliance.machine.console.hand_over()
    return report.holds


def reported(
    pair: Pair,
    origin: Origin,
    trials: Iterable[Trial],
    outages: Iterable[Outage] = (),
    cuts: tuple[str, ...] = (),
) -> Report:
    """What is reported of both boxes. What is of one of them has its name in front."""
    wires = {
        f"{lab.name}: {name}": cable.frames()
        for lab in pair.labs
        for name, cable in lab.internet.cables.items()
    }
    span = Span.of(wires.values())
    return Report(
        origin,
        tuple(pair.one.progress.stages),
        tuple(trials),
        tuple(traffic(name, frames, span) for name, frames in wires.items()),
        None,
        cuts,
        tuple(pair.one.progress.moments),
        tuple(
            replace(one, peer=f"{lab.name}: {one.peer}")
            for lab in pair.labs
            for one in hearings(lab.internet)
        ),
        tuple(
            replace(one, peer=f"{lab.name}: {one.peer}")
            for lab in pair.labs
            for one in lab.refusals
        ),
        tuple(outages),
    )
