"""Network cards of virtual machines, and what they are connected to."""

import tempfile
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType

from firstboot.core.refusal import Refusal

LONGEST_PATH = 107
"""Bytes of a unix socket's path: sun_path has 108 including the final zero, see unix(7)."""


@dataclass(frozen=True, slots=True)
class Plug:
    """One end of a wire: a unix datagram socket that carries one Ethernet frame per datagram.

    Whoever uses the end binds `local` and sends to `remote`. While nobody has bound `remote`,
    frames are lost, as on a cable with nothing at its other end. Either side may come and go.
    """

    local: Path
    remote: Path


class Wire:
    """A cable with the ends `a` and `b`. A context manager that removes the wire at the end.

    An end is the plug of a Nic, or a program binds its `local` socket. Raises Refusal if the path
    of the folder for temporary files is too long for a socket.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wire-")
        a, b = Path(self._folder.name, "a"), Path(self._folder.name, "b")
        if len(str(a).encode()) > LONGEST_PATH:
            self._folder.cleanup()
            raise Refusal(
                a,
                f"this path is longer than the {LONGEST_PATH} bytes that a socket's may have",
                "Set TMPDIR to a folder with a shorter path",
            )
        self.a = Plug(a, b)
        self.b = Plug(b, a)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """A network that QEMU makes between the virtual machine and this host.

    QEMU itself answers at `gateway`. A TCP connection to `port` of the host's 127.0.0.1 is
    forwarded to port 22 of `guest`, and the guest sees it come from `gateway`. The guest cannot
    open a connection to the host or to anything beyond.
    """

    network: IPv4Network
    gateway: IPv4Address
    guest: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card with the Ethernet address `mac`; `model` is QEMU's name for its kind.

    `plug` is what the card is connected to: one end of a wire, or the host. With None it is on a
    network of its own with QEMU's DHCP and DNS servers, which nothing leaves.
    """

    mac: str
    plug: Plug | HostNetwork | None = None
    model: str = "virtio-net-pci"
