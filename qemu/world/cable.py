"""Works on a wire inside a network namespace. Needs Linux, CAP_NET_RAW and CAP_NET_ADMIN.

    cable.py record DEVICE FILE
    cable.py join DEVICE FILE LOCAL REMOTE [VLAN]
    cable.py mark DEVICE TEXT
    cable.py plain DEVICE

`record` writes all frames that a device receives and sends into FILE. `join` connects the device
with the unix datagram socket that is bound to REMOTE, using LOCAL as its own (see
`qemu.wire.Plug`), and records what passes. With VLAN, frames have that tag (IEEE 802.1Q) on the
socket's side and none on the device's side. `mark` sends a frame that no protocol uses. `plain`
switches off checksum and segmentation offload, because no card would do that work.

FILE is a pcapng capture (draft-ietf-opsawg-pcapng) of Ethernet frames. A frame is flagged inbound
if it came out of the wire or the socket, otherwise outbound. This file runs as a program of its
own, so it imports nothing of this project.
"""

import contextlib
import ctypes
import fcntl
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

EVERYTHING = 0x0003
"""ETH_P_ALL of linux/if_ether.h."""

MARK = 0x88B5
"""Ethertype for local experiments (IEEE 802, 9.2.3)."""

TAGGED = 0x8100
LONGEST = 65535

PACKET, IGNORE_OUTGOING = 263, 23
"""SOL_PACKET of linux/socket.h, PACKET_IGNORE_OUTGOING of linux/if_packet.h."""

ETHTOOL = 0x8946
"""SIOCETHTOOL of linux/sockios.h."""

OFFLOADS = (0x17, 0x1F, 0x24)
"""ETHTOOL_STXCSUM, ETHTOOL_STSO and ETHTOOL_SGSO of linux/ethtool.h."""

INBOUND, OUTBOUND = 1, 2
"""The direction in the flags of an enhanced packet block."""


class Record:
    """A capture file, frames in their order."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("wb", buffering=0)  # noqa: SIM115 - as long as the process
        self._turn = threading.Lock()
        section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
        self._file.write(section + struct.pack("<IIHHII", 1, 20, 1, 0, LONGEST, 20))

    def add(self, frame: bytes, direction: int) -> None:
        padded = frame + bytes(-len(frame) % 4)
        length = 28 + len(padded) + 12 + 4
        with self._turn:
            high, low = divmod(time.time_ns() // 1000, 1 << 32)
            head = struct.pack("<IIIIIII", 6, length, 0, high, low, len(frame), len(frame))
            flags = struct.pack("<HHIHH", 2, 4, direction, 0, 0)
            self._file.write(head + padded + flags + struct.pack("<I", length))


def record(device: str, path: str) -> None:
    sock = _listen(device)
    kept = Record(path)
    print("ready", flush=True)
    while True:
        with contextlib.suppress(OSError):  # the device is down, or gone
            frame, address = sock.recvfrom(LONGEST)
            sent = address[2] == socket.PACKET_OUTGOING  # type: ignore[attr-defined, unused-ignore]
            kept.add(frame, OUTBOUND if sent else INBOUND)


def join(device: str, path: str, local: str, remote: str, vlan: str = "") -> None:
    sock = _listen(device)
    sock.setsockopt(PACKET, IGNORE_OUTGOING, 1)
    plug = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    plug.bind(local)
    kept = Record(path)
    tag = struct.pack("!HH", TAGGED, int(vlan)) if vlan else b""

    def come_in() -> None:
        while True:
            frame = plug.recv(LONGEST)
            kept.add(frame, INBOUND)
            kind = frame[12:14]
            if kind == struct.pack("!H", MARK) or (tag and not _tagged(frame, int(vlan))):
                continue
            with contextlib.suppress(OSError):
                sock.send(frame[:12] + frame[16:] if tag else frame)

    threading.Thread(target=come_in, daemon=True).start()
    print("ready", flush=True)
    while True:
        with contextlib.suppress(OSError):  # the device is down, or nobody holds the other end
            frame = sock.recv(LONGEST)
            frame = frame[:12] + tag + frame[12:]
            kept.add(frame, OUTBOUND)
            plug.sendto(frame, remote)


def mark(device: str, text: str) -> None:
    sock = _listen(device)
    header = b"\xff" * 6 + sock.getsockname()[4] + struct.pack("!H", MARK)
    sock.send(header + text.encode().ljust(46, b"\0"))


def plain(device: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for offload in OFFLOADS:
            off = ctypes.create_string_buffer(struct.pack("II", offload, 0))
            fcntl.ioctl(sock, ETHTOOL, struct.pack("16sP", device.encode(), ctypes.addressof(off)))


def _tagged(frame: bytes, vlan: int) -> bool:
    kind, tag = struct.unpack("!HH", frame[12:16])
    return bool(kind == TAGGED and tag & 0xFFF == vlan)


def _listen(device: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((device, EVERYTHING))
    return sock


ACTIONS: dict[str, Callable[..., None]] = {
    "record": record,
    "join": join,
    "mark": mark,
    "plain": plain,
}

if __name__ == "__main__":
    ACTIONS[sys.argv[1]](*sys.argv[2:])
