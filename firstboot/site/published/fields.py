"""Values out of JSON that somebody else wrote: of the kind that is expected, or None."""

from ipaddress import ip_address, ip_network
from typing import Any

from firstboot.core.values import LARGEST_ASN, Address, Network


def a_mapping(value: Any) -> dict[str, Any]:
    """`value`, or nothing where it is no object."""
    return value if isinstance(value, dict) else {}


def a_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def a_text(value: Any) -> str | None:
    """A text that is not empty, without what could act on a terminal."""
    if not isinstance(value, str):
        return None
    return "".join(char for char in value if char.isprintable()).strip()[:300] or None


def a_number(value: Any) -> int | None:
    """A whole number, 0 or larger."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 1 << 62 else None


def an_asn(value: Any) -> int | None:
    """An AS number, as 64496 or ``"AS64496"``."""
    if isinstance(value, str):
        digits = value.upper().removeprefix("AS")
        plain = digits.isascii() and digits.isdecimal() and len(digits) <= 10
        value = int(digits) if plain else None
    number = a_number(value)
    return number if number is not None and number <= LARGEST_ASN else None


def an_address(value: Any) -> Address | None:
    """An address without a zone."""
    try:
        return ip_address(value) if isinstance(value, str) and "%" not in value else None
    except ValueError:
        return None


def a_prefix(value: Any) -> Network | None:
    try:
        return ip_network(value) if isinstance(value, str) and "%" not in value else None
    except ValueError:
        return None
