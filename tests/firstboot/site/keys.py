"""Signing keys of relays, by nobody's master key: what they say is right, and no signature is."""

import time

from firstboot.site.signing_keys import SigningKeys

DAY = 24 * 3600


def certificate(identity: bytes, expires: float, *, extensions: bytes | None = None) -> bytes:
    """The body of a certificate (cert-spec, 2.1). `expires` is in seconds since 1970."""
    if extensions is None:
        extensions = bytes((1, 0, 32, 4, 0)) + identity
    hours = int(expires / 3600).to_bytes(4)
    return b"\1\4" + hours + b"\1" + b"s" * 32 + extensions + b"\xee" * 64


def signing_keys(relay: int, days: float = 180, identity: bytes | None = None) -> SigningKeys:
    own = bytes([relay]) * 32 if identity is None else identity
    body = certificate(own, time.time() + days * DAY + 3600)
    return SigningKeys(relay, bytes([relay]) * 64, body)
