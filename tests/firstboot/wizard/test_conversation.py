"""Whole conversations, and what a person does besides answering."""

import itertools
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstboot.core import partial, passwords
from firstboot.core.document import Key, Plain
from firstboot.core.values import Asn
from firstboot.site.model import Peer, Routes, Site, load
from firstboot.wizard.conversation import Abandoned, Saved, Why, converse
from firstboot.wizard.draft import LISTS, NOTES, Draft
from firstboot.wizard.flow import SECTIONS
from firstboot.wizard.nics import Nic
from firstboot.wizard.prompts import OneOf, YesOrNo
from firstboot.wizard.terminal import MORE
from qemu.lab.conversation import BEGIN, PASSWORD, SAVE, Turn, asked, conversation
from tests.firstboot.site.sites import EXAMPLES, ONE, TWO, changed
from tests.firstboot.wizard.script import CONTROL_C, trying
from tests.firstboot.wizard.talk import NICS, Person, by_key, machine, talk

LEAVE = "Leave?"

PARTIAL = (
    "Network card",
    "What kind of peer",
    "Why may that be",
    "The same again",
    *(f"{number}>" for number in range(2, 9)),
)
"""Prompts before which there is nothing to keep: the first question about a list item, and the
prompts in the middle of an answer."""


def site_of(path: Path) -> Site:
    return load(path).value


def empty(folder: Path) -> Draft:
    return Draft.open(folder / "draft.yaml")


def until(script: list[Turn], prompt: str) -> list[Turn]:
    """Return the turns before the question that contains `prompt`."""
    at = next(at for at, (expected, _) in enumerate(script) if prompt in expected)
    return script[:at]


def whole(folder: Path, path: Path = ONE) -> Draft:
    """Return a draft with all answers."""
    draft = Draft.from_site(folder / "draft.yaml", site_of(path), passwords.hashed(PASSWORD))
    draft.keep()
    return draft


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_whole_conversation_makes_the_site(path: Path, tmp_path: Path) -> None:
    outcome, person = talk(empty(tmp_path), conversation(site_of(path)))
    assert isinstance(outcome, Saved)
    assert outcome.site.value == asked(site_of(path))
    assert passwords.matches(PASSWORD, outcome.root_password)
    assert "What the check says:" in person.screen
    assert "error:" not in person.screen


def test_many_peers_are_pasted_with_all_that_there_is_to_say_of_them(tmp_path: Path) -> None:
    site = site_of(TWO)
    first, *_ = site.peers
    signed = replace(first, name="another", md5="gWq0fuKpzh53RL4unxNq", max_prefix=500)
    static = replace(first, name="static", md5=None, gtsm=False, routes=Routes.STATIC)
    crowd = replace(site, peers=(*site.peers, *crowding(signed, static)))
    script = conversation(crowd)
    assert ("add, paste or done", "paste") in script
    outcome, _ = talk(empty(tmp_path), script)
    assert isinstance(outcome, Saved)
    assert outcome.site.value == asked(crowd)


def crowding(*peers: Peer) -> Iterator[Peer]:
    """`peers` with addresses at the exchange that nobody has."""
    for at, peer in enumerate(peers):
        yield replace(peer, asn=Asn(196801 + at), addresses=(ip_address(f"203.0.113.{200 + at}"),))


def test_mistakes_steps_back_and_pastes_do_not_change_the_site(tmp_path: Path) -> None:
    script, site = trying(site_of(TWO))
    outcome, person = talk(empty(tmp_path), by_key(script))
    assert isinstance(outcome, Saved)
    assert outcome.site.value == site
    assert "member-40" in person.screen


def test_no_secret_is_on_the_screen_and_others_cannot_read_the_draft(tmp_path: Path) -> None:
    site = site_of(TWO)
    script = [*conversation(site)[:-1], ("save, change", "list"), SAVE]
    _, person = talk(empty(tmp_path), script)
    for secret in [PASSWORD, *(peer.md5 for peer in site.peers if peer.md5)]:
        assert secret not in person.screen
    kept = tmp_path / "draft.yaml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert PASSWORD not in kept.read_text()


