"""The web server of the simulated Internet, and who connected to it."""

import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Party

SERVICES = Path(__file__).parent / "services.py"


@dataclass(frozen=True)
class Visit:
    """A connection that the server got. `service` is "http" or "echo"; `path` is that of HTTP."""

    service: str
    source: Address
    path: str = ""


class Web:
    def __init__(self, party: Party) -> None:
        self._daemon = party.start("services", sys.executable, SERVICES)
        self._daemon.wait("the web server", lambda: "ready" in self._daemon.said())

    def visits(self) -> list[Visit]:
        """Return all connections so far, in order."""
        lines = [line.split(" ") for line in self._daemon.said().splitlines() if " " in line]
        return [Visit(kind, ip_address(source), *path) for kind, source, *path in lines]
