"""Network cables between virtual machines, and the cards they are plugged into."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from firstboot.core.refusal import Refusal

LONGEST_PATH = 107
"""Bytes of a unix socket's path: sun_path has 108 with its zero, see unix(7)."""


@dataclass(frozen=True, slots=True)
class Plug:
    """One end of a wire: a unix datagram socket, an Ethernet frame a datagram.

    Whoever holds the end binds `local` and sends to `remote`. While nothing is bound to
    `remote`, frames are lost, as on a cable with nothing at the other end; either side may come
    and go.
    """

    local: Path
    remote: Path


class Wire:
    """A cable with two ends, `a` and `b`. A context manager: the wire is gone afterwards.

    An end goes into a Nic, or is held by a program that binds its `local` socket. Raises Refusal
    if the folder for temporary files has a path too long for a socket.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wire-")
        a, b = Path(self._folder.name, "a"), Path(self._folder.name, "b")
        if len(str(a).encode()) > LONGEST_PATH:
            self._folder.cleanup()
            raise Refusal(
                a,
                expected=f"a path of {LONGEST_PATH} bytes at most, for it is a socket's",
                found=str(len(str(a).encode())),
                remedy="set TMPDIR to a folder with a shorter path",
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
class Nic:
    """A network card with the address `mac`, plugged into one end of a wire; `model` is QEMU's name
    of it.

    Without a plug it is on a network of its own with QEMU's DHCP and DNS servers, from which
    nothing leaves the machine.
    """

    mac: str
    plug: Plug | None = None
    model: str = "virtio-net-pci"