def test_after_an_interruption_the_open_question_is_asked_again(tmp_path: Path) -> None:
    """At every question of a conversation, what is on the disk is enough to go on from there."""
    script = conversation(site_of(TWO))
    kept = tmp_path / "draft.yaml"
    copies: list[Path] = []

    def copy() -> None:
        copies.append(tmp_path / f"copy-{len(copies)}")
        copies[-1].mkdir()
        if kept.exists():
            shutil.copy(kept, copies[-1])

    person = Person(script[1:], before=copy)
    assert isinstance(converse(person.terminal, Draft.open(kept), machine()), Saved)
    opened = ""
    for prompt, folder in zip(person.prompts, copies, strict=True):
        opened = opened if prompt.lstrip().startswith(PARTIAL) else prompt.split("[")[0]
        again = Person([])
        assert converse(again.terminal, empty(folder), machine()) == Abandoned(Why.LINE_LOST)
        assert again.prompts[-1].split("[")[0] == opened


def test_an_interrupted_conversation_ends_with_the_same_site(tmp_path: Path) -> None:
    script = conversation(site_of(TWO))
    for first, last in itertools.pairwise((0, 20, 41, 59)):
        outcome, _ = talk(empty(tmp_path), script[first:last])
        assert outcome == Abandoned(Why.LINE_LOST)
    outcome, _ = talk(empty(tmp_path), script[59:])
    assert isinstance(outcome, Saved)
    assert outcome.site.value == site_of(TWO)


def test_a_bad_answer_is_refused_with_the_reason_and_the_remedy(tmp_path: Path) -> None:
    before = until(conversation(site_of(ONE)), "Mail address for complaints")
    script = [*before, ("complaints", "abuse at example.org"), ("complaints", "a@example.org")]
    draft = empty(tmp_path)
    _, person = talk(draft, script)
    assert "!! No: 'abuse at example.org' is not a mail address. Write one such as" in person.screen
    assert draft.get(("operator", "abuse")) == "a@example.org"


def test_an_answer_that_does_not_fit_earlier_ones_is_refused(tmp_path: Path) -> None:
    before = until(conversation(site_of(ONE)), "Addresses of this port")
    answers = [
        ("Addresses of this port", "192.0.2.2"),
        ("Addresses of this port", "198.51.100.7/30"),
        ("Addresses of this port", "192.0.2.0/30"),
        ("Addresses of this port", "192.0.2.2/30"),
    ]
    _, person = talk(empty(tmp_path), [*before, *answers])
    seen = " ".join(person.screen.split())
    assert "'192.0.2.2' has no prefix length. Write it with" in seen
    assert "198.51.100.4/30 overlaps the own scopes" in seen
    assert "192.0.2.0/30 is the network's own address" in seen
    assert person.prompts[-1].startswith("Largest packet")


def test_an_empty_answer_where_there_is_no_default_is_asked_for_again(tmp_path: Path) -> None:
    _, person = talk(
        empty(tmp_path), [BEGIN, ("Whose addresses", ""), ("Name of the operator", "")]
    )
    assert "This question needs an answer." in person.screen
    assert person.prompts[-1].startswith("Name of the operator")


def test_every_question_has_help_with_an_example() -> None:
    for section in SECTIONS:
        for question in section.questions:
            closed = question.form.secret or isinstance(question.form, OneOf | YesOrNo)
            assert question.example or closed, question.text
            assert question.help
            assert len(question.text) < 60
            assert len(question.prompt) < 78


def test_a_question_mark_explains_and_asks_again(tmp_path: Path) -> None:
    script = [*until(conversation(site_of(ONE)), "Your prefixes"), ("Your prefixes", "?")]
    _, person = talk(empty(tmp_path), script)
    assert "  Example: 198.51.100.0/24 2001:db8:ee::/48\n" in person.screen
    assert person.prompts[-1].startswith("Your prefixes")


