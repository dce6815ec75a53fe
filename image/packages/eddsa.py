"""Ed25519 as pkg(8) writes it: as libecc does, in the coordinates of a Weierstrass curve.

A public key is DER, a sequence of ``pkg``, 1, ``ecc``, ``WEI25519``, true and a bit string: the
byte 4 and the affine coordinates x and y of the point on Wei25519, 32 bytes each, big-endian. A
signature is a DER sequence of two integers, which are the two halves of the signature of RFC 8032
read as big-endian numbers. Sources: libpkg's pkgsign_ecc.c; draft-ietf-lwig-curve-representations,
appendix D.2, for the way from one curve to the other.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

P = 2**255 - 19
A = 486662
"""Of Curve25519, v^2 = u^3 + Au^2 + u (RFC 7748)."""

ROOT = 0x70D9120B9F5FF9442D84F723FC03B0813A5E2C2EB482E57D3391FB5500BA81E7
"""A square root of -(A + 2), which takes Curve25519's points to Ed25519's."""

HEAD = bytes.fromhex("305e0c03706b670201010c036563630c0857454932353531390101ff03420004")
"""What every public key begins with."""


def public_key(der: bytes) -> Ed25519PublicKey:
    """Read a public key. Raises ValueError if it is none."""
    x, y = int.from_bytes(der[-64:-32]), int.from_bytes(der[-32:])
    if len(der) != len(HEAD) + 64 or not der.startswith(HEAD) or max(x, y) >= P:
        raise ValueError("it is no key of pkg's on WEI25519")
    u = (x - A * _inverse(3)) % P
    if (u * u * u + A * u * u + u - y * y) % P or 0 in (y, u, (u + 1) % P):
        raise ValueError("it is no point of the curve, or one of small order")
    across = ROOT * u * _inverse(y) % P
    up = (u - 1) * _inverse(u + 1) % P
    return Ed25519PublicKey.from_public_bytes((up | (across & 1) << 255).to_bytes(32, "little"))


def signature(der: bytes) -> bytes:
    """The 64 bytes of RFC 8032 in a signature of pkg's. Raises ValueError if it is none."""
    r, s = decode_dss_signature(der)
    if max(r, s) >> 256 or min(r, s) < 0:
        raise ValueError("it is no signature of Ed25519")
    return r.to_bytes(32) + s.to_bytes(32)


def _inverse(number: int) -> int:
    return pow(number, -1, P)
