"""Asks addresses again and again whether they are there (ICMP echo: RFC 792; RFC 4443, 4.1).

    echo_requests.py SECONDS ADDRESS...

Every SECONDS it prints `sent NUMBER TIME` and sends each ADDRESS a request. For each answer,
however late, it prints `answer NUMBER ADDRESS`. NUMBER counts from 0 on, TIME is in seconds since
1970. This file runs as a program of its own, so it imports nothing of this project.
"""

import contextlib
import os
import select
import socket
import struct
import sys
import time

REQUEST4, ANSWER4, REQUEST6, ANSWER6 = 8, 0, 128, 129


def request(kind: int, number: int) -> bytes:
    """An echo request, with its checksum (RFC 1071). The kernel makes that of ICMPv6 itself."""
    message = struct.pack("!BBHHH", kind, 0, 0, os.getpid() & 0xFFFF, number & 0xFFFF)
    total = sum(struct.unpack("!4H", message))
    total = (total & 0xFFFF) + (total >> 16)
    return message[:2] + struct.pack("!H", 0xFFFF - total) + message[4:]


def answered(message: bytes) -> int | None:
    """The number of the request that an ICMP message answers; None for other messages."""
    kind, _, _, who, number = struct.unpack_from("!BBHHH", message)
    ours = kind in (ANSWER4, ANSWER6) and who == os.getpid() & 0xFFFF
    return number if ours else None


def main(seconds: float, *addresses: str) -> None:
    four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    requests = {four: REQUEST4, six: REQUEST6}
    begun, number = time.monotonic(), 0
    while True:
        print("sent", number, f"{time.time():.3f}", flush=True)
        for address in addresses:
            sock = six if ":" in address else four
            with contextlib.suppress(OSError):  # no route for the moment
                sock.sendto(request(requests[sock], number), (address, 0))
        number += 1
        while (left := begun + number * seconds - time.monotonic()) > 0:
            for sock in select.select([four, six], [], [], left)[0]:
                data, sender = sock.recvfrom(65535)
                message = data[(data[0] & 15) * 4 :] if sock is four else data
                if len(message) >= 8 and (said := answered(message)) is not None:
                    print("answer", said, sender[0], flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