def test_back_goes_to_the_question_before_across_sections_and_keeps_answers(tmp_path: Path) -> None:
    script = [
        *until(conversation(site_of(ONE)), "Your AS number"),
        ("Your AS number", "back"),
        ("Country whose law applies [Washington, United States]", "back"),
        ("Web page of the operator [https://example.org]", "https://example.com"),
        ("Country whose law applies [Washington, United States]", ""),
    ]
    draft = empty(tmp_path)
    _, person = talk(draft, script)
    assert person.prompts[-1].startswith("Your AS number")
    assert draft.get(("operator", "url")) == "https://example.com"


def test_back_at_the_first_question_stays_there(tmp_path: Path) -> None:
    _, person = talk(empty(tmp_path), [BEGIN, ("Whose addresses", "back")])
    assert "This is the first question." in person.screen
    assert person.prompts[-1].startswith("Whose addresses")


def test_back_from_a_new_port_leaves_no_port_behind(tmp_path: Path) -> None:
    script = [
        *until(conversation(site_of(ONE)), "Network card"),
        ("Network card", "back"),
        ("add or done", "back"),
        ("Your prefixes", ""),
    ]
    draft = empty(tmp_path)
    _, person = talk(draft, script)
    assert draft.count("ports") == 0
    assert person.prompts[-1].startswith("add or done")


def test_list_shows_what_was_said_so_far(tmp_path: Path) -> None:
    script = until(conversation(site_of(ONE)), "Country whose law")
    _, person = talk(empty(tmp_path), [*script, ("Country whose law", "list")])
    assert "  web page        https://example.org\n" in person.screen
    assert "  law of          -\n" in person.screen


@pytest.mark.parametrize("answer", ["no", "", "what?"])
def test_control_c_asks_and_goes_on_where_it_was(answer: str, tmp_path: Path) -> None:
    script = [*until(conversation(site_of(ONE)), "Your AS number"), ("Your AS number", CONTROL_C)]
    outcome, person = talk(empty(tmp_path), [*script, (LEAVE, answer)])
    assert outcome == Abandoned(Why.LINE_LOST)
    assert person.prompts[-1].startswith("Your AS number")


@pytest.mark.parametrize(
    "leaving", [[("", CONTROL_C), (LEAVE, "yes")], [("", "quit"), (LEAVE, "y")]]
)
def test_at_every_question_a_person_may_leave_and_keeps_the_answers(
    leaving: list[Turn], tmp_path: Path
) -> None:
    script = conversation(site_of(ONE))
    for at in range(1, len(script), 13):
        draft = empty(tmp_path)
        draft.clear()
        taken = [*script[:at], *leaving]
        if script[at][0] in (">", "The same again", "Why may that be"):
            continue
        outcome, person = talk(draft, taken)
        assert outcome == Abandoned(Why.LEFT)
        assert "The answers are kept." in person.screen


def test_two_control_c_leave(tmp_path: Path) -> None:
    outcome, _ = talk(empty(tmp_path), [BEGIN, ("Whose", CONTROL_C), (LEAVE, CONTROL_C)])
    assert outcome == Abandoned(Why.LEFT)


def test_what_is_no_utf_8_is_refused_with_what_to_do(tmp_path: Path) -> None:
    script = [
        BEGIN,
        ("Whose addresses", ""),
        ("Name of the operator", "F\ufffdrening"),
        ("Name of the operator", "Förening"),
    ]
    draft = empty(tmp_path)
    _, person = talk(draft, script)
    assert "Set the terminal to UTF-8" in person.screen
    assert draft.get(("operator", "name")) == "Förening"


def test_an_option_is_chosen_by_number_name_or_first_letters(tmp_path: Path) -> None:
    before = until(conversation(site_of(ONE)), "What it leads to")
    for typed in ("2", "exchange", "EX", "e"):
        draft = empty(tmp_path)
        draft.clear()
        talk(draft, [*before, ("What it leads to", "6"), ("What it leads to", typed)])
        assert draft.get(("ports", 0, "role")) == "exchange"


