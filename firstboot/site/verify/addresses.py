"""Addresses in the words of a file."""

import ipaddress

from firstboot.core.values import Address


def address_of(text: str) -> Address | None:
    """The address that `text` is, brackets or not; None if it is none."""
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
