"""The signing keys of relays whose master keys are kept at a desk, and the file that carries them.

Tor keeps a key in a file of 32 bytes that say what it is, filled up with zeros, and the key itself
(src/lib/crypt_ops/crypto_ed25519.c). `ed25519_signing_cert` has a certificate in which the master
key says that the signing key is its own, and until when (cert-spec, 2.1).

The file that carries them is text: a first line, for each relay a line with its name, its signing
key and its certificate in Base64, and a last line with the SHA-256 of all before.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

MAGIC = "exitisp-relay-keys 1"
LARGEST = 128 << 10
"""Bytes of a file with the keys of 256 relays, which have some 80 KB."""

MASTER, SECRET, CERTIFICATE = (
    f"== ed25519v1-{what} ==".encode().ljust(32, b"\0")
    for what in ("public: type0", "secret: type4", "cert: type4")
)
"""How a master key's public part, a signing key and its certificate begin."""

MASTER_FILE, SECRET_FILE, CERTIFICATE_FILE = (
    f"ed25519_{what}" for what in ("master_id_public_key", "signing_secret_key", "signing_cert")
)
"""Their names in the folder `keys` of a relay's DataDirectory."""

MASTER_SECRETS = ("ed25519_master_id_secret_key", "ed25519_master_id_secret_key_encrypted")
"""The names of a master key's secret part there, plain and encrypted with a passphrase."""

KEY, SECRET_KEY, SIGNATURE = 32, 64, 64
"""Bytes."""

LINE = re.compile(r"relay([1-9][0-9]{0,2}) ([A-Za-z0-9+/]{86}==) ([A-Za-z0-9+/]{1,1400}={0,2})")
END = re.compile(r"sha256 ([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Certificate:
    """The master key `identity` says that `signing` is its signing key until `expires`, in seconds
    since 1970. Whether it did is not known before Tor has seen the signature."""

    identity: bytes
    signing: bytes
    expires: int

    @property
    def fingerprint(self) -> str:
        """The identity as Tor writes it: Base64 without padding."""
        return base64.b64encode(self.identity).decode().rstrip("=")


@dataclass(frozen=True)
class SigningKeys:
    """What relay number `relay` needs to run without its master key."""

    relay: int
    secret: bytes
    certificate: bytes

    @cached_property
    def certified(self) -> Certificate:
        return parse_certificate(CERTIFICATE + self.certificate)

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files of Tor, by their names in the folder `keys`."""
        return {
            SECRET_FILE: SECRET + self.secret,
            CERTIFICATE_FILE: CERTIFICATE + self.certificate,
            MASTER_FILE: MASTER + self.certified.identity,
        }


def parse_certificate(data: bytes) -> Certificate:
    """What the file `ed25519_signing_cert` says. Raises ValueError if it is not one."""
    if not data.startswith(CERTIFICATE):
        raise ValueError("it does not begin as a certificate of a signing key")
    body = data[len(CERTIFICATE) :]
    if len(body) < 40 + SIGNATURE or body[0] != 1 or body[1] != 4 or body[6] != 1:
        raise ValueError("it is no certificate of the version and kind for signing keys")
    identity = None
    at = 40
    for _ in range(body[39]):
        # The signature is longer than a heading.
        length, kind, flags = int.from_bytes(body[at : at + 2]), *body[at + 2 : at + 4]
        content = body[at + 4 : at + 4 + length]
        at += 4 + length
        if at > len(body) - SIGNATURE:
            raise ValueError("it ends within an extension")
        if kind == 4:
            if identity is not None or length != KEY:
                raise ValueError("it does not name one master key")
            identity = content
        elif flags & 1:
            raise ValueError("it has an extension that is not known and may not be ignored")
    if at != len(body) - SIGNATURE:
        raise ValueError("it does not end with its signature")
    if identity is None:
        raise ValueError("it does not name its master key")
    return Certificate(identity, body[7:39], int.from_bytes(body[2:6]) * 3600)


def compose(keys: Iterable[SigningKeys]) -> bytes:
    """The file that carries `keys`."""
    lines = [MAGIC]
    for one in keys:
        secret, certificate = (base64.b64encode(x).decode() for x in (one.secret, one.certificate))
        lines.append(f"relay{one.relay} {secret} {certificate}")
    text = "".join(f"{line}\n" for line in lines)
    return f"{text}sha256 {hashlib.sha256(text.encode()).hexdigest()}\n".encode()


def parse_carried(data: bytes) -> tuple[SigningKeys, ...]:
    """The keys that `compose` put into a file. Raises ValueError if it did not."""
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    # A terminal or a mail may have changed how lines end.
    text = data.decode("ascii", "replace").replace("\r\n", "\n")
    first, *lines = text.split("\n")
    if first != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC}")
    end = END.fullmatch(lines[-2]) if len(lines) > 1 and not lines[-1] else None
    if end is None:
        raise ValueError("its end is missing")
    content = text[: -len(lines[-2]) - 1]
    if hashlib.sha256(content.encode()).hexdigest() != end[1]:
        raise ValueError("it is not as it was written")
    found = tuple(map(_keys, lines[:-2]))
    if not found or len({one.relay for one in found}) < len(found):
        raise ValueError("it has no relay, or one twice")
    return found


def _keys(line: str) -> SigningKeys:
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError("it has a line that is no relay's")
    try:
        secret, certificate = (base64.b64decode(part, validate=True) for part in match.groups()[1:])
    except binascii.Error as error:
        raise ValueError(f"relay{match[1]}: its Base64 is damaged") from error
    found = SigningKeys(int(match[1]), secret, certificate)
    try:
        _ = found.certified
    except ValueError as error:
        raise ValueError(f"relay{match[1]}: {error}") from error
    return found