def test_a_changed_role_forgets_what_no_longer_applies(tmp_path: Path) -> None:
    script = [
        ("save, change", "change ports"),
        ("add, change N", "change 4"),
        ("Network card [igb0]", ""),
        ("What it leads to [management]", "transit"),
    ]
    draft = whole(tmp_path)
    assert draft.get(("ports", 3, "gateway"))
    _, person = talk(draft, script)
    assert not draft.has(("ports", 3, "gateway"))
    assert person.prompts[-1].startswith("Name for this port")


def test_the_last_management_port_cannot_go_without_a_waiver(tmp_path: Path) -> None:
    script = [
        ("save, change", "change ports"),
        ("add, change N", "remove 4"),
        ("add, change N", "done"),
        ("add, change N", "waive"),
        ("Why may that be", "The box stands in our own office."),
        ("save, change", "change waivers"),
        ("Why documentation is set aside", ""),
        ("Why no_management is set aside", "none"),
    ]
    draft = whole(tmp_path)
    _, person = talk(draft, script)
    assert (
        "There is no management port, so whoever loses BGP loses the box with it." in person.screen
    )
    assert draft.get(("waivers",)) == {
        "documentation": "An example; nothing here is announced to anybody."
    }


def test_a_site_with_errors_is_not_saved_and_change_leads_to_the_first(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    draft.answer(("ports", 0, "addresses"), ["192.0.2.2/30", "2001:db8:ee::7/64"])
    draft.answer((("wizard"), "root_password"), passwords.hashed(PASSWORD))
    script = [
        ("Addresses of this port", "192.0.2.2/30"),
        ("Largest packet", ""),
        ("add, change N", "done"),
        ("[change]", "save"),
        ("[change]", "change"),
    ]
    _, person = talk(draft, script)
    assert "!! No: There are errors, see above." in person.screen
    assert person.prompts[-1].startswith("Router on the link that leads to it")


def test_starting_over_forgets_everything_after_asking(tmp_path: Path) -> None:
    script = [
        ("save, change", "start over"),
        ("Forget all answers", ""),
        ("save, change", "start over"),
        ("Forget all answers", "yes"),
    ]
    draft = whole(tmp_path)
    _, person = talk(draft, script)
    assert person.prompts[-1].startswith("Whose addresses")
    assert not draft.path.exists()


def test_a_part_is_changed_by_its_name_or_number(tmp_path: Path) -> None:
    script = [
        ("save, change", "change relays"),
        ("How many relays [4]", "6"),
        *[("[", "") for _ in range(6)],
        ("save, change", "change"),
        ("Which part", "2"),
        ("Name of the operator", "Another Foundation"),
        *[("[", "") for _ in range(4)],
        SAVE,
    ]
    outcome, _ = talk(whole(tmp_path), script)
    assert isinstance(outcome, Saved)
    assert outcome.site.value.relays.count == 6
    assert outcome.site.value.operator.name == "Another Foundation"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_site_that_is_reconfigured_is_shown_and_saved_as_it_is(
    path: Path, tmp_path: Path
) -> None:
    outcome, person = talk(whole(tmp_path, path), [SAVE])
    assert isinstance(outcome, Saved)
    assert outcome.site.value == site_of(path)
    assert "the one that is set" not in person.screen


@pytest.mark.parametrize(
    ("wrong", "prompt", "told"),
    [
        (("asn: 64511", "asn: 64512x"), "Your AS number", "'64512x' is not an AS number"),
        (("asn: 64511", "asn: 64513"), "Your AS number", "is for private use"),
        (("192.0.2.2/30", "192.0.2.0/30"), "Addresses of this port", "the network's own address"),
        (("asn: 64496", "asn: seven"), "Its AS number", "'seven' is not an AS number"),
        (("  count: 4", "  count: 999"), "How many relays", "999 is not between 1 and 256"),
        (("  abuse: abuse@example.org", "  abuse: nobody"), "Mail address for complaints", "mail"),
        (("asn: 64511", ""), "Your AS number", ""),
        (("    role: exchange", "    role: swap"), "What it leads to", "one of transit"),
    ],
)
def test_a_wrong_site_file_opens_at_its_first_wrong_answer(
    wrong: tuple[str, str], prompt: str, told: str, tmp_path: Path
) -> None:
    Draft.from_text(tmp_path / "draft.yaml", changed(wrong), "site.yaml").keep()
    _, person = talk(empty(tmp_path), [])
    assert person.prompts[-1].startswith(prompt)
    assert told in " ".join(person.screen.split())


def test_the_number_of_a_wrong_value_is_told(tmp_path: Path) -> None:
    before = until(conversation(site_of(ONE)), "Your prefixes")
    script = [*before, ("Your prefixes", "198.51.100.0/24 2001:db8::1/48")]
    _, person = talk(empty(tmp_path), script)
    assert (
        "!! No: Number 2: '2001:db8::1/48' has bits set behind the prefix length" in person.screen
    )


def test_no_line_and_no_screen_is_larger_than_the_terminal(tmp_path: Path) -> None:
    script = [*conversation(site_of(TWO))[:-1], ("save, change", "list"), ("save", "?"), SAVE]
    for prompt in ("Your prefixes", "What it leads to", "ContactInfo", "SSH public"):
        at = next(at for at, (expected, _) in enumerate(script) if prompt in expected)
        script.insert(at, (script[at][0], "?"))
    _, person = talk(empty(tmp_path), script, paged=True)
    typed = [answer for _, answer in script if answer]
    unread = 0
    assert MORE in person.screen
    for line in person.screen.splitlines():
        answered = line.startswith(MORE) or any(prompt in line for prompt in person.prompts)
        unread = 1 if answered else unread + 1
        assert unread <= 24
        assert len(line) <= 79 or any(line.endswith(answer) for answer in typed), line


def test_a_card_that_is_not_there_is_noted(tmp_path: Path) -> None:
    before = until(conversation(site_of(ONE)), "Network card")
    _, person = talk(empty(tmp_path), [*before, ("Network card", "ix7")])
    assert "   Taken. Note: There is no card ix7 in this box now." in person.screen
    assert person.prompts[-1].startswith("What it leads to")


def test_the_card_whose_cable_is_unplugged_is_found(tmp_path: Path) -> None:
    looks: list[tuple[Nic, ...]] = []

    def look() -> tuple[Nic, ...]:
        gone = Nic("ix1", NICS[1].driver, NICS[1].mac, False, "")
        looks.append(NICS if unplugged not in person.screen else (NICS[0], gone, *NICS[2:]))
        return looks[-1]

    unplugged = "seconds and press Enter: \n"
    script = [
        *until(conversation(site_of(ONE)), "Network card"),
        ("Network card [ix0]", "find"),
        ("press Enter", ""),
        ("What it leads to", "back"),
    ]
    person = Person(script[1:])
    draft = empty(tmp_path)
    converse(person.terminal, draft, machine(nics=look))
    assert "The link of ix1 has changed" in person.screen
    assert draft.get(("ports", 0, "device")) == "ix1"


def test_cards_are_up_from_the_ports_to_the_end_alone(tmp_path: Path) -> None:
    prompts: list[int] = []
    person = Person(until(conversation(site_of(ONE)), "What it leads to")[1:])

    @contextmanager
    def raised() -> Iterator[None]:
        prompts.append(len(person.prompts))
        try:
            yield
        finally:
            prompts.append(len(person.prompts))

    converse(person.terminal, empty(tmp_path), machine(raised=raised))
    first = next(at for at, prompt in enumerate(person.prompts) if prompt.startswith("add or"))
    assert prompts == [first, len(person.prompts)]


def test_keys_are_taken_from_the_stick(tmp_path: Path) -> None:
    keys = site_of(ONE).management.keys
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "ada.pub").write_text(f"{keys[0]}\r\n")
    (stick / "GRACE.PUB").write_text(f"# hers\n{keys[1]}\n")
    (stick / "id_rsa").write_text("-----BEGIN OPENSSH PRIVATE KEY-----")
    (stick / "._ada.pub").write_bytes(bytes(range(256)))
    script = [
        *until(conversation(site_of(ONE)), "SSH public keys"),
        ("SSH public keys", "stick"),
        ("Which of them", "9"),
        ("SSH public keys", "stick"),
        ("Which of them", "1 2"),
        ("Networks that", ""),
    ]
    draft = empty(tmp_path)
    _, person = talk(draft, script, machine(stick=stick))
    assert "Keys on the stick: " in person.screen
    assert "PRIVATE" not in person.screen
    kept = draft.get(("management", "keys"))
    assert isinstance(kept, list)
    assert sorted(map(str, kept)) == sorted(keys)


