"""The site that a lab's appliance has: the example with two transits and an exchange, on QEMU's
network cards, with as many relays as an emulated processor can carry."""

from dataclasses import replace
from pathlib import Path

from firstboot import site as sites
from firstboot.site import Family, Site

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-transits-and-an-exchange.yaml"

RELAYS = 2


def on(devices: list[str]) -> Site:
    """The site with its ports in `devices`, in their order."""
    site = sites.load(EXAMPLE).value
    ports = (replace(port, device=device) for port, device in zip(site.ports, devices, strict=True))
    relays = replace(site.relays, count=RELAYS, bandwidth_mbit=None, family=Family())
    return replace(site, ports=tuple(ports), relays=relays)


SITE = on([f"vtnet{n}" for n in range(4)])
"""As the real image names QEMU's cards."""
