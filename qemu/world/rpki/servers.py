"""Where the simulated Internet's RPKI is fetched from: rsync(1) in daemon mode, and HTTPS."""

import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Party, need
from qemu.world.rpki.certificates import SERVER
from qemu.world.rpki.repository import MODULE, RRDP

HTTPS_SERVER = Path(__file__).parent / "https_server.py"


@dataclass(frozen=True)
class Fetched:
    """Something that somebody asked the HTTPS server for."""

    source: Address
    path: str


class Repository:
    """Both servers of the repository in `folder`, at all addresses of a party. Raises Unable
    without rsync."""

    def __init__(self, party: Party, folder: Path) -> None:
        need("rsync", "rsync")
        config = party.world.folder / "rsyncd.conf"
        config.write_text(
            f"use chroot = no\nlog file = /dev/stdout\n[{MODULE}]\n"
            f"  path = {folder / MODULE}\n  read only = yes\n  uid = 0\n  gid = 0\n"
        )
        self.rsync = party.start("rsync", "rsync", "--daemon", "--no-detach", "--config", config)
        self._https = party.start(
            "https", sys.executable, HTTPS_SERVER, folder / RRDP, folder / SERVER
        )
        self._https.wait("the HTTPS server", lambda: "ready" in self._https.said())
        self.rsync.wait("the rsync server", lambda: "listening" in self.rsync.said())

    def fetched(self) -> list[Fetched]:
        """What was fetched by HTTPS so far, in order."""
        lines = [line.split(" ") for line in self._https.said().splitlines() if " /" in line]
        return [Fetched(ip_address(source), path) for source, path in lines]
