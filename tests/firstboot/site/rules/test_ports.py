"""Ports and management: devices, networks, the one way out, and who may come in."""

import base64
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from firstboot.site.check import Finding, Severity
from firstboot.site.rules.ssh_key import SshKey
from tests.firstboot.site.sites import ONE, ROOT, TWO, found, says

ERROR, WARNING, ADVICE = Severity

EXCHANGE = "addresses: [203.0.113.10/24, 2001:db8:200::10/64]"
TRANSIT = "addresses: [192.0.2.2/30, 2001:db8:100::2/64]"
LAN = "addresses: [198.51.100.129/26, 2001:db8:ee:10::1/64]"
MANAGEMENT = "addresses: [192.0.2.194/27, 2001:db8:f0::2/64]"
GATEWAY = "gateway: [192.0.2.193, 2001:db8:f0::1]"
NETWORKS = 'networks: [192.0.2.192/27, "2001:db8:f0::/48"]'


@pytest.mark.parametrize("device", ["enp3s0", "ix", "IX0", "0ix", "ix0; reboot", "ix 0"])
def test_a_device_is_a_driver_and_a_number(device: str) -> None:
    to_it = ("device: ix0", f'device: "{device}"')
    assert says(
        found(to_it), ERROR, "ports[0].device", "is not the name of a FreeBSD network device"
    )


@pytest.mark.parametrize(
    ("device", "reason", "remedy"),
    [
        ("ix0.100", "a VLAN of a card", "Write device: ix0 and vlan: 100"),
        ("ix0.100.7", "two (QinQ, IEEE 802.1ad) are not supported", "with one tag"),
        ("gif0", "tunnels are not supported", "on a wire or a VLAN"),
        ("wg1", "tunnels are not supported", "on a wire or a VLAN"),
    ],
)
def test_what_is_no_card_but_an_interface_of_networks(
    device: str, reason: str, remedy: str
) -> None:
    (one,) = [
        one
        for one in found(("device: ix0", f"device: {device}"))
        if one.key == ("ports", 0, "device")
    ]
    assert reason in one.reason
    assert remedy in one.remedy


@pytest.mark.parametrize("device", ["lo0", "pflog0", "vlan7"])
def test_a_device_is_a_card(device: str) -> None:
    assert says(
        found(("device: ix0", f"device: {device}")),
        ERROR,
        "ports[0].device",
        "is not a network card",
    )


@pytest.mark.parametrize(
    ("key", "values", "fine"),
    [
        ("mtu", (0, 68, 1279, 9217, -1), (1280, 1500, 9000, 9216)),
        ("vlan", (0, 4095, -1, 65536), (1, 4094)),
    ],
)
def test_frame_sizes_and_vlans_have_their_ranges(
    key: str, values: tuple[int, ...], fine: tuple[int, ...]
) -> None:
    def said(value: int) -> bool:
        findings = found(("device: ix0", f"device: ix0\n    {key}: {value}"))
        return says(findings, ERROR, f"ports[0].{key}", str(value))

    assert all(said(value) for value in values)
    assert not any(said(value) for value in fine)


