"""Checksums as pkg(8) writes them into catalogues and manifests.

Three forms: ``1$`` and SHA-256 in hexadecimal; ``2$`` and BLAKE2b-512 in pkg's own base 32; and
SHA-256 in bare hexadecimal, in the catalogues of versions before 2.8. Source: libpkg's
pkg_checksum.c.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from typing import IO, Protocol

CHUNK = 1 << 20
"""Bytes hashed at a time."""

_ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"


class Hash(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class Kind(Enum):
    """A hash function; the value is pkg's number for it with its encoding."""

    SHA256 = "1"
    BLAKE2B = "2"

    def new(self) -> Hash:
        return hashlib.sha256() if self is Kind.SHA256 else hashlib.blake2b()


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file's bytes hash to."""

    kind: Kind
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> "Checksum":
        """Read any of the three forms. Raises ValueError naming what was expected."""
        number, dollar, rest = text.rpartition("$")
        if (number == "1" or not dollar) and re.fullmatch(r"[0-9a-f]{64}", rest):
            return cls(Kind.SHA256, bytes.fromhex(rest))
        if number == "2":
            return cls(Kind.BLAKE2B, _decode(rest, 64))
        raise ValueError("a checksum as pkg writes it: SHA-256, 1$SHA-256 or 2$BLAKE2")

    @classmethod
    def of(cls, kind: Kind, stream: IO[bytes] | bytes) -> "Checksum":
        """The checksum of all that `stream` still has."""
        source = BytesIO(stream) if isinstance(stream, bytes) else stream
        hashed = kind.new()
        while data := source.read(CHUNK):
            hashed.update(data)
        return cls(kind, hashed.digest())

    @classmethod
    def of_link(cls, kind: Kind, target: str) -> "Checksum":
        """The checksum of a symbolic link: that of its target, of which pkg, if it is absolute,
        drops the slash and includes the zero byte at the end."""
        data = target.encode("utf-8", "surrogateescape")
        return cls.of(kind, data[1:] + b"\0" if data.startswith(b"/") else data)

    def matches(self, stream: IO[bytes] | bytes) -> bool:
        """Whether all that `stream` still has is what this is the checksum of."""
        return Checksum.of(self.kind, stream) == self

    def __str__(self) -> str:
        """With pkg's number in front."""
        text = self.digest.hex() if self.kind is Kind.SHA256 else _encode(self.digest)
        return f"{self.kind.value}${text}"


def _encode(data: bytes) -> str:
    """Base 32 from the least significant bit on, in the alphabet of z-base-32."""
    number = int.from_bytes(data, "little")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(0, len(data) * 8, 5))


def _decode(text: str, length: int) -> bytes:
    wanted = f"a BLAKE2 checksum: {-(-length * 8 // 5)} characters of pkg's base 32"
    number = 0
    for place, char in enumerate(text):
        value = _ALPHABET.find(char)
        if value < 0 or place * 5 >= length * 8:
            raise ValueError(wanted)
        number |= value << place * 5
    if (len(text) - 1) * 5 < length * 8 - 5 or number >> length * 8:
        raise ValueError(wanted)
    return number.to_bytes(length, "little")
