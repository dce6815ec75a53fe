"""Records wires, in files that Wireshark and tcpdump read."""

import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from qemu.wire import Plug
from qemu.world.net import CABLE, Daemon, Port
from qemu.world.packets import MARK, Frame, Reader


class Recording:
    """The frames of one wire, from the first one on. `path` is a pcapng file, see cable.py."""

    def __init__(self, path: Path, daemon: Daemon) -> None:
        self.path = path
        self._daemon = daemon
        self._daemon.wait("recording", lambda: "ready" in self._daemon.said())
        self._reader = Reader(path)
        self._frames: list[Frame] = []
        self._marks: set[bytes] = set()
        self._last = 0

    def frames(self) -> list[Frame]:
        """Return all frames so far in both directions, without our own marks."""
        for frame in self._reader.more():
            if frame.ethertype == MARK:
                self._marks.add(frame.payload.rstrip(b"\0"))
            else:
                self._frames.append(frame)
        return list(self._frames)

    def inbound(self) -> list[Frame]:
        """Return the frames so far that came out of the wire."""
        return [frame for frame in self.frames() if frame.inbound]

    def _next_mark(self) -> str:
        self._last += 1
        return f"{self.path.stem} {self._last}"

    def _await(self, mark: str) -> None:
        def seen() -> bool:
            self.frames()
            return mark.encode() in self._marks

        self._daemon.wait("mark", seen)


class Capture(Recording):
    """Records what a port receives and sends from now on."""

    def __init__(self, port: Port) -> None:
        path = port.party.world.folder / f"{port.party.name}.{port.device}.pcapng"
        command = (sys.executable, CABLE, "record", port.device, path)
        super().__init__(path, port.party.start(f"{port.device}.capture", *command))

    def settle(self, sender: Port) -> list[Frame]:
        """Return all frames that `sender`, at the other end, has sent until now, and perhaps some
        later ones. It sends a mark after them and waits for it, since a wire keeps the order."""
        mark = self._next_mark()
        sender.party.run(sys.executable, CABLE, "mark", sender.device, mark)
        self._await(mark)
        return self.inbound()


class Cable(Recording):
    """A wire from a party's `port` to `plug`, whose other end is a virtual machine.

    Frames from the machine are inbound. On the machine's side frames have the tag `vlan`. Frames
    that the machine sends with another tag are recorded, and go nowhere.
    """

    def __init__(
        self,
        name: str,
        device: Port,
        port: Port,
        plug: Plug,
        vlan: int | None,
        entries: Sequence[Path] = (),
    ) -> None:
        """`device` is at the other end of the wire to `port`, in a party of its own. `entries` are
        the sockets at which the machine's frames come in, if there is a switch before `plug`."""
        self._device = device
        self._entries = entries or [plug.local]
        port.party.run(sys.executable, CABLE, "plain", port.device)
        path = port.party.world.folder / f"{name}.pcapng"
        tag = [] if vlan is None else [str(vlan)]
        command = (sys.executable, CABLE, "join", device.device, path)
        device.up()
        daemon = device.party.start(f"{name}.cable", *command, plug.local, plug.remote, *tag)
        super().__init__(path, daemon)

    def settle(self) -> list[Frame]:
        """Return all frames that the machine has sent until now, and perhaps some later ones."""
        for entry in self._entries:
            mark = self._next_mark()
            frame = bytes(12) + struct.pack("!H", MARK) + mark.encode().ljust(46, b"\0")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto(frame, str(entry))
            self._await(mark)
        return self.inbound()

    def unplug(self) -> None:
        """Lose every frame from now on. The party's port loses its carrier."""
        self._device.down()

    def plug(self) -> None:
        self._device.up()
