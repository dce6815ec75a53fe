"""Sites for a rehearsal: the examples, with network cards as Linux names them."""

from dataclasses import replace

from firstboot.site.model import Site
from tests.boot.test_rendered import example


def on_linux(name: str, relays: int = 2) -> Site:
    """Return the example `name` with the cards eth0, eth1 and so on, and a few relays."""
    site = example(name)
    found = dict.fromkeys(card for port in site.ports for card in port.cards)
    cards = {card: f"eth{at}" for at, card in enumerate(found)}
    ports = tuple(
        replace(
            port,
            device=cards.get(port.device, port.device),
            members=tuple(cards[member] for member in port.members),
        )
        for port in site.ports
    )
    return replace(site, ports=ports, relays=replace(site.relays, count=relays))
