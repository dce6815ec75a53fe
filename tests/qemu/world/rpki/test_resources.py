"""Resources in certificates, read again by OpenSSL, which knows RFC 3779."""

import shutil
import subprocess
from ipaddress import ip_network

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from qemu.world.rpki.authority import Authority
from qemu.world.rpki.repository import place_at, usual
from qemu.world.rpki.resources import EVERYTHING, Resources, joined

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")


@pytest.fixture(scope="module")
def anchor() -> Authority:
    return Authority.anchor(place_at("rpki.example"), usual())


def read(anchor: Authority, resources: Resources) -> list[str]:
    """The lines that OpenSSL prints of the resources in a certificate."""
    made = anchor.child("child", resources).certificate.public_bytes(Encoding.PEM)
    names = "sbgp-ipAddrBlock,sbgp-autonomousSysNum"
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", names], input=made, capture_output=True, check=True
    ).stdout.decode()
    headings = ("sbgp", "IPv", "Autonomous")
    return [line.strip() for line in told.splitlines() if not line.strip().startswith(headings)]


@pytest.mark.parametrize(
    ("networks", "lines"),
    [
        (["192.0.2.0/24"], ["192.0.2.0/24"]),
        (["192.0.2.0/25", "192.0.2.128/25"], ["192.0.2.0/24"]),
        (["192.0.2.0/24", "192.0.2.64/26"], ["192.0.2.0/24"]),
        (["192.0.2.0/24", "192.0.3.0/25"], ["192.0.2.0-192.0.3.127"]),
        (["198.51.100.0/24", "192.0.2.0/24"], ["192.0.2.0/24", "198.51.100.0/24"]),
        (["2001:db8::/32"], ["2001:db8::/32"]),
        (["2001:db8::/33", "2001:db8:8000::/34"], [f"2001:db8::-2001:db8:bfff{':ffff' * 5}"]),
        (["2001:db8::/128", "192.0.2.1/32"], ["192.0.2.1/32", "2001:db8::/128"]),
    ],
)
def test_networks_are_told_in_their_one_form(
    anchor: Authority, networks: list[str], lines: list[str]
) -> None:
    resources = Resources.of(map(ip_network, networks))
    assert [line for line in read(anchor, resources) if line] == lines


def test_numbers_of_systems_are_told_as_ranges(anchor: Authority) -> None:
    resources = Resources.of([], [64501, 64500, 65000])
    assert [line for line in read(anchor, resources) if line] == ["64500-64501", "65000"]


def test_an_anchor_has_everything(anchor: Authority) -> None:
    lines = [line for line in read(anchor, EVERYTHING) if line]
    assert lines == ["0.0.0.0/0", "::/0", "0-4294967295"]


def test_ranges_that_touch_become_one() -> None:
    assert list(joined([(5, 6), (1, 2), (3, 3), (9, 9), (2, 3)])) == [(1, 3), (5, 6), (9, 9)]
