"""What the web server's host offers: a page over HTTP, and whatever one sends, back (RFC 862). It
imports nothing of ours.

    services.py

It listens on ports 80 and 5222 of everything, and says who connected, a line each:
`http SOURCE PATH` or `echo SOURCE`. Where PATH is a number, the page has so many bytes.
"""

import http.server
import socket
import socketserver
import threading

ECHO = 5222
"""Of XMPP, which exits with the reduced policy let out; RFC 862 has 7."""

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
    """Of both families."""

    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def _plain(address: str) -> str:
    """An IPv4 address as itself (RFC 4291, 2.5.5.2)."""
    return address.removeprefix("::ffff:")


if __name__ == "__main__":
    servers = [Server(("::", 80), Page), Server(("::", ECHO), Echo)]
    print("ready", flush=True)
    for server in servers:
        threading.Thread(target=server.serve_forever).start()
