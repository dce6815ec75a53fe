"""A mail relay and a web server on the loopback, with certificates of an authority of their own."""

import datetime
import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from socketserver import BaseRequestHandler, StreamRequestHandler, ThreadingTCPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.77"
"""Where the servers are. All of 127/8 is this host's own."""


@dataclass(frozen=True)
class Authority:
    """`trust` is its certificate, `chain` the servers' key and certificate, `digest` the SHA-256 of
    the latter."""

    trust: Path
    chain: Path
    digest: str

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


def authority(folder: Path, host: str = HOST) -> Authority:
    """One that has signed a certificate for `host`."""
    ca, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test Authority")])
    now = datetime.datetime.now(datetime.UTC)

    def signed(subject: x509.Name, public: Any, extension: Any) -> x509.Certificate:
        made = x509.CertificateBuilder(
            issuer, subject, public, x509.random_serial_number(),
            now - datetime.timedelta(hours=1), now + datetime.timedelta(hours=1),
        )  # fmt: skip
        return made.add_extension(extension, critical=False).sign(ca, hashes.SHA256())

    root = signed(issuer, ca.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    leaf = signed(name, key.public_key(), names)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    trust, chain = folder / "ca.pem", folder / "chain.pem"
    trust.write_bytes(root.public_bytes(pem))
    chain.write_bytes(private + leaf.public_bytes(pem))
    der = leaf.public_bytes(serialization.Encoding.DER)
    return Authority(trust, chain, hashlib.sha256(der).hexdigest())


@dataclass
class Relay:
    """What a mail relay does, and what it got: the mails, the logins, where they came from."""

    of: Authority
    starttls: bool = True
    answer: str = "250 taken"
    mails: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    """Commands that came before TLS."""

    port: int = 0

    def handler(self) -> type[BaseRequestHandler]:
        relay = self

        class Session(StreamRequestHandler):
            def say(self, text: str) -> None:
                self.wfile.write(f"{text}\r\n".encode())

            def handle(self) -> None:
                relay.sources.append(self.client_address[0])
                self.say("220 relay ESMTP")
                encrypted = False
                while line := self.rfile.readline().decode().rstrip("\r\n"):
                    if not encrypted:
                        relay.clear.append(line)
                    verb = line.split()[0].upper()
                    if verb == "EHLO":
                        self.say("250-relay")
                        if relay.starttls and not encrypted:
                            self.say("250-STARTTLS")
                        self.say("250 AUTH PLAIN")
                    elif verb == "STARTTLS":
                        self.say("220 go on")
                        try:
                            self.request = relay.of.context.wrap_socket(
                                self.request, server_side=True
                            )
                        except ssl.SSLError:
                            return
                        self.rfile = self.request.makefile("rb")
                        self.wfile = self.request.makefile("wb", 0)
                        encrypted = True
                    elif verb == "AUTH":
                        relay.logins.append(line)
                        self.say("235 welcome")
                    elif verb == "DATA":
                        self.say("354 go on")
                        lines = []
                        while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                            lines.append(text)
                        if relay.answer.startswith("2"):
                            relay.mails.append("\n".join(lines))
                        self.say(relay.answer)
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        return Session


@dataclass
class Hook:
    """What a web server does, and what was posted to it."""

    of: Authority
    status: int = 200
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    port: int = 0

    def handler(self) -> type[BaseRequestHandler]:
        hook = self

        class Posting(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                hook.posts.append((self.path, self.rfile.read(length)))
                hook.sources.append(self.client_address[0])
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Posting


class _Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: object) -> None:
        """A client that does not trust the certificate hangs up."""


class _TlsServer(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """As above."""


@contextmanager
def running(server: Relay | Hook) -> Iterator[None]:
    listening: Any
    if isinstance(server, Hook):
        listening = _TlsServer((HOST, server.port), server.handler())
        listening.socket = server.of.context.wrap_socket(listening.socket, server_side=True)
    else:
        listening = _Server((HOST, server.port), server.handler())
    server.port = listening.server_address[1]
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
