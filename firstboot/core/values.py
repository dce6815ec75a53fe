"""The scalar values of a site, read from text. Each `parse` raises ValueError naming what it
expects."""

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


class Asn(int):
    """An autonomous system's number, in decimal ("asplain", RFC 5396); 32 bits (RFC 6793)."""

    @classmethod
    def parse(cls, text: str) -> Self:
        digits = text.removeprefix("AS")
        if not re.fullmatch(r"[1-9][0-9]{0,9}", digits) or int(digits) > 0xFFFFFFFF:
            raise ValueError("an ASN: a number from 1 to 4294967295, such as 64511")
        return cls(digits)


class _Address:
    """An IPv4 or IPv6 address."""

    @staticmethod
    def parse(text: str) -> IPv4Address | IPv6Address:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise ValueError("an IPv4 or IPv6 address, such as 192.0.2.1") from None
        if getattr(address, "scope_id", None):
            raise ValueError("an address without a zone (no %)")
        return address


class _Interface:
    """An address with the length of its network's prefix."""

    @staticmethod
    def parse(text: str) -> IPv4Interface | IPv6Interface:
        if "/" not in text:
            raise ValueError("an address with its prefix length, such as 192.0.2.2/30")
        try:
            interface = ipaddress.ip_interface(text)
        except ValueError:
            raise ValueError(
                "an address with its prefix length, such as 192.0.2.2/30 or 2001:db8::2/64"
            ) from None
        if "%" in text:
            raise ValueError("an address without a zone (no %)")
        return interface


class _Network:
    """A prefix. Bits of the host are refused here, for what was meant cannot be known."""

    @staticmethod
    def parse(text: str) -> IPv4Network | IPv6Network:
        try:
            return ipaddress.ip_network(text)
        except ValueError as error:
            found = " without bits of a host" if "host bits" in str(error) else ""
            raise ValueError(f"a prefix{found}, such as 198.51.100.0/24") from None


class Mode(int):
    """Permission bits, in octal as chmod(1) takes them."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"[0-7]{3,4}", text):
            raise ValueError("three or four octal digits, such as 0644")
        return cls(text, 8)


class Mac(str):
    """A unicast Ethernet address: six octets in hexadecimal, with colons."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"(?i)[0-9a-f][02468ace](:[0-9a-f]{2}){5}", text):
            raise ValueError("a unicast Ethernet address, such as 02:00:5e:10:00:01")
        return cls(text.lower())


Address = Annotated[IPv4Address | IPv6Address, _Address]
Interface = Annotated[IPv4Interface | IPv6Interface, _Interface]
Network = Annotated[IPv4Network | IPv6Network, _Network]
