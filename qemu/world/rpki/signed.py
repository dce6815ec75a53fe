"""Signed objects: CMS with one signer, whose certificate is inside (RFC 5652, 6488, 9589)."""

import hashlib
from datetime import datetime
from typing import Annotated

from cryptography import x509
from cryptography.hazmat.asn1 import (
    TLV,
    Explicit,
    Implicit,
    Null,
    SetOf,
    UTCTime,
    decode_der,
    encode_der,
    sequence,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from qemu.world.rpki.payloads import SHA256, whole

SIGNED_DATA = x509.ObjectIdentifier("1.2.840.113549.1.7.2")
CONTENT_TYPE = x509.ObjectIdentifier("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = x509.ObjectIdentifier("1.2.840.113549.1.9.4")
SIGNING_TIME = x509.ObjectIdentifier("1.2.840.113549.1.9.5")
RSA = x509.ObjectIdentifier("1.2.840.113549.1.1.1")


@sequence
class _Algorithm:
    algorithm: x509.ObjectIdentifier


@sequence
class _AlgorithmWithNull:
    algorithm: x509.ObjectIdentifier
    parameters: Null


@sequence
class _Attribute:
    kind: x509.ObjectIdentifier
    values: SetOf[TLV]


@sequence
class _Attributes:
    """A wrapper, since a set alone cannot be encoded: the signature covers the set."""

    attributes: SetOf[_Attribute]


@sequence
class _SignerInfo:
    version: int
    signer: Annotated[bytes, Implicit(0)]
    digest: _Algorithm
    attributes: Annotated[SetOf[_Attribute], Implicit(0)]
    algorithm: _AlgorithmWithNull
    signature: bytes


@sequence
class _Content:
    kind: x509.ObjectIdentifier
    content: Annotated[bytes, Explicit(0)]


@sequence
class _SignedData:
    version: int
    digests: SetOf[_Algorithm]
    content: _Content
    certificates: Annotated[SetOf[TLV], Implicit(0)]
    signers: SetOf[_SignerInfo]


@sequence
class _ContentInfo:
    kind: x509.ObjectIdentifier
    content: Annotated[_SignedData, Explicit(0)]


def sign(
    kind: x509.ObjectIdentifier,
    payload: bytes,
    certificate: x509.Certificate,
    key: RSAPrivateKey,
    moment: datetime,
) -> bytes:
    """A signed object with `payload`, signed at `moment` with the key of `certificate`, as DER."""
    digest = hashlib.sha256(payload).digest()
    attributes = SetOf(
        [
            _attribute(CONTENT_TYPE, encode_der(kind)),
            _attribute(MESSAGE_DIGEST, encode_der(digest)),
            _attribute(SIGNING_TIME, encode_der(UTCTime(whole(moment)))),
        ]
    )
    covered = encode_der(_Attributes(attributes=attributes))[2:]
    signature = key.sign(covered, padding.PKCS1v15(), hashes.SHA256())
    signer = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    info = _SignerInfo(
        version=3,
        signer=signer.digest,
        digest=_Algorithm(algorithm=SHA256),
        attributes=attributes,
        algorithm=_AlgorithmWithNull(algorithm=RSA, parameters=Null()),
        signature=signature,
    )
    data = _SignedData(
        version=3,
        digests=SetOf([_Algorithm(algorithm=SHA256)]),
        content=_Content(kind=kind, content=payload),
        certificates=SetOf([decode_der(TLV, certificate.public_bytes(Encoding.DER))]),
        signers=SetOf([info]),
    )
    return encode_der(_ContentInfo(kind=SIGNED_DATA, content=data))


def _attribute(kind: x509.ObjectIdentifier, value: bytes) -> _Attribute:
    return _Attribute(kind=kind, values=SetOf([decode_der(TLV, value)]))
