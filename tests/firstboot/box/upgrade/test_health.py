"""What works on a box, as its programs say it."""

from pathlib import Path

import pytest

from firstboot.box.apply import apply_site
from firstboot.box.upgrade import health
from firstboot.box.upgrade.health import CONFIGURED, RESOLVES, remember, remembered, signs
from firstboot.core.refusal import Refusal
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import Box
from tests.firstboot.box.conftest import quick  # noqa: F401

SITE = boxes.example().value
BGP = """\
Neighbor                   AS    MsgRcvd    MsgSent  OutQ Up/Down  State/PrfRcvd
upstream-a              64496         12         11     0 00:05:01     2/1300000
upstream-b              64499          0          9     0 Never    Active
a peer with spaces      64511         12         11     0 00:05:01      5
"""
ASKED = ";; rcode: SERVFAIL\n;; QUESTION SECTION:\n;; org.\tIN\tNS\n"
METRICS = """\
# HELP tor_relay_connections Total number of opened connections
tor_relay_connections{type="OR listener",direction="received",state="opened",family="ipv4"} 0
tor_relay_connections{type="OR",direction="initiated",state="opened",family="ipv4"} %d
tor_relay_connections{type="Exit",direction="initiated",state="opened",family="ipv4"} 7
"""


@pytest.fixture
def running(tmp_path: Path) -> Box:
    """It runs the example; nothing outside of it answers."""
    box = boxes.make(tmp_path / "root", SITE)
    apply_site(boxes.example(), box.machine, lambda _: None)
    return box


def test_a_box_that_is_not_configured_has_no_signs(tmp_path: Path) -> None:
    assert signs(boxes.make(tmp_path / "root", SITE).machine) == frozenset()


def test_what_the_preflight_looks_at_is_among_them(running: Box) -> None:
    seen = signs(running.machine)
    assert CONFIGURED in seen
    assert "pf guards every port towards strangers" in seen
    running.answer("pfctl -s info", "Status: Disabled")
    assert seen - signs(running.machine) == {"pf guards every port towards strangers"}


def test_a_service_that_is_down_is_missed(running: Box) -> None:
    before = signs(running.machine)
    running.programs.up.discard("sshd")
    assert before - signs(running.machine) == {"there is the SSH on the management port"}


def test_a_session_counts_while_it_is_established(running: Box) -> None:
    running.answer(f"{health.BGPCTL} show summary", BGP)
    assert {one for one in signs(running.machine) if one.startswith("BGP")} == {
        "BGP with upstream-a is established",
        "BGP with a peer with spaces is established",
    }


def test_a_relay_counts_once_it_is_connected(running: Box) -> None:
    address = "http://127.0.0.2:9101/metrics"
    for connections, expected in ((0, set()), (3, {"relay 1 has reached the network"})):
        running.answer(f"fetch -q -T 10 -o - {address}", METRICS % connections)
        found = {one for one in signs(running.machine) if one.startswith("relay 1")}
        assert found == expected


def test_names_count_while_they_are_resolved(running: Box) -> None:
    question = "drill org. NS @127.0.0.1"
    assert RESOLVES not in signs(running.machine)
    running.answer(question, f"{ASKED}\n;; ANSWER SECTION:\norg.\t86400\tIN\tNS\ta0.example.net.\n")
    assert RESOLVES in signs(running.machine)
    running.answer(question, ASKED)
    assert RESOLVES not in signs(running.machine)


def test_a_port_without_a_cable_is_missed(running: Box) -> None:
    port = SITE.ports[0].interface
    up = f"{port}: flags=1008843<UP,BROADCAST,RUNNING> metric 0 mtu 1500\n\tstatus: "
    running.answer(f"ifconfig {port}", f"{up}active\n")
    assert f"{port} is up" in signs(running.machine)
    running.answer(f"ifconfig {port}", f"{up}no carrier\n")
    assert f"{port} is up" not in signs(running.machine)


def test_signs_outlast_a_restart(running: Box) -> None:
    remember(frozenset({"a", "b"}), running.machine)
    assert remembered(running.machine) == {"a", "b"}


def test_signs_of_an_earlier_release_are_looked_for_in_present_words(running: Box) -> None:
    now = signs(running.machine)
    before = {*health.FORMER, "pf guards every port towards strangers"}
    assert not before <= now
    assert health.in_present_words(frozenset(before)) <= now


@pytest.mark.parametrize("text", ["", "{", "null", "7", "[1]", '["a", 1]', '["a"', '{"a": "b"}'])
def test_a_damaged_record_of_signs_is_refused(running: Box, text: str) -> None:
    place = health._place(running.machine)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    with pytest.raises(Refusal, match=r"signs\.json: it is "):
        remembered(running.machine)


def test_without_a_record_of_signs_nothing_is_confirmed(running: Box) -> None:
    (lacking,) = health.missing(running.machine)
    assert "nobody has kept there what worked before" in lacking
    remember(frozenset(), running.machine)
    assert health.missing(running.machine) == frozenset()
