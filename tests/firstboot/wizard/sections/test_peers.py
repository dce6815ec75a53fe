"""Peers that are pasted."""

from pathlib import Path

import pytest

from firstboot.core import partial, passwords
from firstboot.core.values import Asn
from firstboot.site.model import Peer, PeerRole, Site, load
from firstboot.wizard.conversation import Saved
from firstboot.wizard.draft import NOTES, Draft
from firstboot.wizard.paste import parse_line
from firstboot.wizard.sections.peers import SECTION
from qemu.lab.conversation import PASSWORD, SAVE, Turn, about, pasted_line
from tests.firstboot.site.sites import EXAMPLES, ONE
from tests.firstboot.wizard.script import CONTROL_C
from tests.firstboot.wizard.talk import talk

FORTY = [
    f"member-{n} {196800 + n} peer 203.0.113.{100 + n} 2001:db8:200::1:{n:x} max={n + 10}"
    for n in range(1, 41)
]
SECRET = "tz7Q-pLm4_wXr9"
PEERS = "add, paste, change N"


def whole(folder: Path) -> Draft:
    site = load(ONE).value
    return Draft.from_site(folder / "draft.yaml", site, passwords.hashed(PASSWORD))


def pasting(lines: list[str]) -> list[Turn]:
    """Return the turns from the review to the list of peers, and a paste there."""
    pasted = [(">", line) for line in [*lines, ""]]
    return [("save, change", "change peers"), (PEERS, "paste"), *pasted]


def test_forty_peers_are_pasted_at_once(tmp_path: Path) -> None:
    outcome, person = talk(whole(tmp_path), [*pasting(FORTY), (PEERS, "done"), SAVE])
    assert isinstance(outcome, Saved)
    site: Site = outcome.site.value
    assert len(site.peers) == 43
    assert [(peer.name, int(peer.asn), peer.max_prefix) for peer in site.peers[3:]] == [
        (f"member-{n}", 196800 + n, n + 10) for n in range(1, 41)
    ]
    assert "Taken: 40 peers. There are 43 now." in person.screen


def test_a_pasted_peer_has_all_that_the_questions_would_have_given_it() -> None:
    asked_for = [question.key[0] for question in SECTION.questions]
    for path in EXAMPLES:
        for peer in load(path).value.peers:
            answers = partial.of(peer)
            assert isinstance(answers, dict)
            typed = parse_line(pasted_line(peer))
            assert {*typed} <= {*asked_for}
            for key in asked_for:
                assert typed.get(key, answers[key]) == answers[key], (peer.name, key)
                assert key in typed or not getattr(peer, key) or key == "hops", (peer.name, key)


def test_a_transit_may_name_the_community_for_floods(tmp_path: Path) -> None:
    lines = [
        "drops 196801 transit 203.0.113.101 blackhole=65535:666",
        "peers 196802 peer 203.0.113.102 blackhole=65535:666",
        "wrong 196803 transit 203.0.113.103 blackhole=666",
    ]
    draft = whole(tmp_path)
    _, person = talk(draft, [*pasting(lines), (PEERS, "list")])
    seen = " ".join(person.screen.split())
    assert "Taken: 1 peer. There are 4 now." in seen
    assert draft.get(("peers", 3, "blackhole")) == "65535:666"
    assert "Line 2 is not taken: community for floods: Only transits are asked to drop" in seen
    assert "Line 3 is not taken: community for floods:" in seen


def test_only_a_transit_is_asked_for_it() -> None:
    (question,) = [one for one in SECTION.questions if one.key == ("blackhole",)]
    assert question.text in {prompt for prompt, _ in about(peer("transit"))}
    assert question.text not in {prompt for prompt, _ in about(peer("peer"))}


def peer(role: str) -> Peer:
    return Peer(name="a", asn=Asn(64496), role=PeerRole(role), addresses=())


def test_wrong_lines_are_told_and_the_others_are_taken(tmp_path: Path) -> None:
    lines = [
        "good 196801 peer 203.0.113.101",
        "short 196802 peer",
        "swapped peer 196803 203.0.113.103",
        "foreign 196804 peer 10.0.0.1",
        "odd 196805 friend 203.0.113.105",
        "same 196806 peer 203.0.113.101",
        "strange 196807 peer 203.0.113.107 colour=red",
        "number none peer 203.0.113.108",
        "signed 196809 route-server 203.0.113.109 md5=tz7QpLm4wXr9aabR gtsm irr=AS-MANY",
    ]
    draft = whole(tmp_path)
    _, person = talk(draft, [*pasting(lines), (PEERS, "list")])
    seen = " ".join(person.screen.split())
    for number, why in {
        2: "A name, an AS number, a role and an address are needed.",
        3: "The AS number comes before the role.",
        4: "10.0.0.1 is in the network of no port",
        5: "Answer transit, peer, route-server or twin, or its number.",
        6: "203.0.113.101 is also an address of 'good'",
        7: "There is no option 'colour'. Use md5=, max=, irr=, routes=, blackhole=, gateway=, "
        "hops= or networks=.",
        8: "its AS number:",
    }.items():
        assert f"Line {number} is not taken: " in seen
        assert why in seen, why
    assert "Taken: 2 peers. There are 5 now." in seen
    assert draft.get(("peers", 4, "md5")) == "tz7QpLm4wXr9aabR"
    assert draft.get(("peers", 4, "gtsm")) == "yes"


def test_a_secret_in_a_paste_is_not_shown(tmp_path: Path) -> None:
    lines = [f"a 196801 peer 203.0.113.101 md5={SECRET}xx", "b 196802 peer 203.0.113.102"]
    _, person = talk(whole(tmp_path), pasting(lines))
    assert SECRET not in person.screen
    assert "a 196801 peer 203.0.113.101 md5=\n" in person.screen
    assert "b 196802 peer 203.0.113.102\n" in person.screen


def test_control_c_ends_a_paste_and_takes_nothing(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    script = [*pasting(FORTY[:3])[:-1], (">", CONTROL_C), (PEERS, "list")]
    _, person = talk(draft, script)
    assert "Nothing of it is taken." in person.screen
    assert draft.count("peers") == 3


def test_a_scope_that_no_peer_hears_of_is_told_when_the_peers_are_complete(tmp_path: Path) -> None:
    draft = whole(tmp_path)
    draft.answer(("peers",), [draft.get(("peers", 0))])
    draft.answer(("peers", 0, "addresses"), ["192.0.2.1"])
    draft.answer((NOTES, "finished"), ["ports"])
    _, person = talk(draft, [(PEERS, "done")])
    assert "No peer has an IPv6 address" in " ".join(person.screen.split())
    assert not draft.finished("peers")


@pytest.mark.parametrize("line", ["", "a", "a 1 peer", "a 1 peer ::1 x=", "= = = ="])
def test_what_is_no_peer_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_line(line)
