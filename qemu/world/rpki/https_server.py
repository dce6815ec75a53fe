"""A program: serves the files of a folder by HTTPS.

    python https_server.py FOLDER PEM

PEM has the server's key and certificate. It listens on port 443 of all addresses and prints a line
for each request: `SOURCE PATH`. This file runs as a program of its own, so it imports nothing of
this project.
"""

import functools
import http.server
import socket
import ssl
import sys


class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def log_request(self, *_: object) -> None:
        print(self.client_address[0].removeprefix("::ffff:"), self.path, flush=True)


class Server(http.server.ThreadingHTTPServer):
    """A server for IPv4 and IPv6. Each connection's handshake is in its own thread."""

    address_family = socket.AF_INET6

    def __init__(self, folder: str, pem: str) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(pem)
        super().__init__(("::", 443), functools.partial(Files, directory=folder))

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        secured = self.context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return secured, address

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate ends the connection."""
        print("a connection failed", flush=True)


if __name__ == "__main__":
    server = Server(*sys.argv[1:])
    print("ready", flush=True)
    server.serve_forever()
