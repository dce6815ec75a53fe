"""Addresses and AS numbers in certificates (RFC 3779), in the canonical form that DER demands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Self

from cryptography import x509
from cryptography.hazmat.asn1 import BitString, Explicit, Null, encode_der, sequence

from firstboot.core.values import LARGEST_ASN, Network

IP_BLOCKS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.7")
AS_NUMBERS = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.8")

FAMILIES = {4: b"\x00\x01", 6: b"\x00\x02"}
"""Address family identifiers (RFC 3779, 2.2.3.3)."""

WIDTHS = {4: 32, 6: 128}


@sequence
class _AddressRange:
    low: BitString
    high: BitString


@sequence
class _Family:
    family: bytes
    held: list[BitString | _AddressRange]


@sequence
class _InheritedFamily:
    family: bytes
    held: Null


@sequence
class _IpBlocks:
    v4: _Family | _InheritedFamily | None
    v6: _Family | _InheritedFamily | None


@sequence
class _AsRange:
    low: int
    high: int


@sequence
class _AsNumbers:
    held: Annotated[list[int | _AsRange], Explicit(0)]


@sequence
class _InheritedAsNumbers:
    held: Annotated[Null, Explicit(0)]


@dataclass(frozen=True)
class Resources:
    """What a certificate is about. `asns` are first and last numbers of ranges."""

    networks: tuple[Network, ...] = ()
    asns: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, networks: Iterable[Network], asns: Iterable[int] = ()) -> Self:
        return cls(tuple(networks), tuple((int(asn), int(asn)) for asn in asns))


EVERYTHING = Resources((IPv4Network("0.0.0.0/0"), IPv6Network("::/0")), ((0, LARGEST_ASN),))


def extensions(resources: Resources | None) -> list[x509.UnrecognizedExtension]:
    """The extensions of a certificate with `resources`; with None, it has those of its issuer."""
    if resources is None:
        inherited = [_InheritedFamily(family=one, held=Null()) for one in FAMILIES.values()]
        blocks = _IpBlocks(v4=inherited[0], v6=inherited[1])
        return [_ip(blocks), _asn(_InheritedAsNumbers(held=Null()))]
    found = []
    if resources.networks:
        v4, v6 = (_family(resources.networks, version) for version in (4, 6))
        found.append(_ip(_IpBlocks(v4=v4, v6=v6)))
    if resources.asns:
        held = [
            low if low == high else _AsRange(low=low, high=high) for low, high in _asns(resources)
        ]
        found.append(_asn(_AsNumbers(held=held)))
    return found


def prefix_bits(network: Network) -> BitString:
    """A prefix as an IPAddress (RFC 3779, 2.2.3.8)."""
    return _bits(int(network.network_address), network.max_prefixlen, network.prefixlen)


def _ip(blocks: _IpBlocks) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(IP_BLOCKS, encode_der(blocks))


def _asn(numbers: _AsNumbers | _InheritedAsNumbers) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(AS_NUMBERS, encode_der(numbers))


def _asns(resources: Resources) -> Iterator[tuple[int, int]]:
    return joined(resources.asns)


def _family(networks: Iterable[Network], version: int) -> _Family | None:
    own = [one for one in networks if one.version == version]
    spans = joined((int(one.network_address), int(one.broadcast_address)) for one in own)
    held = [_span(low, high, version) for low, high in spans]
    return _Family(family=FAMILIES[version], held=held) if held else None


def joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The ranges in order; those that overlap or touch become one."""
    last: tuple[int, int] | None = None
    for low, high in sorted(spans):
        if last is None or low > last[1] + 1:
            if last is not None:
                yield last
            last = low, high
        else:
            last = last[0], max(last[1], high)
    if last is not None:
        yield last


def _span(low: int, high: int, version: int) -> BitString | _AddressRange:
    """A prefix if the range is one, else its ends without their trailing zeros and ones."""
    width = WIDTHS[version]
    size = high - low + 1
    if size & (size - 1) == 0 and low % size == 0:
        return _bits(low, width, width - size.bit_length() + 1)
    return _AddressRange(
        low=_bits(low, width, width - _trailing_zeros(low, width)),
        high=_bits(high, width, width - _trailing_zeros(~high & ((1 << width) - 1), width)),
    )


def _trailing_zeros(number: int, width: int) -> int:
    return (number & -number).bit_length() - 1 if number else width


def _bits(number: int, width: int, length: int) -> BitString:
    """The first `length` bits of a number that is `width` bits wide."""
    octets = (length + 7) // 8
    padding = octets * 8 - length
    return BitString((number >> (width - length) << padding).to_bytes(octets, "big"), padding)
