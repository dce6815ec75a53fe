"""Sites for a rehearsal: the examples, with network cards as Linux names them."""

from dataclasses import replace

from firstboot.site.model import Site
from tests.boot.test_rendered import example


def on_linux(name: str, relays: int = 2) -> Site:
    """Return the example `name` with the cards eth0, eth1 and so on, and a few relays."""
    site = example(name)
    found = dict.fromkeys(port.device for port in site.ports)
    devices = {device: f"eth{at}" for at, device in enumerate(found)}
    ports = tuple(replace(port, device=devices[port.device]) for port in site.ports)
    return replace(site, ports=ports, relays=replace(site.relays, count=relays))
