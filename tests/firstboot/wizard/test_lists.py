"""Lists: steps back, and several lines of which some are bad."""

from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core import passwords
from firstboot.site.model import load
from firstboot.wizard.conversation import Abandoned, Why
from firstboot.wizard.draft import Draft
from qemu.lab.conversation import PASSWORD, Turn
from tests.firstboot.site.sites import ONE
from tests.firstboot.wizard.script import CONTROL_C
from tests.firstboot.wizard.talk import machine, talk

PORTS = "add, change N"
REVIEW = "save, change"
KEYS = "SSH public keys"
ADA, GRACE = load(ONE).value.management.keys[:2]


def whole(folder: Path) -> Draft:
    return Draft.from_site(folder / "draft.yaml", load(ONE).value, passwords.hashed(PASSWORD))


def prompts(draft: Draft, script: list[Turn]) -> list[str]:
    _, person = talk(draft, script)
    return [prompt.split(" (")[0].split(" [")[0] for prompt in person.prompts]


def test_back_in_the_list_goes_to_the_last_question_of_the_last_item(tmp_path: Path) -> None:
    script = [(REVIEW, "change ports"), (PORTS, "back")]
    assert prompts(whole(tmp_path), script)[-1] == "Largest packet in bytes"


def test_back_at_the_first_question_of_an_item_leaves_it_for_the_list(tmp_path: Path) -> None:
    script = [(REVIEW, "change ports"), (PORTS, "change 2"), ("Network card", "back"), (PORTS, "?")]
    assert prompts(whole(tmp_path), script)[-1].startswith("add, change N")


def test_back_again_goes_to_the_item_before_and_then_to_what_is_before_the_list(
    tmp_path: Path,
) -> None:
    script = [
        (REVIEW, "change ports"),
        (PORTS, "change 2"),
        ("Network card", "back"),
        (PORTS, "back"),
        ("Largest packet", "back"),
        ("Addresses of this port", "back"),
        ("VLAN tag", "back"),
        ("Name for this port [transit]", "back"),
        ("What it leads to", "back"),
        ("Network card", "back"),
        (PORTS, "back"),
    ]
    assert prompts(whole(tmp_path), script)[-1] == "Your prefixes"


def test_enter_after_a_step_back_forgets_which_item_was_left(tmp_path: Path) -> None:
    script = [
        (REVIEW, "change ports"),
        (PORTS, "change 1"),
        ("Network card", "back"),
        (PORTS, "list"),
        (PORTS, "change 1"),
        ("Network card", ""),
        ("What it leads to", ""),
        ("Name for this port", ""),
        ("VLAN tag", ""),
        ("Addresses of this port", ""),
        ("Largest packet", ""),
        (PORTS, "back"),
        ("Largest packet", ""),
    ]
    assert prompts(whole(tmp_path), script)[-1].startswith("add, change N")


@pytest.mark.parametrize(("part", "means"), [("ports", "port before"), ("peers", "peer before")])
def test_back_is_explained_in_the_list(part: str, means: str, tmp_path: Path) -> None:
    script = [(REVIEW, f"change {part}"), ("change N", "?")]
    _, person = talk(whole(tmp_path), script)
    assert f"  back      goes to the last question about the {means}\n" in person.screen


def test_a_bad_key_is_asked_for_again_and_the_good_ones_are_kept(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    draft.answer(("management", "keys"), [])
    script = [
        (KEYS, ADA),
        ("2>", "ssh-ed25519 AAAAbroken eve@example.org"),
        ("3>", GRACE),
        ("4>", ""),
        ("2>", "back"),
    ]
    _, person = talk(draft, script)
    assert "!! No: Line 2: This is a key that is cut off or mistyped." in person.screen
    assert "Line 1:" not in person.screen
    assert Draft.open(draft.path).get(("management", "keys")) == [ADA, GRACE]


@pytest.mark.parametrize(("again", "kept"), [("", [GRACE]), (ADA, [ADA, GRACE])])
def test_a_bad_line_is_left_out_or_corrected_in_its_place(
    again: str, kept: list[str], tmp_path: Path
) -> None:
    draft = whole(tmp_path)
    draft.answer(("management", "keys"), [])
    script = [
        (KEYS, "ssh-ed25519 AAAAbroken eve@example.org"),
        ("2>", GRACE),
        ("3>", ""),
        ("1>", "still no key"),
        ("1>", again),
        ("Networks that administrators", ""),
    ]
    talk(draft, script)
    assert draft.get(("management", "keys")) == kept


def test_back_takes_back_a_pasted_line_and_then_leaves_the_question(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    draft.answer(("management", "keys"), [])
    script = [(KEYS, ADA), ("2>", "back"), ("1>", GRACE), ("2>", ""), ("Networks that", "")]
    talk(draft, script)
    assert draft.get(("management", "keys")) == [GRACE]
    draft.answer(("management", "keys"), [])
    talk(draft, [(KEYS, ADA), ("2>", "back"), ("1>", "back"), ("Webhook for alarms", "")])


def test_back_leaves_a_paste_of_peers(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    count = draft.count("peers")
    paste = ("add, paste", "paste")
    line = "a 196801 peer 203.0.113.101"
    script = [(REVIEW, "change peers"), paste, ("1>", line), ("2>", "back"), ("1>", "back")]
    talk(draft, [*script, ("add, paste", "list")])
    assert draft.count("peers") == count


def test_a_way_to_the_administrators_is_missed_when_the_ports_are_complete(tmp_path: Path) -> None:
    """The ports are judged with the networks that administrators come from, where these are known,
    though the questions about management come later."""
    draft = whole(tmp_path)
    at = draft.count("ports") - 1
    assert draft.get(("ports", at, "role")) == "management"
    draft.answer(("management", "networks"), ["192.0.2.192/27", "198.18.0.0/24"])
    script = [
        (REVIEW, "change ports"),
        (PORTS, f"change {at + 1}"),
        ("Network card", ""),
        ("What it leads to", ""),
        ("Name for this port", ""),
        ("VLAN tag", ""),
        ("Addresses of this port", ""),
        ("Router on this link", "none"),
        ("Largest packet", ""),
        (PORTS, "done"),
        (PORTS, CONTROL_C),
        ("Leave?", "yes"),
    ]
    outcome, person = talk(draft, script)
    assert outcome == Abandoned(Why.LEFT)
    assert "198.18.0.0/24 may log in and is behind a router" in " ".join(person.screen.split())


def test_the_list_and_the_review_say_what_kind_of_machine_it_is(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    _, person = talk(
        draft, [(REVIEW, "list"), (REVIEW, "change operator")], replace(machine(), kind="REHEARSAL")
    )
    head = "REHEARSAL: not a release, and not for the Internet.\nOperator\n"
    assert person.screen.count(head) == 2
    assert "--- REHEARSAL: All answers -" in person.screen
    _, person = talk(draft, [(REVIEW, "list")])
    assert "REHEARSAL" not in person.screen


def test_the_end_of_the_input_is_told(tmp_path: Path) -> None:
    outcome, person = talk(whole(tmp_path), [])
    assert outcome == Abandoned(Why.LINE_LOST)
    assert "The input has ended. The answers are kept" in person.screen
