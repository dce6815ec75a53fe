"""The services of the web server's host: a page over HTTP, and an echo service (RFC 862).

    services.py

It listens on ports 80 and 443 of all addresses, and prints a line for each request: `http SOURCE
PATH` or `echo SOURCE`. If PATH is a number, the page has that many bytes. This file runs as a
program of its own, so it imports nothing of this project.
"""

import http.server
import socket
import socketserver
import threading

ECHO = 443
"""A port that every policy of a site but its own ones lets out. RFC 862 has port 7."""

PAGE = b"This page is far away.\n"


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        print("http", _plain(self.client_address[0]), self.path, flush=True)
        size = self.path[1:]
        page = bytes(int(size)) if size.isdecimal() else PAGE
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        print("echo", _plain(self.client_address[0]), flush=True)
        while data := self.request.recv(1 << 16):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    """A server for IPv4 and IPv6."""

    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def _plain(address: str) -> str:
    """Return an IPv4-mapped address (RFC 4291, 2.5.5.2) as IPv4, others unchanged."""
    return address.removeprefix("::ffff:")


if __name__ == "__main__":
    servers = [Server(("::", 80), Page), Server(("::", ECHO), Echo)]
    print("ready", flush=True)
    for server in servers:
        threading.Thread(target=server.serve_forever).start()
