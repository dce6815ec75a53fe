"""The wizard's words for the parts of a site."""

import re
from pathlib import Path

import pytest

from firstboot.core.document import Key
from firstboot.site.model import load
from firstboot.wizard.conversation import converse
from firstboot.wizard.draft import Draft
from firstboot.wizard.wording import in_words, place
from qemu.lab.conversation import Turn
from tests.firstboot.site.sites import ONE, changed
from tests.firstboot.wizard.talk import Person, machine

KEY = re.compile(r"\w\[\d+\]|\b(management|relays|dns|family|operator|peers|ports)\.[a-z_]+\b")
"""How a site file's keys look."""


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (("ports", 0), 'Port 1 "transit"'),
        (("ports", 9), "Port 10"),
        (("ports", 0, "vlan"), 'Port 1 "transit", VLAN tag'),
        (("ports", 1, "mac"), 'Port 2 "exchange", Ethernet address for the exchange'),
        (("peers", 0, "asn"), 'Peer 1 "transit-a", its AS number'),
        (("scopes", 1), "Your prefixes, number 2"),
        (("asn",), "Your AS number"),
        (("relays", "family", "ids"), "Family ids"),
        (("management", "keys", 1), "SSH public keys, number 2"),
        (("ports",), "The ports"),
        (("relays",), "The relays"),
        (("waivers", "documentation"), "Rules set aside: documentation"),
        (("schema",), "The version of the site file"),
        ((), ""),
    ],
)
def test_a_part_is_called_as_it_is_asked_for(key: Key, name: str) -> None:
    draft = Draft.from_site(Path("none"), load(ONE).value)
    tree = draft.answers
    tree["peers"][0]["name"] = "transit-a"  # type: ignore[index,call-overload]
    assert place(key, tree) == name


def test_keys_inside_a_sentence_are_replaced() -> None:
    answers = Draft.from_site(Path("none"), load(ONE).value).answers
    told = in_words("it is the same key as management.keys[0], see family.ids", answers)
    assert told == 'it is the same key as "SSH public keys, number 1", see "Family ids"'
    assert in_words("relays in a rack; dns works", answers) == "relays in a rack; dns works"
    mail = "give one such as abuse@example.org"
    assert in_words(mail, answers) == mail


@pytest.mark.parametrize(
    "wrong",
    [
        ("192.0.2.2/30", "192.0.2.0/30"),
        ("asn: 64496", "asn: 64513"),
        ("  count: 4", "  count: 999"),
        ("198.51.100.0/24", "198.51.100.0/25"),
        ("    role: exchange", "    role: swap"),
        ("asn: 64511", "asn: x"),
    ],
)
def test_no_screen_has_a_key_of_the_site_file(wrong: tuple[str, str], tmp_path: Path) -> None:
    Draft.from_text(tmp_path / "draft.yaml", changed(wrong), "site.yaml").keep()
    script: list[Turn] = [("", "list")]
    person = Person(script)
    converse(person.terminal, Draft.open(tmp_path / "draft.yaml"), machine())
    assert "!! No: " in person.screen
    assert not KEY.search(person.screen), KEY.search(person.screen)
