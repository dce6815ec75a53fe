"""Addresses in a text, in whatever company they are."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from firstboot.core.values import Address

WORD = re.compile(r"[0-9A-Fa-f:.]{2,}")


def literals(text: str) -> set[Address]:
    """Every IPv4 and IPv6 address that is written in `text`, also with a prefix length, a port or a
    full stop behind it."""
    return {address for word in WORD.findall(text) for address in _read(word)}


def _read(word: str) -> Iterator[Address]:
    for part in (
        word,
        word.rstrip(".:"),
        word.lstrip(".:"),
        word.strip(".:"),
        word.partition(":")[0],
    ):
        try:
            yield ip_address(part)
        except ValueError:
            continue
        return
