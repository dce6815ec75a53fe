"""Addresses are found in whatever text."""

from ipaddress import ip_address

import pytest

from qemu.lab.literals import literals


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AS64511 (198.51.100.1), 2026-11-30 12:30 UTC.", {"198.51.100.1"}),
        ("from 198.51.100.1. To 2001:db8::1.", {"198.51.100.1", "2001:db8::1"}),
        ("http://198.51.100.1:80/ and [2001:db8::]:443", {"198.51.100.1", "2001:db8::"}),
        ("10.0.0.0/8,::1", {"10.0.0.0", "::1"}),
        ("mail, fe80::1%eth0: NOT SENT", {"fe80::1"}),
        ('"text": "a\\n203.0.113.9\\nb"', {"203.0.113.9"}),
        ("::ffff:192.0.2.1", {"::ffff:192.0.2.1"}),
        ("12:30:45 02:00:5e:10:00:0b v0.4.9 deadbeef : .. ::: 1.5", set()),
    ],
)
def test_addresses_are_found(text: str, found: set[str]) -> None:
    assert literals(text) == {*map(ip_address, found)}
