"""What people do in the wizard besides answering: mistakes, steps back, pastes."""

from dataclasses import replace
from ipaddress import ip_address

from firstboot.core.values import Asn
from firstboot.site.model import Peer, PeerRole, Site
from qemu.lab.conversation import Turn, conversation

CONTROL_C = "\x03"
"""Control-C, as an answer. Enter after it answers the question whether to leave: no."""

MEMBERS = 40
"""The number of peers that are pasted."""


def trying(site: Site) -> tuple[list[Turn], Site]:
    """Return a conversation with refusals, explanations, steps back, Control-C, letters with
    accents and forty peers in one paste, and the site that it makes."""
    name, asn = site.operator.name, str(site.asn)
    turns = conversation(site)
    at = turns.index(("Name of the operator", name))
    turns[at:at] = [
        ("Name of the operator", "?"),
        ("Name of the operator", ""),
        ("Name of the operator", CONTROL_C),
        ("Name of the operator", 'Förening "Ausgang"'),
        ("Name of the operator", "Förening für Ausgänge"),
        ("Mail address for complaints", "abuse at example.org"),
        ("Mail address for complaints", "back"),
    ]
    at = turns.index(("Your AS number", asn))
    turns[at:at] = [
        ("Your AS number", "AS-ONE"),
        ("Your AS number", "back"),
        (f"Country whose law applies [{site.operator.jurisdiction}]", ""),
    ]
    at = turns.index(("add, paste, change N, remove N or done", "done"))
    turns[at:at] = [
        ("add, paste, change N", "paste"),
        *((f"{n:4}>", f"{p.name} {p.asn} peer {p.addresses[0]}") for n, p in enumerate(many(), 1)),
        (f"{MEMBERS + 1:4}>", ""),
        ("add, paste, change N", "list"),
    ]
    return turns, replace(site, peers=(*site.peers, *many()))


def many() -> list[Peer]:
    """Return members of the exchange in the examples."""
    return [
        Peer(f"member-{n}", Asn(196800 + n), PeerRole.PEER, (ip_address(f"203.0.113.{100 + n}"),))
        for n in range(1, MEMBERS + 1)
    ]
