"""Judges what servers of the simulated Internet took of what the appliance tells of itself."""

from collections.abc import Collection, Mapping, Sequence

from firstboot.box.alarms.letter import Way
from firstboot.core.values import Address
from qemu.lab.checks import Verdict, judged, several
from qemu.lab.literals import literals
from qemu.world.post import Taken


def alarmed(
    printed: str,
    taken: Sequence[Taken],
    sources: Mapping[tuple[str, Way], Collection[Address]],
    own: Collection[Address],
) -> Verdict:
    """Judge a test of the alarms. `printed` is what the command said of it, `taken` what came of
    it, and `sources` has for each channel and each way by which it may be told the addresses that
    it is to come from. No text may have another address than `own`."""
    faults, told = [], []
    for (channel, way), expected in sources.items():
        name = f"{channel} {way.value}"
        lines = [
            line for line in printed.splitlines() if line.startswith(f"{channel}, {way.value}: ")
        ]
        if not any(line.endswith(" has taken it") for line in lines):
            faults.append(lines[0] if lines else f"the box says nothing of {name}")
        came = {one.source for one in taken if one.channel == channel and way.value in one.text}
        if not came:
            faults.append(f"no server took {name}")
        if strangers := came - set(expected):
            faults.append(f"{name} came from {several(strangers)}")
        told.append(f"{name}: {several(came)}")
    if not sources:
        faults.append("nobody is told")
    return judged("alarmed", [*faults, *_foreign(taken, own)], "; ".join(told))


def told_of(
    name: str,
    taken: Sequence[Taken],
    channels: Collection[str],
    own: Collection[Address],
    *,
    wrong: str,
    well: str,
    now: bool,
) -> Verdict:
    """Judge what was told of one thing last by each of `channels`: a sentence with `wrong` in it,
    or with `now` the one that it is `well` again, after the other one."""
    faults, told = [], []
    for channel in channels:
        lines = [line.strip() for one in taken if one.channel == channel for line in one.lines]
        said = [line for line in lines if wrong in line or _says_well(line, well)]
        if not said:
            faults.append(f"nothing of it came by {channel}")
        elif _says_well(said[-1], well) is not now:
            faults.append(f"by {channel}, the last word of it is: {said[-1]}")
        elif all(_says_well(line, well) for line in said):
            faults.append(f"by {channel}, nobody was told that it was wrong")
        else:
            told.append(f"{channel}: {said[-1]}")
    if not channels:
        faults.append("nobody is told")
    return judged(name, [*faults, *_foreign(taken, own)], "; ".join(told))


def _says_well(line: str, what: str) -> bool:
    return line.startswith("Well again, after ") and line.endswith(f": {what}")


def _foreign(taken: Sequence[Taken], own: Collection[Address]) -> list[str]:
    found = {(one.channel, address) for one in taken for address in literals(one.text) - set(own)}
    return [f"a text by {channel} has {address}" for channel, address in sorted(found, key=str)]
