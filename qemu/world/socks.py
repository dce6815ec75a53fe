"""Talks to a Tor client, inside its namespace.

    socks.py fetch CONTROL HOST PORT [FINGERPRINT]
    socks.py hold CONTROL HOST PORT [FINGERPRINT]
    socks.py ask CONTROL COMMAND

`fetch` connects to HOST through Tor's SOCKS port (RFC 1928), leaving through the exit FINGERPRINT
if it is given, sends all of standard input, and prints what comes back until the other side closes.
`hold` prints `connected`, and goes on until standard input ends. `ask` prints the answer of Tor's
control socket to a command (control-spec). This file runs as a program of its own, so it imports
nothing of this project.
"""

import socket
import sys
import threading

SOCKS = ("127.0.0.1", 9050)


def ask(control: str, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(control)
        sock.sendall(f"AUTHENTICATE\r\n{command}\r\nQUIT\r\n".encode())
        said = b"".join(iter(lambda: sock.recv(1 << 16), b""))
    text = said.decode().replace("\r\n", "\n")
    wrong = [line for line in text.splitlines() if line.startswith(("4", "5")) and line[3:4] == " "]
    if wrong:
        sys.exit("\n".join(wrong))
    return text


def connect(control: str, host: str, port: str, fingerprint: str = "") -> socket.socket:
    ask(control, f"MAPADDRESS {host}={host}" + (f".{fingerprint}.exit" if fingerprint else ""))
    sock = socket.create_connection(SOCKS)
    sock.sendall(b"\x05\x01\x00")
    _exactly(sock, 2)
    name = host.encode()
    sock.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + int(port).to_bytes(2, "big"))
    _, reply, _, kind = _exactly(sock, 4)
    if reply:
        sys.exit(f"{host}: SOCKS reply {reply}")
    _exactly(sock, {1: 4, 4: 16}[kind] + 2)
    return sock


def fetch(*where: str) -> None:
    sock = connect(*where)
    sock.sendall(sys.stdin.buffer.read())
    _write_all(sock)


def hold(*where: str) -> None:
    sock = connect(*where)
    print("connected", flush=True)
    threading.Thread(target=_write_all, args=(sock,), daemon=True).start()
    for line in sys.stdin.buffer:
        sock.sendall(line)


def _write_all(sock: socket.socket) -> None:
    while data := sock.recv(1 << 16):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _exactly(sock: socket.socket, count: int) -> bytes:
    data = sock.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        sys.exit("Tor ended the connection")
    return data


if __name__ == "__main__":
    action, *rest = sys.argv[1:]
    if action == "ask":
        print(ask(*rest))
    else:
        {"fetch": fetch, "hold": hold}[action](*rest)
