"""An SSH public key, as a line of authorized_keys has it: RFC 4253, 5656, 8709, PROTOCOL.u2f."""

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from typing import Self

CURVES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
"""Bytes of an uncompressed point."""

_COMMENT = re.compile(r"[A-Za-z0-9@._+=:/()-]+( [A-Za-z0-9@._+=:/()-]+)*")
_TYPE = re.compile(r"[a-z][a-z0-9@.-]{2,60}")


@dataclass(frozen=True)
class SshKey:
    """Its kind as SSH names it, its strength in bits of the modulus or curve, its bytes."""

    kind: str
    bits: int
    blob: bytes
    comment: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError naming what was found in its place."""
        if "PRIVATE KEY" in text:
            raise ValueError("a private key, which is known to this file's readers from now on")
        kind, _, rest = text.partition(" ")
        encoded, _, comment = rest.partition(" ")
        if not _TYPE.fullmatch(kind) or not encoded:
            raise ValueError("no type and key with a space between, or options before them")
        if comment and not _COMMENT.fullmatch(comment):
            raise ValueError("a comment with more than letters, digits and @._+=:/()-")
        try:
            blob = base64.b64decode(encoded, validate=True)
            fields = _fields(blob)
        except (binascii.Error, ValueError):
            raise ValueError("a key that is cut off or mistyped") from None
        if not fields or fields[0] != kind.encode():
            raise ValueError("a key of another type than the line says")
        return cls(kind, _bits(kind, fields[1:]), blob, comment)


def _fields(blob: bytes) -> list[bytes]:
    """The strings that the key consists of, each after its length."""
    fields = []
    at = 0
    while at < len(blob):
        if len(blob) < at + 4:
            raise ValueError("cut off")
        (length,) = struct.unpack_from(">I", blob, at)
        at += 4 + length
        if at > len(blob):
            raise ValueError("cut off")
        fields.append(blob[at - length : at])
    return fields


def _bits(kind: str, fields: list[bytes]) -> int:
    lengths = [len(field) for field in fields]
    curve = kind.removeprefix("ecdsa-sha2-")
    if kind == "ssh-ed25519" and lengths == [32]:
        return 256
    if kind == "ssh-rsa" and len(fields) == 2:
        return int.from_bytes(fields[1], "big").bit_length()
    if kind == "ssh-dss" and len(fields) == 4:
        return int.from_bytes(fields[0], "big").bit_length()
    if curve in CURVES and lengths == [len(curve), CURVES[curve]] and fields[1][:1] == b"\4":
        return int(curve.removeprefix("nistp"))
    if kind == "sk-ssh-ed25519@openssh.com" and lengths[:1] == [32] and len(fields) == 2:
        return 256
    if kind == "sk-ecdsa-sha2-nistp256@openssh.com" and lengths[:2] == [8, 65]:
        return 256
    known = ("ssh-ed25519", "ssh-rsa", "ssh-dss", "ecdsa-sha2-", "sk-")
    if kind.startswith(known) and "-cert-" not in kind:
        raise ValueError("a key that is cut off or mistyped")
    raise ValueError("a key of a type that the box does not know")
