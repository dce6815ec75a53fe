"""What an administrator asks a configured box."""

import json
from pathlib import Path

import pytest

from firstboot.box import apply, commands
from firstboot.box.ports import lower
from firstboot.box.sessions import Seen
from firstboot.core.refusal import Refusal
from firstboot.site import address_plan
from firstboot.site.render import render
from firstboot.site.verify.explain import explain, table
from tests.firstboot.box.box import BGPCTL, Box, altered, changed, example
from tests.firstboot.box.test_apply import PEER, SECRET, Told, applied, configured

OLD, NEW = SECRET


def test_the_site_is_shown_without_its_secrets(box: Box) -> None:
    configured(box)
    told = Told()
    commands.show(box.machine, told)
    assert "name: Example Onion Cooperative" in told[0]
    assert "md5: " in told[0]
    assert OLD not in told[0]


def test_a_box_that_is_not_configured_says_so(box: Box) -> None:
    told = Told()
    unknown = "this box: it is not configured.*exitisp setup"
    with pytest.raises(Refusal, match=unknown):
        commands.show(box.machine, told)
    with pytest.raises(Refusal, match=unknown):
        commands.diff("", box.machine, told)
    assert commands.status(box.machine, told) is False
    assert told == ["not configured: answer the questions of exitisp setup"]


def test_the_difference_from_the_generation_before(box: Box) -> None:
    configured(box)
    with pytest.raises(Refusal, match="nothing that was well ran before it"):
        commands.diff("", box.machine, Told())
    applied(box, PEER, SECRET)
    told = Told()
    commands.diff("", box.machine, told)
    assert "--- a/site.yaml" in told[0]
    assert "+++ b/etc/local/bgpd.conf" in told[0]
    assert "+    remote-as 65538" in told[0]
    assert "********" in told[0]
    assert OLD not in told[0]
    assert NEW not in told[0]


def test_the_difference_from_a_file_is_what_applying_it_would_change(
    box: Box, tmp_path: Path
) -> None:
    configured(box)
    path = tmp_path / "new.yaml"
    path.write_bytes(altered(PEER))
    told = Told()
    commands.diff(str(path), box.machine, told)
    assert "+    remote-as 65538" in told[-1]
    assert len(box.machine.generations.all()) == 1
    path.write_bytes(altered(("asn: 65536", "asn: x")))
    with pytest.raises(Refusal, match=r"the site has [0-9]+ error"):
        commands.diff(str(path), box.machine, Told())


def test_going_back_runs_the_one_before_and_forward_again(box: Box) -> None:
    configured(box)
    before = box.files()
    applied(box, PEER)
    after = box.files()
    assert before != after
    box.forget()
    commands.rollback(None, box.machine, Told())
    assert box.files() == before
    assert box.machine.generations.current() == 1
    assert "/usr/local/libexec/exitisp/bgpctl -w 60 reload" in box.calls
    commands.rollback(2, box.machine, Told())
    assert box.files() == after
    with pytest.raises(
        Refusal, match="generation 7: there is no such generation; sound ones are 1, 2"
    ):
        commands.rollback(7, box.machine, Told())


def test_going_back_to_what_another_image_rendered_renders_it_anew(box: Box) -> None:
    configured(box)
    applied(box, PEER)
    _upgraded(box)
    told = Told()
    commands.rollback(1, box.machine, told)
    assert "rendered by another image; rendering it anew" in told[0]
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert chosen.number == 3
    assert chosen.read().identity == "2e" * 32


def _upgraded(box: Box) -> None:
    (call,) = (call for call in box.programs.answers if call.endswith(" identity"))
    box.answer(call, "2e" * 32)


def test_a_boot_of_another_image_renders_anew(box: Box) -> None:
    configured(box)
    _upgraded(box)
    commands.renew(box.machine, Told())
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert (chosen.number, chosen.read().identity) == (2, "2e" * 32)
    assert box.started() == []


