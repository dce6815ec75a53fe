"""Whom the simulated Internet's boxes tell of themselves: mail relays and web servers, at the host
`post` and behind management ports."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from firstboot.core.values import Address
from qemu.world.net import Daemon, Party
from qemu.world.rpki.certificates import builder

HOST = "post"
"""The host in the topology."""

ALARM_SERVER = Path(__file__).parent / "alarm_server.py"


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail or a POST that a server took, at a `time` in seconds since 1970. `text` has a mail's
    subject and body, or what was posted."""

    time: float
    channel: str
    source: Address
    text: str

    @property
    def lines(self) -> list[str]:
        """The sentences: of a mail its lines, of a document those of its text. Of what is no such
        document, the text as it is."""
        try:
            text = json.loads(self.text)["text"] if self.channel == "webhook" else self.text
            return str(text).splitlines()
        except (ValueError, LookupError, TypeError):
            return self.text.splitlines()


class Post:
    """The servers, one for each channel and port at a party. All have the same certificate."""

    def __init__(self) -> None:
        self._servers: dict[tuple[str, str, int], Daemon] = {}

    def serve(self, party: Party, channel: str, port: int) -> None:
        """Take what comes by `channel`, "mail" or "webhook", at all addresses of `party`."""
        known = (party.name, channel, port)
        if known in self._servers:
            return
        pem = party.world.folder / "post.pem"
        pem.touch(0o600)
        pem.write_bytes(_certificate()[0])
        self._servers[known] = daemon = party.start(
            f"{channel}-{port}", sys.executable, ALARM_SERVER, channel, str(port), pem
        )
        daemon.wait(f"the server for {channel}", lambda: "ready" in daemon.said())

    def taken(self) -> list[Taken]:
        """What all of them took so far, in order."""
        found = (one for server in self._servers.values() for one in taken(server.said()))
        return sorted(found, key=lambda one: one.time)


def taken(said: str) -> Iterator[Taken]:
    """Read what alarm_server.py prints. A line that is not whole yet is passed over."""
    for line in said.splitlines(keepends=True):
        if line.startswith("{") and line.endswith("\n"):
            one = json.loads(line)
            yield Taken(one["time"], one["channel"], ip_address(one["source"]), one["text"])


def pin() -> str:
    """The SHA-256 of the servers' certificate, in hexadecimal."""
    return _certificate()[1]


@cache
def _certificate() -> tuple[bytes, str]:
    """Key and certificate as PEM, and the SHA-256 of the latter. It is made once for this process
    and signs for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    made = builder(name, name, key.public_key()).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    digest = sha256(made.public_bytes(Encoding.DER)).hexdigest()
    return private + made.public_bytes(Encoding.PEM), digest
