"""How long images take from power-on to their prompt: measured in turns, in one run on one machine.

Seconds in emulation mean nothing by themselves; the ratio of two images that took turns does.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qemu.disk import Disk
from qemu.firmware import Firmware
from qemu.machine import Machine
from qemu.signs import CRASHES, LOGIN, Sign, text
from qemu.stages import LAST, STAGES, Stage, stages

WIZARD = text("Press Enter to begin")
READY = (LOGIN, WIZARD)

ROUNDS = 3

LONGEST = 600.0
"""Seconds for one start; far more than it takes on a busy machine."""

STICK = 4 << 30
"""Bytes of the disk, which is larger than the image, as real ones are."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of an image."""

    image: str
    firmware: Firmware
    stages: tuple[Stage, ...]

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)


def measure(images: dict[str, Path], output: Path) -> None:
    """Start each of `images` (by name) under each firmware, ROUNDS times in turns; print a table
    and write the figures as JSON to `output`. The first one is what others are compared with."""
    output.parent.mkdir(parents=True, exist_ok=True)
    starts = []
    for turn in range(ROUNDS):
        for firmware in Firmware:
            for name, image in images.items():
                print(f"round {turn + 1} of {ROUNDS}: {name}, {firmware.value}", file=sys.stderr)
                starts.append(start(name, image, firmware))
    output.write_text(json.dumps(facts(starts), indent=2) + "\n")
    for firmware in Firmware:
        print(table([one for one in starts if one.firmware is firmware], list(images)))


def start(name: str, image: Path, firmware: Firmware, ready: Sequence[Sign] = READY) -> Start:
    """Switch a machine with `image` on, until its prompt is there."""
    with tempfile.TemporaryDirectory(prefix="start-") as folder:
        disk = Disk(image, size=STICK)
        with Machine(disk, folder=Path(folder), firmware=firmware, name="machine") as machine:
            machine.console.expect(*ready, timeout=LONGEST, failures=CRASHES)
            path = machine.console.transcript.text
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return Start(name, firmware, stages(lines, ready))


def best(starts: Sequence[Start], name: str) -> Start:
    """The shortest start: what disturbs a run only ever makes it longer."""
    return min((one for one in starts if one.image == name), key=lambda one: one.seconds)


def facts(starts: Sequence[Start]) -> list[dict[str, object]]:
    return [
        {
            "image": one.image,
            "firmware": one.firmware.value,
            "seconds": round(one.seconds, 1),
            "stages": {stage.name: stage.seconds for stage in one.stages},
        }
        for one in starts
    ]


def table(starts: Sequence[Start], names: Sequence[str]) -> str:
    """Seconds of each stage of the best starts, those of all, and the ratios to the first image."""
    shortest = [best(starts, name) for name in names]
    rows = [f"{starts[0].firmware.value:14}" + "".join(f"{name:>12}" for name in names)]
    for stage in (*(name for name, _ in STAGES), LAST):
        cells = ({one.name: one.seconds for one in start.stages}.get(stage) for start in shortest)
        rows.append(
            f"{stage:14}" + "".join(f"{'-' if one is None else f'{one:.1f}':>12}" for one in cells)
        )
    rows.append(f"{'all':14}" + "".join(f"{one.seconds:12.1f}" for one in shortest))
    against = shortest[0].seconds
    rows.append(f"{'ratio':14}" + "".join(f"{one.seconds / against:12.2f}" for one in shortest))
    spread = (sorted(one.seconds for one in starts if one.image == name) for name in names)
    rows.append(f"{'spread':14}" + "".join(f"{ones[-1] - ones[0]:12.1f}" for ones in spread))
    return "\n".join(rows) + "\n"
