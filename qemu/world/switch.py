"""A switch in front of a device that several wires lead to: a bundle of cards, or VLANs of a card.

    switch.py bundle CONTROL MEMBERS WIRES
    switch.py card CONTROL MEMBERS WIRES

MEMBERS are the cards' ends and WIRES those of who is beyond, each a JSON list: a member is
`[LOCAL, REMOTE]`, a wire `[LOCAL, REMOTE, VLAN]`, where VLAN may be null. All are unix datagram
sockets, one Ethernet frame a datagram (see `qemu.wire.Plug`); the switch binds each LOCAL.

A frame from a card goes to the wire of its tag (IEEE 802.1Q), and to all of them if there is none
with that tag: whatever a machine sends is seen. A frame from a wire goes to one of the members. Of
those of a bundle the switch uses the ones that LACP has agreed on (IEEE 802.1AX-2020, 6.4): it is
an active partner that says once a second what it knows. Frames of LACP go nowhere else.

CONTROL is a socket, too, for `pull N` and `push N`: a member's cable, by its index. This file runs
as a program of its own, so it imports nothing of this project.
"""

import contextlib
import json
import selectors
import socket
import struct
import sys
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LONGEST = 65535
TAGGED = 0x8100
MARK = 0x88B5
"""Ethertype for local experiments (IEEE 802, 9.2.3), of `qemu.world.recording`."""

SLOW = 0x8809
LACP, VERSION = 1, 1
GROUP = bytes.fromhex("0180c2000002")
"""Slow protocols: ethertype, subtype and address (IEEE 802.3, 57A)."""

SYSTEM = bytes.fromhex("02005e10ff01")
PRIORITY, KEY = 0x8000, 1

ACTIVE, AGGREGATES, IN_SYNC, COLLECTS, DISTRIBUTES = 0x01, 0x04, 0x08, 0x10, 0x20
"""Bits of a state (6.4.2.3)."""

INFORMATION = struct.Struct("!H6sHHHB3x")
"""System priority and address, key, port priority, port and state of an actor or a partner, in
network byte order (6.4.2.3)."""

ACTOR, PARTNER, LENGTH = 1, 2, 2 + INFORMATION.size
COLLECTOR = bytes((3, 16)).ljust(16, b"\0")
WHOLE = 14 + 110
"""Bytes of the frame."""

EVERY = 1.0
"""Seconds between two LACP frames, as an actor with short time-outs wants them."""

LONG = 90.0
"""Seconds after which a partner that says nothing is no partner (6.4.4)."""


@dataclass
class Member:
    """One card: `heard` is when LACP was last heard from it, in time.monotonic(), and `partner`
    what it said of itself."""

    number: int
    socket: socket.socket
    remote: str
    pulled: bool = False
    heard: float = float("-inf")
    partner: bytes = field(default=bytes(INFORMATION.size))

    @property
    def state(self) -> int:
        return self.partner[14]

    def agreed(self, now: float) -> bool:
        """Whether frames may go to it in a bundle."""
        return now - self.heard < LONG and bool(self.state & IN_SYNC and self.state & COLLECTS)

    def hear(self, frame: bytes, now: float) -> None:
        """Take what an LACP frame says of who sent it."""
        if frame[14:18] == bytes((LACP, VERSION, ACTOR, LENGTH)):
            self.heard, self.partner = now, frame[18 : 18 + INFORMATION.size]

    def said(self, now: float) -> bytes:
        """The LACP frame that goes to it."""
        here = now - self.heard < LONG
        state = ACTIVE | AGGREGATES
        if here:
            state |= IN_SYNC
        if here and self.state & IN_SYNC:
            state |= COLLECTS | DISTRIBUTES
        actor = INFORMATION.pack(PRIORITY, SYSTEM, KEY, PRIORITY, self.number + 1, state)
        partner = self.partner if here else bytes(INFORMATION.size)
        source = SYSTEM[:5] + bytes((0x10 + self.number,))
        head = GROUP + source + struct.pack("!HBB", SLOW, LACP, VERSION)
        said = bytes((ACTOR, LENGTH)) + actor + bytes((PARTNER, LENGTH)) + partner
        return (head + said + COLLECTOR).ljust(WHOLE, b"\0")

    def send(self, frame: bytes) -> None:
        if not self.pulled:
            with contextlib.suppress(OSError):  # nobody holds the other end
                self.socket.sendto(frame, self.remote)


@dataclass
class Wire:
    """What is beyond the switch: the frames of one VLAN, or those without a tag."""

    socket: socket.socket
    remote: str
    vlan: int | None

    def send(self, frame: bytes) -> None:
        with contextlib.suppress(OSError):
            self.socket.sendto(frame, self.remote)


def vlan_of(frame: bytes) -> int | None:
    """The tag of a frame, or None. A priority tag (VLAN 0) is a tag that no wire has."""
    kind, tag = struct.unpack("!HH", frame[12:16].ljust(4, b"\0"))
    return tag & 0xFFF if kind == TAGGED else None


def beyond(frame: bytes, wires: Sequence[Wire]) -> Iterable[Wire]:
    """The wires that a frame from a card goes to."""
    if frame[12:14] == struct.pack("!H", MARK):
        return wires
    return [one for one in wires if one.vlan == vlan_of(frame)] or wires


def chosen(frame: bytes, usable: Sequence[Member]) -> Member | None:
    """The member that a frame from a wire goes to: always the same for the same conversation, as
    long as the same members are there."""
    # Addresses of Ethernet, and of IP with or without a tag.
    return usable[zlib.crc32(frame[:12] + frame[26:42]) % len(usable)] if usable else None


def run(control: str, members: Sequence[Member], wires: Sequence[Wire], *, bundle: bool) -> None:
    orders = _bound(control)
    waiting = selectors.DefaultSelector()
    for member in members:
        waiting.register(member.socket, selectors.EVENT_READ, member)
    for wire in wires:
        waiting.register(wire.socket, selectors.EVENT_READ, wire)
    waiting.register(orders, selectors.EVENT_READ, None)
    print("ready", flush=True)
    due = time.monotonic()
    while True:
        ready = waiting.select(max(due - time.monotonic(), 0.0))
        now = time.monotonic()
        for key, _ in ready:
            frame = key.fileobj.recv(LONGEST)  # type: ignore[union-attr]
            if isinstance(key.data, Wire):
                agreed = [one for one in members if not bundle or one.agreed(now)]
                if (to := chosen(frame, [one for one in agreed if not one.pulled])) is not None:
                    to.send(frame)
            elif key.data is None:
                order, number = frame.decode().split()
                members[int(number)].pulled = order == "pull"
            elif bundle and frame[12:14] == struct.pack("!H", SLOW):
                key.data.hear(frame, now)
            elif not key.data.pulled or frame[12:14] == struct.pack("!H", MARK):
                for there in beyond(frame, wires):
                    there.send(frame)
        if now >= due:
            due = now + EVERY
            for one in members if bundle else ():
                one.send(one.said(now))


def _bound(local: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(local)
    return sock


if __name__ == "__main__":
    run(
        sys.argv[2],
        [Member(at, _bound(one[0]), one[1]) for at, one in enumerate(json.loads(sys.argv[3]))],
        [Wire(_bound(one[0]), one[1], one[2]) for one in json.loads(sys.argv[4])],
        bundle=sys.argv[1] == "bundle",
    )