def test_a_boot_of_another_image_tells_of_addresses_that_its_plan_moved(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    _upgraded(box)
    told = Told()
    monkeypatch.setattr(apply, "render", render)
    monkeypatch.setattr(address_plan, "RESOLVER_NET", 0x54)
    commands.renew(box.machine, told)
    assert told[-1].startswith(
        "This release plans other addresses: 2001:db8:ee:53::1 are no longer used here. "
    )
    assert "dns.addresses" in told[-1]


def test_a_boot_of_another_image_with_the_same_plan_tells_of_none(box: Box) -> None:
    configured(box)
    _upgraded(box)
    told = Told()
    commands.renew(box.machine, told)
    assert told[-1] == "Rendered anew: generation 2."


def test_what_another_image_cannot_render_stays_as_it_is(box: Box) -> None:
    configured(box)
    _upgraded(box)
    box.fail("/sbin/pfctl", "pf.conf:3: syntax error")
    with pytest.raises(Refusal, match=r"pf.conf:3"):
        commands.renew(box.machine, Told())
    assert box.machine.generations.current() == 1
    assert len(box.machine.generations.all()) == 1


def test_the_status_of_a_box_that_is_as_it_has_to_be(box: Box) -> None:
    configured(box)
    told = Told()
    assert commands.status(box.machine, told) is True
    assert "running: generation 1" in told
    assert "up: resolver" in told
    assert not any(line.startswith(("DOWN", "NOT SO")) for line in told)


def test_the_status_explains_what_passes_by_the_rules_of_the_box(box: Box) -> None:
    configured(box)
    told = Told()
    assert commands.status(box.machine, told, explained=True) is True
    running = box.machine.running()
    assert running is not None
    assert told[-1] == table(explain(example().value, box.machine.box(), running.read().files))
    assert "out on exchange (ix2, exchange)" in told[-1]
    assert "hears     198.51.100.0/24" in told[-1]


def test_the_status_tells_which_files_are_not_what_it_explains(box: Box) -> None:
    configured(box)
    (box.root / "etc/pf.conf").write_text("pass all\n")
    (box.root / "etc/local/bgpd.conf").unlink()
    told = Told()
    commands.status(box.machine, told, explained=True)
    assert [line for line in told if line.startswith("NOT AS EXPLAINED: ")] == [
        "NOT AS EXPLAINED: /etc/local/bgpd.conf is not what was rendered",
        "NOT AS EXPLAINED: /etc/pf.conf is not what was rendered",
    ]


def test_the_status_names_what_is_not_as_it_has_to_be(box: Box) -> None:
    configured(box)
    box.programs.up.discard("exitisp_relays")
    box.programs.hung.add("ntpd")
    box.answer("pfctl -s info", "Status: Disabled")
    box.answer("ifconfig", box.programs.answers["ifconfig"].replace("\tinet 203.0.113.10 x\n", ""))
    told = Told()
    assert commands.status(box.machine, told) is False
    assert "DOWN: relays: it does not run" in told
    assert "DOWN: clock: it runs and does not answer" in told
    ports = "NOT SO: pf guards every port towards strangers: pf is off (the ports go down)"
    assert ports in told
    one = "NOT SO: every port is there, with its addresses: ix2 lacks 203.0.113.10 ("
    assert any(line.startswith(one) and "the ports stay as they are" in line for line in told)


def test_the_status_names_each_relay_that_does_not_run(box: Box) -> None:
    configured(box)
    box.programs.dead |= {"relay3", "relay7"}
    told = Told()
    assert commands.status(box.machine, told) is False
    down = [line for line in told if line.startswith("DOWN")]
    assert down == [f"DOWN: relay {number}: it does not run" for number in (3, 7)]
    assert "up: relays" not in told


def test_the_status_tells_which_session_a_limit_closed_and_what_opens_it(box: Box) -> None:
    configured(box)
    closed = {"state": "Idle", "last_error_sent": "Cease, received max-prefix exceeded"}
    box.speaks(example().value, **closed)
    told = Told()
    assert commands.status(box.machine, told) is False
    assert (
        "CLOSED: BGP with upstream-a (192.0.2.1): it sent more than 2000 routes, as a leak does. "
        "Once that has ended, let it in again: bgpctl neighbor 192.0.2.1 clear"
    ) in told
    box.speaks(example().value, state="Idle", last_error_sent="Cease, administrative reset")
    told = Told()
    assert commands.status(box.machine, told) is True
    assert "DOWN: BGP with upstream-a (192.0.2.1): it is down (Idle)" in told


def test_the_status_tells_what_each_session_brings_and_hears(box: Box) -> None:
    configured(box)
    told = Told()
    assert commands.status(box.machine, told) is True
    up = "BGP: upstream-a (192.0.2.1): up, 1000 prefixes received, 1 of 1 announced"
    assert up in told
    for stats, lack, well in (
        ({"received": 1000, "sent": 0}, "0 of 1 prefixes are announced to it", False),
        ({"received": 0, "sent": 1}, "it sends no routes", True),
    ):
        box.speaks(example().value, stats={"prefixes": stats})
        told = Told()
        assert commands.status(box.machine, told) is well
        assert f"DOWN: BGP with upstream-a (192.0.2.1): {lack}" in told


def test_a_peer_may_have_nothing_to_say_in_one_family_and_others_may_not() -> None:
    lacks = {
        session.peer.name: Seen(session, "Established", 0, 2, 2).lacks
        for session in address_plan.allot(example().value).sessions
    }
    assert lacks["root-server"] == lacks["content-network"] == ""
    assert lacks["upstream-a"] == lacks["route-server-1"] == "it sends no routes"


def test_no_session_is_missed_while_the_ports_are_down(box: Box) -> None:
    configured(box)
    lower(box.machine, "of a test")
    box.speaks(example().value, state="Active")
    told = Told()
    assert commands.status(box.machine, told) is False
    assert "DOWN: transit and exchange ports: of a test" in told
    assert not [line for line in told if "DOWN: BGP" in line]


@pytest.mark.parametrize(
    ("routes", "wrong", "others"),
    [
        (["0.0.0.0/0"], True, "no others"),
        (["0.0.0.0/0", "11.0.0.0/24", "11.0.1.0/24"], True, "2 others"),
        (["11.0.0.0/24"], False, ""),
    ],
)
def test_the_status_tells_a_transit_that_sends_a_default_route_in_place_of_a_table(
    box: Box, routes: list[str], wrong: bool, others: str
) -> None:
    configured(box)
    box.speaks(example().value, stats={"prefixes": {"received": len(routes), "sent": 1}})
    rib = json.dumps({"rib": [{"prefix": prefix} for prefix in routes]})
    box.answer(f"{BGPCTL} -j show rib in neighbor 192.0.2.1", rib)
    told = Told()
    assert commands.status(box.machine, told) is not wrong
    lines = [line for line in told if line.startswith("NO ROUTES: BGP with upstream-a (192.0.2.1)")]
    assert len(lines) == wrong
    assert all(f"a default route and {others}," in line for line in lines)


@pytest.mark.parametrize(
    ("received", "default", "wrong"), [(0, False, True), (3, False, True), (1, True, False)]
)
def test_the_status_tells_a_transit_that_sends_no_default_route_where_one_is_wanted(
    box: Box, received: int, default: bool, wrong: bool
) -> None:
    configured(box)
    gtsm = "    gtsm: yes  "
    applied(box, (gtsm, f"    routes: default\n{gtsm}"))
    box.speaks(example().value, stats={"prefixes": {"received": received, "sent": 1}})
    rib = json.dumps({"rib": [{"prefix": "0.0.0.0/0"}] if default else []})
    box.answer(f"{BGPCTL} -j show rib in neighbor 192.0.2.1 0.0.0.0/0", rib)
    told = Told()
    commands.status(box.machine, told)
    lines = [line for line in told if line.startswith("NO ROUTES: BGP with upstream-a (192.0.2.1)")]
    assert len(lines) == wrong
    assert all("it sends no default route" in line for line in lines)


@pytest.mark.parametrize(
    "answer", ["", "[]", "{}", '{"neighbors": [{}]}', "bgpd has not settled yet"]
)
def test_the_status_tells_that_sessions_cannot_be_looked_at(box: Box, answer: str) -> None:
    configured(box)
    box.answer(f"{BGPCTL} -j show neighbor", answer)
    told = Told()
    assert commands.status(box.machine, told) is False
    assert any(line.startswith("UNKNOWN: sessions of BGP: ") for line in told)


def test_the_status_tells_damage_and_what_awaits_a_restart(box: Box) -> None:
    configured(box)
    applied(box, ("203.0.113.10/24", "203.0.113.11/24"))
    box.is_like(example().value)
    told = Told()
    assert commands.status(box.machine, told) is False
    assert "current: generation 2, which a restart of the box runs" in told
    (box.machine.generations.all()[1].folder / "index").write_text("")
    told = Told()
    commands.status(box.machine, told)
    assert "damaged: generation 2" in told


def test_a_file_is_applied_as_it_is_comments_and_all(box: Box, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(altered(PEER))
    commands.apply_file(str(path), box.machine, Told())
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert chosen.read().site == path.read_bytes()
    assert changed(PEER).value.peers[4].asn == 65538
