"""BIRD, asked what a route's origin is by what rpki-client wrote for it (RFC 6811)."""

from ipaddress import IPv4Network
from pathlib import Path

from firstboot.core.values import Network
from qemu.world.net import Party, need

STATES = {"ROA_VALID": "valid", "ROA_INVALID": "invalid", "ROA_UNKNOWN": "unknown"}


class OriginStates:
    """BIRD at `party` with `validated`, a file of rpki-client. Raises Unable without BIRD."""

    def __init__(self, party: Party, folder: Path, validated: str) -> None:
        need("bird", "bird2")
        config = folder / "origins.conf"
        config.write_text(f"router id 192.0.2.1;\n{validated}\nprotocol device {{}}\n")
        self._party, self._socket = party, f"/run/bird.{party.name}.origins"
        daemon = party.start("origins", "bird", "-f", "-c", config, "-s", self._socket)
        daemon.wait("BIRD", lambda: "Daemon is up and running" in self._said("show", "status"))

    def of(self, prefix: Network, origin: int) -> str:
        table = "ROAS4" if isinstance(prefix, IPv4Network) else "ROAS6"
        question = f"roa_check({table}, {prefix}, {origin})"
        found = [
            state
            for name, state in STATES.items()
            if self._said("eval", f"{question} = {name}").split()[-1] == "TRUE"
        ]
        assert len(found) == 1, self._said("eval", question)
        return found[0]

    def _said(self, *words: str) -> str:
        return self._party.run("birdc", "-s", self._socket, " ".join(words), check=False)
