"""The device of a box that several wires lead to, and the switch in front of it."""

import json
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from firstboot.site.model import Port as SitePort
from qemu.wire import Plug, Wire
from qemu.world.net import Party

SWITCH = Path(__file__).parent / "switch.py"


class Switch:
    """The switch in front of the one device of `ports`, which are VLANs of it, or of a bundle.

    `cards` has a plug for each network card of the machine, by its name; `ends` the end of the wire
    to who is beside each port.
    """

    def __init__(
        self, name: str, party: Party, ports: Sequence[SitePort], stack: ExitStack
    ) -> None:
        first = ports[0]
        wires = {card: stack.enter_context(Wire()) for card in first.cards}
        beyond = [stack.enter_context(Wire()) for _ in ports]
        self._control = stack.enter_context(Wire()).a.local
        self._numbers = {card: number for number, card in enumerate(first.cards)}
        self.cards: Mapping[str, Plug] = {card: wire.a for card, wire in wires.items()}
        self.ends: Sequence[Plug] = [wire.b for wire in beyond]
        self.entries: Sequence[Path] = [wire.b.local for wire in wires.values()]
        """Where frames of the machine come in."""

        members = [_told(wire.b) for wire in wires.values()]
        legs = [[*_told(wire.a), port.vlan] for wire, port in zip(beyond, ports, strict=True)]
        kind = "bundle" if first.members else "card"
        told = (str(self._control), json.dumps(members), json.dumps(legs))
        daemon = party.start(f"{name}.switch", sys.executable, SWITCH, kind, *told)
        daemon.wait("switching", lambda: "ready" in daemon.said())

    def pull(self, card: str) -> None:
        """Lose every frame to and from this card from now on."""
        self._order("pull", card)

    def push(self, card: str) -> None:
        self._order("push", card)

    def _order(self, order: str, card: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(f"{order} {self._numbers[card]}".encode(), str(self._control))


def _told(plug: Plug) -> list[str]:
    return [str(plug.local), str(plug.remote)]