def test_without_a_stick_that_is_said(tmp_path: Path) -> None:
    script = [*until(conversation(site_of(ONE)), "SSH public keys"), ("SSH public keys", "stick")]
    _, person = talk(empty(tmp_path), script, machine(stick=tmp_path / "missing"))
    assert "There is no file with keys on the stick." in person.screen


def test_a_weak_or_mistyped_password_is_refused(tmp_path: Path) -> None:
    script = [
        ("Password of root", "short"),
        ("Password of root", "passwordpassword"),
        ("Password of root", PASSWORD),
        ("The same again", PASSWORD + "x"),
        ("Password of root", PASSWORD),
        ("The same again", PASSWORD),
    ]
    draft = Draft.from_site(tmp_path / "draft.yaml", site_of(ONE))
    _, person = talk(draft, script)
    assert "It has fewer than 12 characters" in person.screen
    assert "words, repetitions or sequences" in person.screen
    assert "The second one is not the same as the first." in person.screen
    assert passwords.matches(PASSWORD, draft.root_password or "")


def _parts() -> list[tuple[Key, Plain]]:
    """Return all answers of a conversation, in their order."""
    tree = partial.of(site_of(TWO))
    assert isinstance(tree, dict)
    parts: list[tuple[Key, Plain]] = []
    for name, part in tree.items():
        match part:
            case dict():
                parts += [((name, key), value) for key, value in part.items()]
            case [dict(), *_]:
                for at, item in enumerate(part):
                    assert isinstance(item, dict)
                    parts += [((name, at, key), value) for key, value in item.items()]
                parts.append(((NOTES, "finished"), list(LISTS[: LISTS.index(name) + 1])))
            case _:
                parts.append(((name,), part))
    return parts


