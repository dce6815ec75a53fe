"""Addresses in the words of a file, and what is within what."""

import ipaddress
from collections.abc import Iterable

from firstboot.core.values import Address, Network


def address_of(text: str) -> Address | None:
    """The address that `text` is, brackets or not; None if it is none."""
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def within(network: Network, scopes: Iterable[Network]) -> bool:
    """Whether all of `network` is in one of `scopes`."""
    return any(
        network.version == scope.version and network.subnet_of(scope)  # type: ignore[arg-type]
        for scope in scopes
    )
