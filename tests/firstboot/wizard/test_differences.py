"""What saving changes, in words; and a change that was left unfinished."""

from pathlib import Path

from firstboot.core import passwords
from firstboot.site.model import load
from firstboot.wizard.conversation import Saved, converse
from firstboot.wizard.differences import differences
from firstboot.wizard.draft import Draft
from firstboot.wizard.unfinished import go_on_or_drop
from qemu.lab.conversation import PASSWORD, SAVE
from tests.firstboot.site.sites import ONE
from tests.firstboot.wizard.talk import Person, machine

HASH = passwords.hashed(PASSWORD)
SECRET = "nobody-guesses-8h2Kq"


def draft(folder: Path) -> Draft:
    return Draft.from_site(folder / "draft.yaml", load(ONE).value, HASH)


def test_the_same_answers_differ_in_nothing(tmp_path: Path) -> None:
    assert differences(draft(tmp_path), draft(tmp_path)) == []


def test_each_difference_has_the_words_of_its_question(tmp_path: Path) -> None:
    changed = draft(tmp_path)
    names = [str(changed.get(("peers", at, "name"))) for at in range(3)]
    changed.answer(("relays", "count"), "6")
    changed.answer(("ports", 0, "vlan"), "1203")
    changed.answer(("peers", 1, "md5"), SECRET)
    changed.answer(("peers", 0, "name"), "upstream-x")
    changed.answer(("management", "keys"), [changed.get(("management", "keys", 0))])
    changed.answer(("waivers", "no_management"), "Somebody is near.")
    changed.answer(("wizard", "root_password"), "$6$other")
    assert differences(draft(tmp_path), changed) == [
        'Port "transit", VLAN tag: none -> 1203',
        f'Peer "{names[0]}": removed',
        'Peer "upstream-x": new',
        f'Peer "{names[1]}", secret of the session: added',
        "How many relays: 4 -> 6",
        "SSH public keys: 0 added, 1 removed",
        "Rules set aside, no_management: none -> Somebody is near.",
        "Password of root: another one",
    ]


def test_the_review_says_what_save_changes(tmp_path: Path) -> None:
    changed = draft(tmp_path)
    changed.answer(("relays", "count"), "6")
    person = Person([SAVE])
    outcome = converse(person.terminal, changed, machine(), draft(tmp_path))
    assert isinstance(outcome, Saved)
    assert "What save changes on this box:\n  How many relays: 4 -> 6\n" in person.screen


def test_the_review_says_when_save_changes_nothing(tmp_path: Path) -> None:
    person = Person([SAVE])
    converse(person.terminal, draft(tmp_path), machine(), draft(tmp_path))
    assert "Nothing: these are the answers of the running configuration." in person.screen


def test_a_new_box_has_nothing_to_compare_with(tmp_path: Path) -> None:
    person = Person([SAVE])
    converse(person.terminal, draft(tmp_path), machine())
    assert "What save changes" not in person.screen


def unfinished(folder: Path) -> Draft:
    changed = draft(folder)
    changed.answer(("relays", "count"), "6")
    changed.answer(("peers", 0, "md5"), SECRET)
    return Draft.open(changed.path)


def test_an_unfinished_change_is_told_and_gone_on_with(tmp_path: Path) -> None:
    change = unfinished(tmp_path)
    person = Person([("go on or drop", "what?"), ("go on or drop", "")])
    assert go_on_or_drop(person.terminal, change, draft(tmp_path)) is change
    assert f"begun on {change.begun_at} has not been saved." in person.screen
    assert change.begun_at.endswith(" UTC")
    assert "  How many relays: 4 -> 6\n" in person.screen
    assert SECRET not in person.screen


def test_an_unfinished_change_is_dropped(tmp_path: Path) -> None:
    change, running = unfinished(tmp_path), draft(tmp_path)
    person = Person([("go on or drop", "drop")])
    assert go_on_or_drop(person.terminal, change, running) is running
    assert not change.path.exists()


def test_the_beginning_of_a_draft_is_that_of_its_first_answer(tmp_path: Path) -> None:
    first = draft(tmp_path)
    first.answer(("relays", "count"), "6")
    first.answer(("wizard", "begun"), "2026-01-02 at 03:04 UTC")
    first.answer(("relays", "count"), "7")
    assert Draft.open(first.path).begun_at == "2026-01-02 at 03:04 UTC"
