"""What an administrator asks a configured box."""

from pathlib import Path

import pytest

from firstboot.box import commands
from firstboot.core.refusal import Refusal
from tests.firstboot.box.box import Box, altered, changed, example
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
    with pytest.raises(Refusal, match="there is no generation before it"):
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


def test_the_status_names_what_is_not_as_it_has_to_be(box: Box) -> None:
    configured(box)
    box.programs.up.discard("exitisp_relays")
    box.answer("pfctl -s info", "Status: Disabled")
    told = Told()
    assert commands.status(box.machine, told) is False
    assert "DOWN: relays" in told
    assert "NOT SO: pf guards every port towards strangers: pf is off" in told


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
    commands.apply_file(path, box.machine, Told())
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert chosen.read().site == path.read_bytes()
    assert changed(PEER).value.peers[4].asn == 65538
