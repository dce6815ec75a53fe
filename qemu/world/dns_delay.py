"""Answers DNS questions in UDP as another server does, but later.

    dns_delay.py SECONDS SERVER ADDRESS...

What comes to port 53 of an ADDRESS is passed to port 53 of SERVER after SECONDS. This file runs as
a program of its own, so it imports nothing of this project.
"""

import socket
import sys
import threading

LONGEST = 65535


def listen(seconds: float, server: str, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 53))

    def answer(question: bytes, asker: tuple[str, int]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(question, (server, 53))
            sock.sendto(asking.recv(LONGEST), asker)

    while True:
        question, asker = sock.recvfrom(LONGEST)
        threading.Timer(seconds, answer, (question, asker)).start()


if __name__ == "__main__":
    seconds, server, *addresses = sys.argv[1:]
    for address in addresses:
        threading.Thread(target=listen, args=(float(seconds), server, address)).start()
    print("ready", flush=True)
