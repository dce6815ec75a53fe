"""Brings a message to a server that a site names: by SMTP, or as a POST to a webhook.

It leaves from the router's address, by the way that the box's own packets take. If nothing answers
there, it leaves by the management port, which has a routing table of its own. Either is encrypted,
and goes to nobody whose certificate is not right.
"""

import hashlib
import http.client
import json
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from ipaddress import ip_address
from urllib.parse import urlsplit

from firstboot.box.alarms.letter import Letter, Undelivered, Unreachable, Way
from firstboot.box.system import System
from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.alarms import Destination
from firstboot.site.model import PortRole, Site

PATIENCE = 15.0
"""Seconds for each answer of a server."""

ADDRESSES = 4
"""Addresses of a name that are tried."""

SMTPS = 465
"""The port on which TLS comes first (RFC 8314); on others, STARTTLS does (RFC 3207)."""

LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers for a site, on a system. `trust` is a file with certificates of authorities, in
    place of those that the base trusts."""

    site: Site
    system: System
    addresses: dict[str, tuple[str, ...]]
    """Where names led to when they were resolved last. It is kept up to date."""

    trust: str | None = None

    def deliver(self, letter: Letter, to: Destination, ways: Sequence[Way] = tuple(Way)) -> Way:
        """By the first of `ways` on which something answers. Raises Undelivered."""
        unreachable: list[str] = []
        for way in ways:
            try:
                self._deliver(letter, to, way)
            except Unreachable as error:
                unreachable.append(f"{way.value}: {error}")
            except (OSError, smtplib.SMTPException, http.client.HTTPException) as error:
                raise Undelivered(_reason(error)) from error
            else:
                return way
        raise Unreachable("; ".join(unreachable))

    def _deliver(self, letter: Letter, to: Destination, way: Way) -> None:
        sock = self._connect(to, way)
        with sock:
            if to.channel == "mail":
                self._mail(letter, to, sock)
            else:
                self._post(letter, to, sock)

    def sources(self, way: Way) -> tuple[Address, ...]:
        if way is Way.ROUTER:
            return tuple(allot(self.site).router)
        managing = (port for port in self.site.ports if port.role is PortRole.MANAGEMENT)
        return tuple(face.ip for port in managing for face in port.addresses)

    def _connect(self, to: Destination, way: Way) -> socket.socket:
        """Raises Unreachable."""
        by_version = {source.version: source for source in reversed(self.sources(way))}
        if not by_version:
            raise Unreachable("the site has no such port")
        reason = "it has no address of a family that the box has there"
        for address in self._resolved(to):
            source = by_version.get(address.version)
            if source is None:
                continue
            family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(PATIENCE)
                if way is Way.MANAGEMENT:
                    self.system.by_management(sock)
                sock.bind((str(source), 0))
                sock.connect((str(address), to.port))
            except OSError as error:
                sock.close()
                reason = _reason(error)
                continue
            return sock
        raise Unreachable(reason)

    def _resolved(self, to: Destination) -> Iterator[Address]:
        if to.address is not None:
            yield to.address
            return
        try:
            found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
            names = tuple(dict.fromkeys(str(one[4][0]) for one in found))[:ADDRESSES]
            self.addresses[to.host] = names
        except (OSError, UnicodeError) as error:
            if to.host not in self.addresses:
                raise Unreachable(f"{to.host} does not resolve") from error
        yield from map(ip_address, self.addresses[to.host])

    def _context(self, to: Destination) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.trust)
        if to.certificate:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _encrypted(self, sock: socket.socket, to: Destination) -> ssl.SSLSocket:
        encrypted = self._context(to).wrap_socket(sock, server_hostname=to.host)
        _ensure_pinned(encrypted, to)
        return encrypted

    def _mail(self, letter: Letter, to: Destination, sock: socket.socket) -> None:
        mail = self.site.alarm.mail
        source = ip_address(sock.getsockname()[0])
        literal = f"[IPv6:{source}]" if source.version == 6 else f"[{source}]"
        if to.port == SMTPS:
            sock = self._encrypted(sock, to)
        with _Smtp(sock, to.host, literal) as smtp:
            if to.port != SMTPS:
                smtp.ehlo()
                if not smtp.has_extn("starttls"):
                    raise Undelivered("the relay offers no STARTTLS, and nothing is sent without")
                smtp.starttls(context=self._context(to))
                assert isinstance(smtp.sock, ssl.SSLSocket)
                _ensure_pinned(smtp.sock, to)
            if mail.user and mail.password:
                smtp.login(mail.user, mail.password)
            smtp.send_message(self._written(letter), mail.sender or mail.to[0], mail.to)

    def _written(self, letter: Letter) -> EmailMessage:
        mail = self.site.alarm.mail
        written = EmailMessage()
        written["From"] = mail.sender or mail.to[0]
        written["To"] = ", ".join(mail.to)
        written["Subject"] = letter.subject
        written["Date"] = formatdate(time.time())
        written["Auto-Submitted"] = "auto-generated"
        written.set_content(letter.text)
        return written

    def _post(self, letter: Letter, to: Destination, sock: socket.socket) -> None:
        url = urlsplit(self.site.alarm.webhook.url or "")
        place = (url.path or "/") + (f"?{url.query}" if url.query else "")
        posting = _Https(self._encrypted(sock, to), to)
        try:
            body = json.dumps(letter.document, ensure_ascii=True).encode()
            headers = {"Content-Type": "application/json", "User-Agent": "exitisp"}
            posting.request("POST", place, body, headers)
            answered = posting.getresponse()
            if not 200 <= answered.status < 300:
                raise Undelivered(_printable(f"it answers {answered.status} {answered.reason}"))
        finally:
            posting.close()


class _Smtp(smtplib.SMTP):
    """A session over a connection that is there."""

    def __init__(self, sock: socket.socket, host: str, name: str) -> None:
        self._connected = sock
        super().__init__(host, local_hostname=name, timeout=PATIENCE)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._connected


class _Https(http.client.HTTPConnection):
    """Requests over a connection that is there."""

    def __init__(self, sock: socket.socket, to: Destination) -> None:
        super().__init__(to.host, to.port, timeout=PATIENCE)
        self.default_port = http.client.HTTPS_PORT
        self.sock = sock


def _ensure_pinned(sock: ssl.SSLSocket, to: Destination) -> None:
    """Raises Undelivered for another certificate than the site names, if it names one."""
    if not to.certificate:
        return
    digest = hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()
    if digest != to.certificate.lower():
        raise Undelivered(f"its certificate is another one: {digest}")


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [f"{code} {_text(said)}" for code, said in error.recipients.values()]
        text = f"it takes no mail for some: {answers[0] if answers else ''}"
    elif isinstance(error, smtplib.SMTPResponseException):
        text = f"it answers {error.smtp_code} {_text(error.smtp_error)}"
    elif isinstance(error, ssl.SSLCertVerificationError):
        text = f"its certificate is not right: {error.verify_message}"
    elif isinstance(error, TimeoutError):
        text = f"no answer in {PATIENCE:g} s"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = str(error) or type(error).__name__
    return _printable(text)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:LONGEST_REASON]


def _text(said: bytes | str) -> str:
    return said.decode("ascii", "replace") if isinstance(said, bytes) else said