@pytest.mark.parametrize(
    ("changes", "severity", "key", "reason"),
    [
        ([("device: ix1", "device: ix1\n    mtu: 9000")], WARNING, "ports[1].mtu", "exchange"),
        ([("device: ix0", "device: ix0\n    mac: 02:00:00:00:00:01")], ERROR, "ports[0].mac",
         "only exchange ports"),
        ([('"02:00:5e:10:00:0a"', "00:00:00:00:00:00")], ERROR, "ports[1].mac", "of zeros"),
        ([("role: lan", "role: management")], ERROR, "ports[3].role", "second management port"),
        ([("device: ix1", "device: ix0")], ERROR, "ports[1].device", "used by the port 'transit'"),
        ([("device: ix1", "device: ix0\n    vlan: 5")], WARNING, "ports[1].device",
         "one Ethernet address"),
        ([("device: ix2", "device: ix0\n    vlan: 5\n    mtu: 9000")], ERROR, "ports[0].mtu",
         "a VLAN of 'ix0' has an MTU of 9000"),
        ([("device: igb0", "device: ix0\n    vlan: 5")], ERROR, "ports[3].device",
         "must survive"),
        ([("name: lan ", "name: Transit ")], ERROR, "ports[2].name", "two ports have the name"),
        ([(TRANSIT, "addresses: []")], ERROR, "ports[0]", "has no address"),
        ([(EXCHANGE, "addresses: [203.0.113.0/24]")], ERROR, "ports[1].addresses[0]",
         "network's own"),
        ([(EXCHANGE, "addresses: [203.0.113.255/24]")], ERROR, "ports[1].addresses[0]",
         "broadcast"),
        ([(EXCHANGE, "addresses: [2001:db8:200::/64]")], ERROR, "ports[1].addresses[0]", "anycast"),
        ([(TRANSIT, "addresses: [192.0.2.2/32]")], ERROR, "ports[0].addresses[0]", "no room"),
        ([(TRANSIT, "addresses: [23.0.2.2/3]")], WARNING, "ports[0].addresses[0]", "larger than"),
        ([(TRANSIT, "addresses: [198.51.100.2/30]")], ERROR, "ports[0].addresses[0]",
         "overlaps the own scopes"),
        ([(TRANSIT, "addresses: [10.0.0.2/30]")], WARNING, "ports[0].addresses[0]", "RFC 1918"),
        ([(EXCHANGE, "addresses: [10.0.0.2/24]")], ERROR, "ports[1].addresses[0]", "RFC 1918"),
        ([(TRANSIT, 'addresses: ["fe80::2/64"]')], ERROR, "ports[0].addresses[0]", "link-local"),
        ([(TRANSIT, "addresses: [224.0.0.2/30]")], ERROR, "ports[0].addresses[0]", "multicast"),
        ([(LAN, "addresses: [10.0.0.1/24]")], ERROR, "ports[2].addresses[0]", "none of the scopes"),
        ([(LAN, "addresses: [198.51.100.200/24]")], WARNING, "ports[2].addresses[0]",
         "contains addresses that the plan gives"),
        ([(LAN, "addresses: [198.51.100.11/28]")], ERROR, "scopes", "of the port 'lan'"),
        ([(MANAGEMENT, "addresses: [198.51.100.2/24]")], ERROR, "ports[3].addresses[0]",
         "cannot be reached when BGP is down"),
        ([(MANAGEMENT, "addresses: [192.0.2.3/27]")], ERROR, "ports[0].addresses[0]",
         "shares addresses with 192.0.2.0/27 of the port 'management'"),
        ([(EXCHANGE, "addresses: [203.0.113.10/24, 203.0.113.11/25]")], WARNING,
         "ports[1].addresses[1]", "overlap on one port"),
        ([(LAN, "addresses: [203.0.113.10/24]")], ERROR, "ports[2].addresses[0]", "used twice"),
        ([(GATEWAY, "")], ERROR, "ports[3]", "has no IPv6 gateway"),
        ([(GATEWAY, ""), (NETWORKS, "")], WARNING, "ports[3]", "has no gateway"),
        ([(GATEWAY, "gateway: [192.0.2.225]")], ERROR, "ports[3].gateway[0]", "in no network"),
        ([(GATEWAY, "gateway: [192.0.2.194]")], ERROR, "ports[3].gateway[0]", "the box's own"),
        ([(GATEWAY, "gateway: [192.0.2.223]")], ERROR, "ports[3].gateway[0]", "broadcast"),
        ([(GATEWAY, "gateway: [192.0.2.193, 192.0.2.195]")], ERROR, "ports[3].gateway[1]",
         "second"),
        ([(TRANSIT, TRANSIT + "\n    gateway: [192.0.2.1]")], ERROR, "ports[0].gateway",
         "a transit port has no gateway"),
        ([(NETWORKS, "networks: [0.0.0.0/0]")], WARNING,
         "management.networks[0]", "lets everybody"),
        ([(NETWORKS, "networks: []")], ERROR,
         "management.networks", "there is no network"),
        ([('[192.0.2.192/27, "2001:db8:f0::/48"]', "[192.0.2.0/24, 192.0.2.192/27]")], ADVICE,
         "management.networks[1]", "already part of 192.0.2.0/24"),
        ([(MANAGEMENT, "addresses: [192.0.2.194/27]")], WARNING, "management.networks[1]",
         "has no IPv6 address"),
    ],
)  # fmt: skip
def test_ports_are_judged_as_the_field_does(
    changes: list[tuple[str, str]], severity: Severity, key: str, reason: str
) -> None:
    assert says(found(*changes), severity, key, reason)


def test_an_exchange_without_its_ethernet_address_gets_advice() -> None:
    findings = found(('    mac: "02:00:5e:10:00:0b"\n', ""), of=TWO)
    assert says(findings, ADVICE, "ports[2]", "only the address on file")


def test_one_ethernet_address_is_one_ports() -> None:
    findings = found(
        ("name: transit-b ", 'mac: "02:00:5e:10:00:0b"\n    name: transit-b '),
        ("device: ix1\n    role: transit", "device: ix1\n    role: exchange"),
        of=TWO,
    )
    assert says(findings, ERROR, "ports[2].mac", "also the Ethernet address of 'transit-b'")


