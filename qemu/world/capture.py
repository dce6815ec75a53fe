"""Record what arrives at a network device, or send a mark through one. Linux; needs CAP_NET_RAW.

    capture.py DEVICE FILE
    capture.py --mark DEVICE TEXT

The file is libpcap's (draft-ietf-opsawg-pcap): Ethernet frames that arrived, none that were sent.
It is run by itself inside a namespace, so it imports nothing of ours.
"""

import socket
import struct
import sys
import time

EVERYTHING = 0x0003
"""ETH_P_ALL of linux/if_ether.h."""

MARK = 0x88B5
"""Ethertype for local experiments (IEEE 802, 9.2.3)."""

SNAP = 65535


def capture(device: str, path: str) -> None:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind((device, EVERYTHING))
    with open(path, "wb", buffering=0) as file:  # noqa: PTH123
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAP, 1))
        print("capturing", flush=True)
        while True:
            try:
                data, address = sock.recvfrom(SNAP)
            except OSError:  # the device is down, or gone
                continue
            if address[2] != socket.PACKET_OUTGOING:  # type: ignore[attr-defined, unused-ignore]
                seconds, rest = divmod(time.time_ns(), 10**9)
                head = struct.pack("<IIII", seconds, rest // 1000, len(data), len(data))
                file.write(head + data)


def mark(device: str, text: str) -> None:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((device, MARK))
    header = b"\xff" * 6 + sock.getsockname()[4] + struct.pack("!H", MARK)
    sock.send(header + text.encode().ljust(46, b"\0"))


if __name__ == "__main__":
    mark(*sys.argv[2:]) if sys.argv[1] == "--mark" else capture(*sys.argv[1:])
