"""The scalar values of a site, read from text.

Each `parse` raises `Malformed` (a ValueError), whose text names what is expected and which knows
the mistakes that people make.
"""

import ipaddress
import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Annotated, Self

from firstboot.core.fault import quote
from firstboot.core.scalars import Malformed

LARGEST_ASN = 0xFFFFFFFF


class Asn(int):
    """An autonomous system number, in decimal ("asplain", RFC 5396); 32 bits (RFC 6793)."""

    @classmethod
    def parse(cls, text: str) -> Self:
        expected = f"an AS number from 1 to {LARGEST_ASN}, such as 64511"
        digits = text.removeprefix("AS")
        if re.fullmatch(r"[1-9][0-9]{0,9}", digits) and int(digits) <= LARGEST_ASN:
            return cls(digits)
        dotted = re.fullmatch(r"([0-9]{1,5})\.([0-9]{1,5})", digits)
        if dotted and 0 < int(dotted[1]) <= 0xFFFF and int(dotted[2]) <= 0xFFFF:
            number = (int(dotted[1]) << 16) | int(dotted[2])
            if not int(dotted[2]):  # a spreadsheet's number rather than one of RFC 5396
                problem = f"{quote(text)} is written with a dot"
                raise Malformed(expected, problem, f"{dotted[1]}, or {number} for asdot (RFC 5396)")
            problem = f"{quote(text)} is written with a dot (asdot, RFC 5396)"
            raise Malformed(expected, problem, str(number))
        plain = re.fullmatch(r"(?i)(?:as)?\s*([1-9][0-9]{0,9})", text.strip())
        raise Malformed(expected, write=plain[1] if plain and int(plain[1]) <= LARGEST_ASN else "")


class _Address:
    """An IPv4 or IPv6 address."""

    @staticmethod
    def parse(text: str) -> IPv4Address | IPv6Address:
        expected = "an IPv4 or IPv6 address, such as 192.0.2.1"
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise _no_address(text, expected) from None
        if getattr(address, "scope_id", None):
            problem = f"{quote(text)} has a zone (%), and this address belongs to one port"
            raise Malformed(expected, problem, text.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped:
            problem = f"{quote(text)} is an IPv4 address in the form of an IPv6 one (RFC 4291)"
            raise Malformed(expected, problem, str(mapped))
        return address


class _Interface:
    """An address with the length of its network's prefix."""

    @staticmethod
    def parse(text: str) -> IPv4Interface | IPv6Interface:
        expected = "an address with its prefix length, such as 192.0.2.2/30 or 2001:db8::2/64"
        if "/" in text and "%" not in text:
            try:
                return ipaddress.ip_interface(text)
            except ValueError:
                raise _no_address(text, expected) from None
        address = _likely(text.partition("%")[0])
        if address and "/" not in text:
            length = 24 if address.version == 4 else 64
            raise Malformed(
                expected,
                f"{quote(text)} has no prefix length",
                f"it with the length of its network, such as {address}/{length}",
            )
        raise _no_address(text, expected)


class _Network:
    """A prefix. Host bits are refused, because what was meant cannot be known."""

    @staticmethod
    def parse(text: str) -> IPv4Network | IPv6Network:
        expected = "a prefix, such as 198.51.100.0/24 or 2001:db8:ee::/48"
        try:
            return ipaddress.ip_network(text)
        except ValueError:
            pass
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            short = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,3}){0,2})/([0-9]{1,2})", text)
            if short:
                zeros = ".0" * (3 - short[1].count("."))
                whole = f"{short[1]}{zeros}/{short[2]}"
                raise Malformed(expected, f"{quote(text)} is cut short", whole) from None
            raise _no_address(text, expected) from None
        problem = f"{quote(text)} has bits set behind the prefix length (host bits)"
        raise Malformed(expected, problem, str(network))


def _no_address(text: str, expected: str) -> Malformed:
    """Why `text` is not an address, and what was probably meant."""
    address, _, length = text.strip("[](), ;").partition("/")
    shown = quote(text)
    if re.fullmatch(r"[0-9a-fA-F.:/]+(?:[ ,;]+[0-9a-fA-F.:/]+)+", text):
        problem = f"{shown} is more than one value"
        return Malformed(expected, problem, "each in an item of its own")
    found = _likely(address)
    if found and length and expected.startswith("an IPv4"):
        problem = f"{shown} has a prefix length, which does not belong here"
        return Malformed(expected, problem, str(found))
    most = 32 if found and found.version == 4 else 128
    if found and length.isdecimal() and int(length) > most:
        return Malformed(expected, f"{shown} has a prefix length above {most}")
    if found and str(found) != address:
        problem = f"{shown} has a zero in front of a number"
        return Malformed(expected, problem, str(found) + (f"/{length}" if length else ""))
    if found:
        return Malformed(expected, write=str(found) + (f"/{length}" if length else ""))
    port = re.fullmatch(r"([0-9.]+|\[[0-9a-fA-F:]+\]):([0-9]{1,5})", text)
    if port and (found := _likely(port[1].strip("[]"))):
        return Malformed(expected, f"{shown} has a port number behind the address", str(found))
    if re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,4}){3}", address):
        return Malformed(expected, f"{shown} has a number above 255 in it")
    if re.fullmatch(r"(?i)(?=.*[g-z])[a-z0-9-]+(\.[a-z0-9-]+)+", address):
        return Malformed(expected, f"{shown} is a name, and an address is expected")
    return Malformed(expected)


def _likely(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `text`, zeros in front of IPv4's numbers left out."""
    plain = text.strip("[](), ;")
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", plain):
        plain = ".".join(str(int(part)) for part in plain.split("."))
    try:
        address = ipaddress.ip_address(plain)
    except ValueError:
        return None
    return None if "%" in plain else address


class Mode(int):
    """Permission bits, in octal as chmod(1) takes them."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"[0-7]{3,4}", text):
            raise Malformed("three or four octal digits, such as 0644")
        return cls(text, 8)


class Mac(str):
    """A unicast Ethernet address: six octets in hexadecimal, with colons."""

    @classmethod
    def parse(cls, text: str) -> Self:
        expected = "a unicast Ethernet address, such as 02:00:5e:10:00:01"
        if re.fullmatch(r"(?i)[0-9a-f][02468ace](:[0-9a-f]{2}){5}", text):
            return cls(text.lower())
        digits = re.sub(r"[-:. ]", "", text).lower()
        if re.fullmatch(r"[0-9a-f]{12}", digits):
            pairs = ":".join(re.findall("..", digits))
            if int(digits[1], 16) & 1:
                raise Malformed(expected, f"{quote(text)} is a multicast address")
            raise Malformed(expected, f"{quote(text)} is not written with colons", pairs)
        raise Malformed(expected)


Address = Annotated[IPv4Address | IPv6Address, _Address]
Interface = Annotated[IPv4Interface | IPv6Interface, _Interface]
Network = Annotated[IPv4Network | IPv6Network, _Network]


def is_address(text: str) -> bool:
    """Whether `text` is an IP address, and not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def within(inner: Network, outer: Network) -> bool:
    """Whether all of `inner` is in `outer`."""
    return (
        inner.version == outer.version
        and inner.prefixlen >= outer.prefixlen
        and inner.network_address in outer
    )
