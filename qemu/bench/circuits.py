"""Tor: the speed of a page through a relay of the appliance, with the profiles' kernel settings and
with the kernel's own.

Only settings that sysctl(8) can change at run time are compared. The loader's tunables stay.
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
    """Return the contest. `settings` has the values of the kernel's settings by name for each
    side."""
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
            raise Failed(f"only {len(page)} of {SIZE} bytes of the page came")
        return {RATE: SIZE / 1000 / seconds}

    return Contest("Tor", take, look)
