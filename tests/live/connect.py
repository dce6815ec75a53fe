"""TCP connections between parties of a world: whether one comes about, from which address."""

from qemu.world.net import Party

LISTEN = """\
import socket, sys, time
found = []
for word in sys.argv[1:]:
    address, _, port = word.rpartition("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((address, int(port)))
    one.listen(64)
    found.append(one)
print("ready", flush=True)
time.sleep(86404)
"""

CALL = """\
import socket, sys
source, address, port, patience = sys.argv[1:]
try:
    where, whence = (address, int(port)), (source, 0) if source else None
    socket.create_connection(where, float(patience), whence).close()
    print("yes")
except OSError as error:
    print("no", error)
"""


def listen(party: Party, name: str, *places: str) -> None:
    """Have a process listen at `places`, each an address and a port with a slash between."""
    daemon = party.start(name, "python3", "-c", LISTEN, *places)
    daemon.wait(name, lambda: "ready" in daemon.said())


def reaches(
    party: Party, source: object, address: object, port: int, patience: float = 20.0
) -> bool:
    """Whether a connection from `source`, or from whatever the kernel takes, comes about."""
    words = map(str, (source, address, port, patience))
    said = party.run("python3", "-c", CALL, *words)
    print(*words, said)
    return said == "yes\n"


def misses(party: Party, source: object, address: object, port: int) -> bool:
    """Whether it does not, for two seconds."""
    return not reaches(party, source, address, port, 2.0)
