"""What signed objects say: ROAs (RFC 9582), ASPAs and manifests (RFC 9286), as DER."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.asn1 import (
    BitString,
    GeneralizedTime,
    IA5String,
    encode_der,
    sequence,
)

from firstboot.core.values import Network
from qemu.world.rpki.resources import FAMILIES, prefix_bits

ROA = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.24")
MANIFEST = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.26")
ASPA = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.49")
SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


@dataclass(frozen=True)
class Roa:
    """One prefix that an AS may announce, in parts of up to `max_length` bits."""

    origin: int
    prefix: Network
    max_length: int


@dataclass(frozen=True)
class Aspa:
    """The providers of an AS, in ascending order."""

    customer: int
    providers: tuple[int, ...]


@dataclass(frozen=True)
class Period:
    """From when to when something is valid. Both have a time zone."""

    since: datetime
    until: datetime


@sequence
class _RoaAddress:
    address: BitString
    max_length: int | None


@sequence
class _RoaFamily:
    family: bytes
    addresses: list[_RoaAddress]


@sequence
class _Attestation:
    origin: int
    families: list[_RoaFamily]


@sequence
class _Provider:
    asn: int


@sequence
class _ProviderAttestation:
    customer: int
    providers: list[_Provider]


@sequence
class _FileAndHash:
    file: IA5String
    digest: BitString


@sequence
class _Manifest:
    number: int
    this_update: GeneralizedTime
    next_update: GeneralizedTime
    algorithm: x509.ObjectIdentifier
    files: list[_FileAndHash]


def roa(*told: Roa) -> bytes:
    """The attestation for prefixes of one origin. The version is 0, which DER leaves out, and so is
    a maxLength that is the prefix's length."""
    families = []
    for version, family in FAMILIES.items():
        own = [one for one in told if one.prefix.version == version]
        own.sort(key=lambda one: (int(one.prefix.network_address), one.prefix.prefixlen))
        addresses = [
            _RoaAddress(
                address=prefix_bits(one.prefix),
                max_length=one.max_length if one.max_length != one.prefix.prefixlen else None,
            )
            for one in own
        ]
        if addresses:
            families.append(_RoaFamily(family=family, addresses=addresses))
    (origin,) = {int(one.origin) for one in told}
    return encode_der(_Attestation(origin=origin, families=families))


def aspa(told: Aspa) -> bytes:
    """As draft-ietf-sidrops-aspa-profile-10 has it, which rpki-client 8.2 reads. Later versions of
    the draft have another form, and later validators refuse this one."""
    single = [_Provider(asn=int(asn)) for asn in told.providers]
    return encode_der(_ProviderAttestation(customer=int(told.customer), providers=single))


def manifest(number: int, period: Period, files: Mapping[str, bytes]) -> bytes:
    """The list of an authority's files, by their names."""
    listed = [
        _FileAndHash(file=IA5String(name), digest=BitString(hashlib.sha256(data).digest(), 0))
        for name, data in sorted(files.items())
    ]
    return encode_der(
        _Manifest(
            number=number,
            this_update=GeneralizedTime(whole(period.since)),
            next_update=GeneralizedTime(whole(period.until)),
            algorithm=SHA256,
            files=listed,
        )
    )


def whole(moment: datetime) -> datetime:
    """In UTC, without parts of a second."""
    return moment.astimezone(UTC).replace(microsecond=0)
