"""Whose an address is, and whether an exit can have done what is claimed."""

import re
import subprocess
from datetime import date
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.site.abuse.judge import Whose, whose
from firstboot.site.address_plan import allot
from firstboot.site.model import load
from firstboot.site.reach import REDUCED, REJECTED, sends
from tests.firstboot.site.abuse import complaints
from tests.firstboot.site.abuse.complaints import EXIT, judged, letter, site
from tests.firstboot.site.sites import ROOT

TOR = Path("/usr/sbin/tor")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (EXIT, Whose.EXIT),
        ("2001:db8:ee:80::2", Whose.EXIT),
        ("198.51.100.11", Whose.RELAY),
        ("198.51.100.1", Whose.ROUTER),
        ("198.51.100.2", Whose.RESOLVER),
        ("198.51.100.140", Whose.LAN),
        ("203.0.113.10", Whose.PORT),
        ("198.51.100.99", Whose.UNUSED),
        ("203.0.113.20", Whose.FOREIGN),
    ],
)
def test_whose_an_address_is(address: str, expected: Whose) -> None:
    at = site()
    assert whose(ip_address(address), at, allot(at)) is expected


@pytest.mark.parametrize("address", ["198.51.100.139", "198.51.100.255", "2001:db8:ee:8080::1"])
def test_an_address_of_the_other_box_is_neither_unused_nor_foreign(address: str) -> None:
    edge = load(ROOT / "examples" / "two-edges-a.yaml").value
    assert whose(ip_address(address), edge, allot(edge)) is Whose.TWIN
    other = load(ROOT / "examples" / "two-edges-b.yaml").value
    assert whose(ip_address(address), other, allot(other)) is not Whose.TWIN


def test_of_several_addresses_the_own_exit_is_told_before_the_other_boxs() -> None:
    edge = load(ROOT / "examples" / "two-edges-a.yaml").value
    (exit_address,) = (one.source.v4 for one in allot(edge).relays if one.number == 1)
    text = f"ssh login attempts by 198.51.100.140 and {exit_address}"
    found = judged(letter(text).as_bytes(), edge)
    assert [one.whose for one in found] == [Whose.EXIT, Whose.TWIN]


def test_an_exits_claim_has_its_relay_and_tors_record_of_the_day() -> None:
    (one,) = judged(complaints.XARF_4.encode())
    assert (one.whose, one.relays, one.possible) == (Whose.EXIT, ("ExampleExit1",), True)
    assert one.record.endswith(f"?ip={EXIT}&timestamp=2026-11-30&lang=en")


def test_claims_about_others_count_only_if_none_is_about_this_network() -> None:
    (one,) = judged(letter(complaints.SCAN).as_bytes())
    assert str(one.claim.address) == EXIT
    (other,) = judged(letter("ssh login attempt by 203.0.113.20 and 203.0.113.21").as_bytes())
    assert other.whose is Whose.FOREIGN


def test_a_time_in_the_future_is_not_so() -> None:
    later = complaints.XARF_3.replace("2026-11-30T11", "2026-12-01T11")
    (one,) = judged(later.encode())
    assert not one.possible
    assert "future" in one.why


def test_a_time_before_the_network_was_so_is_not_so() -> None:
    (one,) = judged(complaints.XARF_3.encode(), since=date(2026, 12, 1))
    assert "before 2026-12-01" in one.why
    assert judged(complaints.XARF_3.encode(), since=date(2026, 11, 30))[0].possible


@pytest.mark.parametrize(
    ("relays", "port", "expected"),
    [
        ("policy: reduced", 25, False),
        ("policy: reduced", 22, True),
        ("policy: reduced", 6667, True),
        ("policy: default", 25, False),
        ("policy: default", 6885, False),
        ("policy: default", 4000, True),
        ("policy: web", 22, False),
        ("policy: web", 443, True),
        ('policy: own\n  rules: ["accept *:22"]', 22, True),
        ('policy: own\n  rules: ["accept *:22"]', 80, False),
        ('policy: own\n  rules: ["reject *:25", "accept *:*"]', 25, False),
        ('policy: own\n  rules: ["reject 203.0.113.0/24:*", "accept *:*"]', 22, False),
        ('policy: own\n  rules: ["reject *6:*", "accept *:*"]', 22, True),
        ("policy: web\n  policies: [{relays: [2], policy: default}]", 22, True),
        ("policy: web\n  policies: [{relays: [2], policy: default}]", 25, False),
        ('policy: reduced\n  block: ["203.0.113.77:22"]', 22, False),
        ('policy: reduced\n  block: ["203.0.113.77:22"]', 80, True),
        ('policy: reduced\n  block: ["203.0.113.78"]', 22, True),
    ],
)
def test_exits_send_what_their_policy_lets_out(relays: str, port: int, expected: bool) -> None:
    at = site(("  nickname: ExampleExit{n}", f"  nickname: ExampleExit{{n}}\n  {relays}"))
    assert sends(at, port, ip_address("203.0.113.77")) is expected


def test_of_an_unknown_destination_a_rule_about_addresses_may_fit() -> None:
    first, second = "accept 203.0.113.0/24:22", "reject 192.0.2.0/24:80"
    rules = f'policy: own\n  rules: ["{first}", "{second}", "accept *:80"]'
    at = site(("  nickname: ExampleExit{n}", f"  nickname: ExampleExit{{n}}\n  {rules}"))
    assert sends(at, 22, None)
    assert sends(at, 80, None)
    assert not sends(at, 443, None)


def test_what_the_policy_rejects_is_not_so() -> None:
    (one,) = judged(
        complaints.XARF_4.replace('"destination_port": 22', '"destination_port": 25').encode()
    )
    assert "does not" not in one.why
    assert "do not send to port 25" in one.why


@pytest.mark.parametrize(
    ("ours", "verb"), [(REDUCED, "accept"), (REJECTED, "reject")], ids=("reduced", "default")
)
def test_the_policies_are_those_of_tor(ours: str, verb: str) -> None:
    """Tor has them in its program as texts."""
    if not TOR.exists():
        pytest.skip(f"{TOR} is not here: Debian's package tor has it")
    said = [
        found.decode()
        for found in re.findall(rb"(?:accept|reject) \*:[0-9][ -~]{100,}", TOR.read_bytes())
    ]
    expected = ",".join(f"{verb} *:{port}" for port in ours.split())
    assert any(one.startswith(expected) for one in said), said
    assert subprocess.run([TOR, "--version"], capture_output=True).returncode == 0