def test_two_vlans_of_one_device_are_two_ports() -> None:
    findings = found(("device: ix0", "device: ix1\n    vlan: 7"), of=TWO)
    assert not [f for f in findings if f.key[-1] == "device"]


def test_no_way_out_is_an_error() -> None:
    transit = "role: transit\n    addresses: [192.0.2.2"
    findings = found((transit, transit.replace("transit", "lan")), ("role: exchange", "role: lan"))
    assert says(findings, ERROR, "ports", "nothing leads to the Internet")


WITHOUT_MANAGEMENT = ("role: management\n", "role: transit\n")


def test_no_management_port_is_an_error() -> None:
    assert says(found(WITHOUT_MANAGEMENT), ERROR, "ports", "no management port")


def test_no_management_port_is_fine_where_a_waiver_says_why() -> None:
    waiver = ("waivers:\n", "waivers:\n  no_management: The rack is next to my desk\n")
    findings = found(WITHOUT_MANAGEMENT, waiver)
    assert not [one for one in findings if one.key == ("waivers", "no_management")]
    assert not says(findings, ERROR, "ports", "no management port")


def test_a_waiver_without_a_reason_waives_nothing() -> None:
    findings = found(WITHOUT_MANAGEMENT, ("waivers:\n", "waivers:\n  no_management: ''\n"))
    assert says(findings, ERROR, "ports", "no management port")


ADA = "AAAAC3NzaC1lZDI1NTE5AAAAIGgIxCHbj/0TTkVWmtELK9JFifMMdjw0f7yRDGbjh7W9"
GRACE = "AAAAC3NzaC1lZDI1NTE5AAAAIIGrXc8deMQohjYLpAfxt4K6Ls5xRH6QHOmZVbc/Gcf/"


def line(kind: str, *fields: bytes) -> str:
    """A public key as a line of authorized_keys, of whatever fields."""
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()} test@example.org"


