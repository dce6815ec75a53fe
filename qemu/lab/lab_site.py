"""The site of the lab's appliance: the example with two transits and an exchange, on QEMU's network
cards, with as few relays as an emulated processor can run."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from firstboot.site import model as sites
from firstboot.site.model import Family, Site

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-transits-and-an-exchange.yaml"

RELAYS = 2


def on(devices: Iterable[str], example: Path = EXAMPLE, relays: int = RELAYS) -> Site:
    """Return the site of the file `example` with its ports on `devices`, in order, and that many
    `relays`."""
    site = sites.load(example).value
    ports = (replace(port, device=device) for port, device in zip(site.ports, devices, strict=True))
    few = replace(site.relays, count=relays, bandwidth_mbit=None, family=Family())
    return replace(site, ports=tuple(ports), relays=few)


SITE = on(f"vtnet{n}" for n in range(4))
"""On the real image's names for QEMU's cards."""
