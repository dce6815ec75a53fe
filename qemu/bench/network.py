"""Measures what the rendered configuration does to the speed of an exit ISP.

One appliance runs in the simulated Internet. Each of its parts is measured in turns, once as
rendered and once as a system without our configuration has it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from firstboot.site import profiles
from firstboot.site.profiles import By
from image.atomic_files import replace as write
from image.atomic_files import writing
from qemu import accelerator
from qemu.bench.circuits import circuits
from qemu.bench.contest import PLACE, played
from qemu.bench.feed import sizes
from qemu.bench.figures import Sample, Side, ratios, render_json, table
from qemu.bench.resolver import resolver
from qemu.bench.routes import routes
from qemu.bench.rules import rules
from qemu.disk import Disk
from qemu.lab.lab_site import on
from qemu.lab.progress import Progress
from qemu.lab.session import PROCESSORS, STICK, laboratory
from qemu.lab.systems import HARDENEDBSD
from qemu.machine import Machine

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "one-port-of-each.yaml"
"""This example has a LAN, from which packets are sent and the resolver is asked."""

SYSTEM = replace(HARDENEDBSD, memory=4096)
"""With memory, in MiB, for a whole table of routes."""

ROUNDS = 3
BOOT = 900.0
"""Seconds from power-on to a login, with an emulated processor on a busy host."""


def measure(image: Path, stock: Path, count: int, folder: Path, output: Path) -> None:
    """Measure an appliance with `image`. Print a table, and write all figures as JSON to `output`
    after each part.

    `stock` is an image without overlays, whose kernel is asked for its default settings. The
    transit announces `count` IPv4 routes. `folder` keeps consoles and captures. Raises Refusal,
    and whatever `laboratory` raises.
    """
    progress = Progress()
    samples: list[Sample] = []
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
    with progress.stage("the kernel's own settings"):
        own = own_settings(stock, folder)
    site = on(SYSTEM.card, EXAMPLE, relays=1)
    with laboratory(image, SYSTEM, site, folder, progress) as lab:
        lab.appliance.said(f"mkdir -m 700 {PLACE}")
        tuned = {name: lab.appliance.said(f"sysctl -n {name}") for name in own}
        settings = {Side.TUNED: tuned, Side.STOCK: own}
        for contest in (rules(lab), resolver(lab), circuits(lab, settings), routes(lab, count)):
            found = list(played(contest, ROUNDS, progress))
            print(table(ratios(found)), flush=True)
            samples += found
            write(output, render_json(machine(image, count, settings), samples).encode())
    print(table(ratios(samples)))
    print(f"{output}: all figures")


def own_settings(stock: Path, folder: Path) -> dict[str, str]:
    """Return the defaults, in the kernel of `stock`, of all settings that profiles change at run
    time."""
    names = [
        setting.name
        for profile in profiles.load_all(ROOT / "overlays").values()
        for setting in profile.value.settings
        if profile.value.driver is None and setting.by is By.SYSCTL
    ]
    disk = Disk(stock, size=STICK)
    with Machine(
        disk, folder=folder, memory=SYSTEM.memory, processors=PROCESSORS, name="stock"
    ) as machine:
        machine.console.login("root", timeout=BOOT)
        return {name: machine.console.run(f"sysctl -n {name}").text.strip() for name in names}


def machine(
    image: Path, count: int, settings: Mapping[Side, Mapping[str, str]]
) -> dict[str, object]:
    """Describe what was measured. `settings` has the kernel settings of each side."""
    return {
        "image": image.name,
        "accelerator": accelerator.best().name,
        "processors": PROCESSORS,
        "memory_mib": SYSTEM.memory,
        "routes": sizes(count),
        "settings": {side.value: dict(found) for side, found in settings.items()},
    }