def rsa(bits: int) -> str:
    return line("ssh-rsa", b"\1\0\1", b"\0" + (1 << (bits - 1) | 1).to_bytes(bits // 8, "big"))


@pytest.mark.parametrize(
    ("key", "severity", "reason"),
    [
        (rsa(1024), ERROR, "the RSA key has 1024 bits"),
        (rsa(2048), ERROR, "the RSA key has 2048 bits"),
        (rsa(3072), ADVICE, "ssh-rsa works"),
        (rsa(32768), ERROR, "the RSA key has 32768 bits"),
        (line("ssh-dss", b"\1" * 128, b"\1" * 20, b"\1", b"\1"), ERROR, "DSA keys are broken"),
        (line("ecdsa-sha2-nistp256", b"nistp256", b"\4" * 65), ADVICE, "works"),
        (line("ecdsa-sha2-nistp256", b"nistp256", b"\4" * 64), ERROR, "cut off or mistyped"),
        (line("ssh-ed25519", b"x" * 31), ERROR, "cut off or mistyped"),
        (
            line("ssh-ed25519-cert-v01@openssh.com", b"x" * 32),
            ERROR,
            "a type that the box does not",
        ),
        (line("ssh-ed25519", b"x" * 32).replace("ssh-ed25519 ", "ssh-rsa "), ERROR, "another type"),
        (line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", b"\4" * 65), ADVICE, "works"),
        ("ssh-ed25519 AAAAC3", ERROR, "cut off or mistyped"),
        ("ssh-ed25519 AAAA!", ERROR, "cut off or mistyped"),
        ("ssh-ed25519", ERROR, "no type and key"),
        (f'no-pty,from="192.0.2.1" ssh-ed25519 {GRACE}', ERROR, "options before them"),
        (f"ssh-ed25519 {GRACE} $(reboot)", ERROR, "a comment with more than"),
        (f"ssh-ed25519 {GRACE[:-4]} grace", ERROR, "cut off or mistyped"),
        (f"ssh-ed25519 {ADA} again", ERROR, "the same key as management.keys[0]"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", ERROR, "a private key"),
        ("", ERROR, "no type and key"),
    ],
)
def test_keys_are_parsed_and_judged(key: str, severity: Severity, reason: str) -> None:
    quoted = "'" + key.replace("'", "''") + "'"
    findings = found((f"ssh-ed25519 {GRACE} grace@example.org", quoted))
    assert says(findings, severity, "management.keys[1]", reason)


@pytest.mark.parametrize(
    "key",
    [
        f"ssh-ed25519 {GRACE}",
        f"ssh-ed25519 {GRACE} Grace Hopper (laptop)",
        line("sk-ssh-ed25519@openssh.com", b"x" * 32, b"ssh:"),
        line("sk-ssh-ed25519@openssh.com", b"x" * 32, b"ssh:") + " (token 2)",
    ],
)
def test_a_key_of_ed25519_is_fine(key: str) -> None:
    findings = found((f"ssh-ed25519 {GRACE} grace@example.org", key))
    assert not [f for f in findings if f.key[:2] == ("management", "keys")]


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", 256), ("ecdsa", 384), ("rsa", 2048)])
def test_keys_are_read_as_ssh_keygen_makes_them(kind: str, bits: int, tmp_path: Path) -> None:
    if not shutil.which("ssh-keygen"):
        pytest.skip("no ssh-keygen: install openssh-client")
    make = ["ssh-keygen", "-q", "-t", kind, "-b", str(bits), "-N", "", "-f", str(tmp_path / "key")]
    subprocess.run(make, check=True, timeout=120)
    key = SshKey.parse((tmp_path / "key.pub").read_text().strip())
    assert key.bits == bits
    assert kind in key.kind


def test_a_key_that_may_monitor_is_judged_and_is_nobody_else_s() -> None:
    def monitoring(key: str) -> list[Finding]:
        return found(("management:\n", f"management:\n  monitoring: ['{key}']\n"))

    for key, reason in (
        (f"ssh-ed25519 {ADA} monitor", "the same key as management.keys[0]"),
        (f'command="sh" ssh-ed25519 {ADA}', "options before them"),
    ):
        assert says(monitoring(key), ERROR, "management.monitoring[0]", reason)
    other = line("ssh-ed25519", b"m" * 32)
    assert not [f for f in monitoring(other) if f.key[:1] == ("management",)]


def test_one_administrator_gets_advice_and_none_is_an_error() -> None:
    lines = ONE.read_text().splitlines(keepends=True)
    ada, grace = (text for text in lines if "ssh-ed25519" in text)
    assert says(found((grace, "")), ADVICE, "management.keys", "one administrator")
    nobody = ("  keys:\n" + ada + grace, "")
    assert says(found(nobody), ERROR, "management.keys", "there is no key")
    waiver = ("waivers:\n", "waivers:\n  no_management: The rack is next to my desk\n")
    assert not [one for one in found(nobody, waiver) if one.key == ("management", "keys")]


BUNDLE = ROOT / "examples" / "bundle.yaml"
FIRST = "  - name: transit-a\n    device: lagg0\n    members: [ix0, ix1]\n"


@pytest.mark.parametrize(
    ("new", "severity", "key", "reason"),
    [
        (FIRST.replace("    members: [ix0, ix1]\n", ""), ERROR, "ports[0].members",
         "no card is named that is in it"),
        (FIRST.replace("lagg0", "ix0"), ERROR, "ports[0].device", "is one card, and the port has"),
        (FIRST.replace("[ix0, ix1]", "[ix0]"), ERROR, "ports[1].members", "has other cards"),
        (FIRST.replace("[ix0, ix1]", "[ix0, ix0]"), ERROR, "ports[0].members[1]", "listed twice"),
        (FIRST.replace("[ix0, ix1]", "[ix0, igb0]"), ERROR, "ports[0].members[1]",
         "igb0 is used by igb0 already"),
        (FIRST.replace("[ix0, ix1]", "[ix0, ixl0]"), ERROR, "ports[2].members[0]",
         "ixl0 is used by lagg0 already"),
        (FIRST.replace("[ix0, ix1]", "[ix0, vlan1]"), ERROR, "ports[0].members[1]",
         "vlan1 is not a network card"),
        (FIRST.replace("[ix0, ix1]", "[ix0, lagg1]"), ERROR, "ports[0].members[1]",
         "lagg1 is not a network card"),
        (FIRST.replace("[ix0, ix1]", "[ix0, Eth0]"), ERROR, "ports[0].members[1]",
         "is not the name of a FreeBSD network device"),
        (FIRST.replace("ix1]", "ix2, ix3, ix4, ix5, ix6, ix7, ix8, ix9]"), ERROR,
         "ports[0].members", "at most 8 are possible"),
    ],
)  # fmt: skip
def test_a_bundle_has_cards_that_nothing_else_has(
    new: str, severity: Severity, key: str, reason: str
) -> None:
    findings = found((FIRST, new), of=BUNDLE)
    assert says(findings, severity, key, reason), findings


def test_a_bundle_of_one_card_is_a_warning() -> None:
    findings = found(("[igb1, igb2]", "[igb1]"), of=BUNDLE)
    assert says(findings, WARNING, "ports[3].members", "one card in the bundle")
