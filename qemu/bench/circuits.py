"""Tor: a page through a relay of the appliance, with the settings of the kernel that profiles make,
against those that the kernel has by itself.

Only what sysctl(8) can change while the kernel runs takes turns; the loader's tunables stay.
"""

import time
from collections.abc import Mapping

from qemu.bench.contest import PLACE, Contest
from qemu.bench.figures import Measure, Side
from qemu.lab.session import Lab
from qemu.world.net import Failed

HOST = "www.good.example"
SIZE = 2 << 20
"""Bytes of the page."""

RATE = Measure("Tor: a page through a circuit", "kB a second")


def circuits(lab: Lab, settings: Mapping[Side, Mapping[str, str]]) -> Contest:
    """`settings` has the kernel's, by name, of each side."""
    box = lab.appliance
    for side, values in settings.items():
        for name, value in values.items():
            box.put(f"{PLACE}/{side.value}.sysctl.conf", f"{name}={value}", appending=True)

    def take(side: Side) -> None:
        box.said(f"sysctl -f {PLACE}/{side.value}.sysctl.conf")

    def look() -> Mapping[Measure, float]:
        client, relay = lab.internet.tor.client, lab.fingerprints[0]
        client.fetch(HOST, "/", relay)
        began = time.monotonic()
        page = client.fetch(HOST, f"/{SIZE}", relay)
        seconds = time.monotonic() - began
        if len(page) < SIZE:
            raise Failed(f"{len(page)} of {SIZE} bytes came")
        return {RATE: SIZE / 1000 / seconds}

    return Contest("Tor", take, look)