PARTS = _parts()

ANYTHING = st.sampled_from(
    ["", "?", "back", "list", "none", "add", "paste", "done", "waive", "change 1", "remove 1",
     "change", "find", "stick", "1", "2", "yes", "save", "start over", "quit", "no", CONTROL_C,
     "::", "-1", "198.51.100.0/24", "64511", "a@example.org", "[", "{n}", "é\ufffd", "x" * 3000,
     "\u2028", "&a", "- b", "null", "a: b", '"', "'", "reject *:*", "ix0", "192.0.2.2/30"]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)  # fmt: skip


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=st.integers(0, 70), answers=st.lists(ANYTHING, max_size=12))
def test_no_answer_ends_the_conversation_but_leaving(
    start: int, answers: list[str], tmp_path: Path
) -> None:
    """From any point of a conversation, whatever is typed."""
    draft = empty(tmp_path)
    draft.clear()
    for key, value in PARTS[: start % len(PARTS)]:
        draft.answer(key, value)
    person = Person([("", answer) for answer in answers])
    outcome = converse(person.terminal, draft, machine())
    assert isinstance(outcome, Abandoned | Saved)
    assert Draft.open(draft.path).answers == draft.answers


def test_another_kind_of_network_forgets_what_no_longer_applies(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    script = [("save, change", "change kind"), ("Whose addresses", "provider")]
    talk(draft, script)
    assert not draft.has(("asn",))
    assert draft.count("peers") == 0
    assert draft.count("ports") == 4
