"""Where programs look for the certificates of authorities: /etc/ssl.

A base system has the certificates in /usr/share/certs. certctl(8) makes of them, when the system is
installed, a file for each in /etc/ssl/certs and /etc/ssl/untrusted, and one of all that are
trusted, /etc/ssl/cert.pem. base.txz has these files, packages of the base do not. A file is named
after the hash of the certificate's subject, which is that of X509_NAME_hash(3) of OpenSSL.
"""

import base64
import binascii
import hashlib
import re
import ssl
from collections.abc import Iterator
from typing import NamedTuple

from firstboot.core.refusal import Refusal
from image.tree import Kind, Tree, directory, file, parents

SOURCES = "usr/share/certs"
PLACES = {"trusted": "etc/ssl/certs", "untrusted": "etc/ssl/untrusted"}
BUNDLE = "etc/ssl/cert.pem"

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")

_TEXTS = {
    12: "utf-8",
    19: "ascii",
    20: "latin-1",
    22: "ascii",
    26: "ascii",
    28: "utf-32-be",
    30: "utf-16-be",
}
"""The encodings of ASN.1's types of texts, by tag (X.680)."""

UTF8, SEQUENCE, SET, VERSION = 12, 0x30, 0x31, 0xA0
"""Tags."""


def plant(tree: Tree) -> None:
    """Make in `tree` what certctl(8) makes. The new files are as old as the youngest certificate.
    Raises Refusal for a certificate that cannot be read."""
    untrusted = _certificates(tree, f"{SOURCES}/untrusted")
    trusted = {
        der: time
        for der, time in _certificates(tree, f"{SOURCES}/trusted").items()
        if der not in untrusted
    }
    time = max((*trusted.values(), *untrusted.values()), default=0)
    for kind, found in (("trusted", trusted), ("untrusted", untrusted)):
        counts: dict[str, int] = {}
        for der in sorted(found):
            name = subject_hash(der)
            counts[name] = counts.get(name, -1) + 1
            _put(tree, f"{PLACES[kind]}/{name}.{counts[name]}", _pem(der), time)
    if trusted:
        ordered = sorted(trusted, key=lambda der: (subject_hash(der), der))
        _put(tree, BUNDLE, b"".join(map(_pem, ordered)), time)


def subject_hash(der: bytes) -> str:
    """Return the hash of a certificate's subject, in hexadecimal, as `openssl x509 -hash` prints
    it. Raises ValueError for what is no certificate."""
    try:
        (_, certificate), *_ = _items(der)
        (_, signed), *_ = _items(certificate)
        fields = [one for one in _items(signed) if one.tag != VERSION]
        _serial, _algorithm, _issuer, _validity, subject, *_ = fields
        canonical = b"".join(
            _item(SET, b"".join(sorted(_canonical(part) for _, part in _items(value))))
            for _, value in _items(subject.value)
        )
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"a certificate: {error}") from error
    digest = hashlib.sha1(canonical, usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}"


def _canonical(attribute: bytes) -> bytes:
    """Return a type and value of a name with its text as UTF-8, in small letters, without blanks
    at the ends and with one blank for several."""
    kind, text = _items(attribute)
    if text.tag in _TEXTS:
        decoded = text.value.decode(_TEXTS[text.tag]).encode()
        text = _Item(UTF8, b" ".join(decoded.split()).lower())
    return _item(SEQUENCE, _item(*kind) + _item(*text))


class _Item(NamedTuple):
    """A value of DER (X.690)."""

    tag: int
    value: bytes


def _items(data: bytes) -> Iterator[_Item]:
    """Yield the values that follow one another in `data`."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size])
            at += size
        if at + length > len(data):
            raise IndexError("it ends early")
        yield _Item(tag, data[at : at + length])
        at += length


def _item(tag: int, value: bytes) -> bytes:
    length = len(value)
    if length < 0x80:
        return bytes((tag, length)) + value
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size) + value


def _certificates(tree: Tree, folder: str) -> dict[bytes, int]:
    """Return the certificates in the files of `folder` (DER), each with the time of its file."""
    found = {}
    for path in sorted(tree.below(folder)) if folder in tree else ():
        entry = tree[path]
        if entry.kind is not Kind.FILE:
            continue
        for text in _PEM.findall(entry.content.read()):
            try:
                der = base64.b64decode(b"".join(text.split()), validate=True)
                subject_hash(der)
            except (ValueError, binascii.Error) as error:
                raise Refusal(
                    f"/{path}",
                    "a certificate in it cannot be read",
                    "Fetch the base system again",
                ) from error
            found[der] = entry.mtime
    return found


def _pem(der: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(der).encode()


def _put(tree: Tree, path: str, data: bytes, time: int) -> None:
    for above in parents(path):
        if above not in tree:
            tree[above] = directory(mtime=time)
    tree[path] = file(data, 0o444, mtime=time)
