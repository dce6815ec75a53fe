"""Measures how long images take from power-on to their prompt.

Seconds in emulation mean nothing by themselves. The ratio of two images does, if both were started
in turns on one host.
"""

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from qemu.console_patterns import CRASHES, LOGIN, text
from qemu.disk import Disk
from qemu.firmware import Firmware
from qemu.machine import Machine
from qemu.stages import LAST, STAGES, Stage, stages
from qemu.wire import Nic

WIZARD = text("Press Enter to begin")
READY = (LOGIN, WIZARD)

ROUNDS = 2

PORTS = 4
"""Network cards of the machine, as many as the example sites have ports."""

LONGEST = 600.0
"""Seconds that one start may take, far more than it needs on a busy host."""

STICK = 4 << 30
"""Bytes of the disk, which is larger than the image, as real disks are."""


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
    """Start each of `images` (by name) under each firmware, ROUNDS times in turns. Print a table,
    and write the figures as JSON to `output`. The others are compared with the first image.

    A start before those is not measured, since a first boot makes keys and file systems.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    starts = []
    for firmware in Firmware:
        with tempfile.TemporaryDirectory(prefix="starts-") as folder, ExitStack() as stack:
            machines = {
                name: stack.enter_context(machine(name, image, firmware, Path(folder)))
                for name, image in images.items()
            }
            for turn in range(ROUNDS):
                for name, one in machines.items():
                    print(f"{firmware.value}, {turn + 1} of {ROUNDS}: {name}", file=sys.stderr)
                    starts.append(Start(name, firmware, start(one)))
        print(table([one for one in starts if one.firmware is firmware], list(images)))
    output.write_text(json.dumps(facts(starts), indent=2) + "\n")


@contextmanager
def machine(name: str, image: Path, firmware: Firmware, folder: Path) -> Iterator[Machine]:
    """Yield a machine that was started once and is off."""
    disk = Disk(image, size=STICK)
    nics = [Nic(f"02:00:5e:10:05:{at:02x}") for at in range(PORTS)]
    made = Machine(disk, folder=folder, firmware=firmware, nics=nics, name=name)
    with made as running:
        print(f"{firmware.value}, the first start: {name}", file=sys.stderr)
        running.console.expect(*READY, timeout=LONGEST, failures=CRASHES)
        shut_down(running)
        yield running


def start(machine: Machine) -> tuple[Stage, ...]:
    """Start a machine that is off, shut it down, and return the stages of that start."""
    began = machine.console.transcript.text.stat().st_size
    machine.start()
    machine.console.expect(*READY, timeout=LONGEST, failures=CRASHES)
    shut_down(machine)
    text = machine.console.transcript.text.read_bytes()[began:].decode(errors="replace")
    return stages(text.splitlines(), READY)


def shut_down(machine: Machine) -> None:
    machine.press_power_button()
    machine.wait_until_off(LONGEST)
    machine.cut_power()


def best(starts: Sequence[Start], name: str) -> Start:
    """Return the shortest start, since disturbances only make one longer."""
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
    """Return a table: seconds of each stage of the best starts, their sums, and the ratios to the
    first image."""
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
