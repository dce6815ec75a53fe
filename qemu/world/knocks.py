"""Which TCP ports take connections, as somebody in the simulated Internet finds."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Party

KNOCK = Path(__file__).parent / "knock.py"

PATIENCE = 8.0
"""Seconds for an answer, with an emulated processor."""


@dataclass(frozen=True, slots=True)
class Door:
    """A TCP port of an address."""

    address: Address
    port: int

    def __str__(self) -> str:
        return f"{self.address} port {self.port}"


def answering(party: Party, doors: Iterable[Door]) -> set[Door]:
    """Those of `doors` that take a connection from `party`. One that refuses, and one that says
    nothing within PATIENCE seconds, is none of them. Each connection is closed at once."""
    words = (f"{one.address} {one.port}\n" for one in doors)
    said = party.run(sys.executable, KNOCK, str(PATIENCE), given="".join(words))
    found = (line.split() for line in said.splitlines())
    return {Door(ip_address(address), int(port)) for address, port in found}
