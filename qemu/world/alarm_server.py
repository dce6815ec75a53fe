"""A program: takes what a box tells of itself, as a mail relay or as a web server.

    python alarm_server.py mail|webhook PORT PEM

PEM has the server's key and certificate. A mail relay wants STARTTLS (RFC 3207) before anything
else, at port 465 TLS at once (RFC 8314), and takes any account. A web server takes each POST, by
HTTPS. It listens on all addresses, and prints a line of JSON for each mail and each POST: `time` in
seconds since 1970, `channel`, `source`, and `text`, in which a mail's subject is the first line.
This file runs as a program of its own, so it imports nothing of this project.
"""

import email
import email.policy
import http.server
import json
import socket
import socketserver
import ssl
import sys
import time

SMTPS = 465

LARGEST = 1 << 20
"""Bytes of a mail or a POST."""


def tell(channel: str, source: str, text: str) -> None:
    """`source` may be an IPv4-mapped address (RFC 4291, 2.5.5.2)."""
    told = {"time": time.time(), "channel": channel, "source": source.removeprefix("::ffff:")}
    print(json.dumps(told | {"text": text}), flush=True)


class Relay(socketserver.StreamRequestHandler):
    """A session of SMTP (RFC 5321)."""

    server: "Server"
    secure = False

    def handle(self) -> None:
        if self.server.port == SMTPS:
            self.encrypt()
        self.say("220 post.example ESMTP")
        while line := self.rfile.readline(LARGEST):
            verb = line.decode(errors="replace").upper().split(maxsplit=1)[:1]
            if verb == ["QUIT"]:
                self.say("221 bye")
                break
            self.answer(verb[0] if verb else "")

    def answer(self, verb: str) -> None:
        if verb == "EHLO":
            offers = ["AUTH PLAIN"] if self.secure else ["STARTTLS"]
            for offer in ("post.example", *offers):
                self.say(f"250-{offer}")
            self.say("250 8BITMIME")
        elif verb == "STARTTLS" and not self.secure:
            self.say("220 go on")
            self.encrypt()
        elif not self.secure:
            self.say("530 Must issue a STARTTLS command first")
        elif verb == "AUTH":
            self.say("235 welcome")
        elif verb == "DATA":
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline(LARGEST)) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b"."))
            mail = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            told = f"{mail['subject']}\n{mail.get_content()}"
            tell("mail", self.client_address[0], told)
            self.say("250 taken")
        else:
            self.say("250 ok")

    def encrypt(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        self.rfile = self.request.makefile("rb")
        self.wfile = self.request.makefile("wb", 0)
        self.secure = True

    def say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class Hook(http.server.BaseHTTPRequestHandler):
    server: "Server"

    def setup(self) -> None:
        self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(size, LARGEST)).decode(errors="replace")
        tell("webhook", self.client_address[0], body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Server(socketserver.ThreadingTCPServer):
    """A server for IPv4 and IPv6. Each connection's handshake is in its own thread."""

    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, handler: type[Relay] | type[Hook], port: int, pem: str) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(pem)
        self.port = port
        super().__init__(("::", port), handler)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate ends the connection."""
        print("a connection failed", flush=True)


if __name__ == "__main__":
    channel, port, pem = sys.argv[1:]
    server = Server(Relay if channel == "mail" else Hook, int(port), pem)
    print("ready", flush=True)
    server.serve_forever()
