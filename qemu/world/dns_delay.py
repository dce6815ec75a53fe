"""Answer questions in UDP as another server does, but later. It imports nothing of ours.

    dns_delay.py SECONDS SERVER ADDRESS...

Whatever comes to port 53 of an ADDRESS is asked of port 53 of SERVER after so many seconds.
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
