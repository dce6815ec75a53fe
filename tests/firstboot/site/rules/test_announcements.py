"""What is wrong with how a site announces its scopes to a peer."""

import pytest

from firstboot.core import document
from firstboot.core.document import Faulty
from firstboot.site.check import Finding, Severity, check
from firstboot.site.model import Site
from tests.firstboot.site.sites import ONE, changed, found, says

UPSTREAM, SERVER = "asn: 64496\n    role: transit\n", "asn: 64497\n    role: route-server\n"


def said(entries: str, peer: str = UPSTREAM) -> list[Finding]:
    return found((peer, f"{peer}    announce: [{entries}]\n"))


def test_nothing_is_wrong_with_what_can_be_said() -> None:
    assert not said("{prepend: 2}, {scopes: [198.51.100.0/24], med: 0, communities: [64496:70]}")
    assert not said("{communities: [0:64500, 64497:101:64501, 64512:7]}", SERVER)
    assert not said("{communities: [64497:0:0, 64497:1:0, 0:64497, 64497:64497]}", SERVER)


@pytest.mark.parametrize(
    ("entries", "key", "reason"),
    [
        ("{prepend: 9}", "prepend", "9 is not between 0 and 8"),
        ("{med: 4294967296}", "med", "4294967296 is not between 0 and 4294967295"),
        ("{prepend: 1, scopes: [198.51.100.0/25]}", "scopes[0]", "198.51.100.0/25 is no scope"),
        ("{communities: [65535:666]}", "communities[0]", "drop everything that goes to the scope"),
        ("{communities: [64511:1:3]}", "communities[0]", "the box marks its own routes"),
        ("{communities: [64496:1, 64496:1]}", "communities[1]", "64496:1 is there twice"),
    ],
)
def test_an_entry_is_refused(entries: str, key: str, reason: str) -> None:
    line = ONE.read_text()[: ONE.read_text().index(UPSTREAM)].count("\n") + 3
    assert says(said(entries), Severity.ERROR, f"peers[0].announce[0].{key}", reason, line)


@pytest.mark.parametrize(
    ("part", "remedy"),
    [
        ("2001:db8:ee::/49", "Write 2001:db8:ee::/48: other networks accept no prefix as long as"),
        ("198.51.100.0/24", "list the parts as scopes in its place, here 198.51.100.0/24 and"),
        ("203.0.113.0/24", "add this one to them"),
    ],
)
def test_what_to_do_about_a_part_of_a_scope(part: str, remedy: str) -> None:
    wider = ("  - 198.51.100.0/24", "  - 198.51.100.0/23")
    entry = f"    announce: [{{scopes: [{part}], prepend: 1}}]\n"
    (told,) = [
        one
        for one in found(wider, (UPSTREAM, f"{UPSTREAM}{entry}"))
        if one.key == ("peers", 0, "announce", 0, "scopes", 0)
    ]
    assert remedy in told.remedy


def test_a_scope_may_be_withheld_or_kept_by_a_peer() -> None:
    peer = "asn: 64500\n    role: peer\n"
    v6 = "{scopes: [2001:db8:ee::/48], withheld: yes}"
    assert not said(f"{{no_export: yes}}, {v6}", peer)
    assert not said(f"{v6}", SERVER)


def test_what_is_withheld_has_nothing_on_it() -> None:
    findings = said("{scopes: [198.51.100.0/24], withheld: yes, prepend: 1}")
    key = "peers[0].announce[0].withheld"
    assert says(findings, Severity.ERROR, key, "does not hear of these scopes")


def test_a_peer_that_hears_of_nothing_is_told() -> None:
    findings = said("{withheld: yes}", SERVER)
    assert says(findings, Severity.WARNING, "peers[1].announce", "hears of no scope")


@pytest.mark.parametrize("entry", ["withheld: yes", "no_export: yes"])
def test_a_scope_that_no_transit_tells_others_is_told(entry: str) -> None:
    findings = said(f"{{scopes: [198.51.100.0/24], {entry}}}")
    assert says(findings, Severity.WARNING, "scopes[0]", "no transit tells others of the scope")
    assert not says(findings, Severity.WARNING, "scopes[1]", "")


def test_a_scope_that_is_withheld_from_everybody_is_an_error() -> None:
    more = "    announce: [{scopes: [2001:db8:ee::/48], withheld: yes}]\n"
    peers = (UPSTREAM, SERVER, "asn: 64500\n    role: peer\n")
    findings = found(*((peer, peer + more) for peer in peers))
    assert says(findings, Severity.ERROR, "scopes[1]", "withheld from every peer")


def test_the_community_by_which_the_peer_drops_is_refused() -> None:
    more = f"{UPSTREAM}    blackhole: 64496:6:6\n    announce: [{{communities: [64496:6:6]}}]\n"
    key = "peers[0].announce[0].communities[0]"
    assert says(found((UPSTREAM, more)), Severity.ERROR, key, "to drop everything")


def test_a_scope_has_one_entry() -> None:
    findings = said(
        "{prepend: 1}, {med: 1}, {scopes: [198.51.100.0/24], med: 1}, "
        "{scopes: [198.51.100.0/24], med: 2}"
    )
    assert says(findings, Severity.ERROR, "peers[0].announce[1]", "second entry without scopes")
    assert says(findings, Severity.ERROR, "peers[0].announce[3].scopes[0]", "is there already")


def test_an_entry_that_says_nothing_is_told_unless_it_is_an_exception() -> None:
    plain, general = "{scopes: [198.51.100.0/24]}", "{prepend: 1}"
    says_nothing = "the entry says nothing of its scopes"
    assert says(said(plain), Severity.WARNING, "peers[0].announce[0]", says_nothing)
    assert not said(f"{general}, {plain}")


def test_communities_of_another_network_are_told_at_a_route_server() -> None:
    findings = said("{communities: [64499:64500, 64499:0:64500]}", SERVER)
    for nth in (0, 1):
        key = f"peers[1].announce[0].communities[{nth}]"
        assert says(findings, Severity.WARNING, key, "does not look like a community of the route")


@pytest.mark.parametrize("pair", ["64497:64500, 0:64500", "64497:1:64500, 64497:0:64500"])
def test_a_route_server_is_not_asked_for_both(pair: str) -> None:
    key = "peers[1].announce[0].communities[0]"
    findings = said(f"{{communities: [{pair}]}}", SERVER)
    assert says(findings, Severity.ERROR, key, "pass the scope on to AS64500, and by")


def test_a_well_known_community_and_a_number_that_is_too_large_are_refused() -> None:
    for community, problem in (
        ("65535:65281", "is a well-known community"),
        ("0:4200000000", "has a number above 65535 in it"),
        ("64497:prepend", "is not a community"),
    ):
        text = changed((SERVER, f"{SERVER}    announce: [{{communities: ['{community}']}}]\n"))
        with pytest.raises(Faulty) as caught:
            document.parse(text, "site.yaml", Site)
        (fault,) = caught.value.faults
        assert problem in fault.problem
        assert "such as 64500:666 or 64500:666:0" in fault.remedy


def test_it_is_a_key_of_schema_2() -> None:
    text = changed(
        ("schema: 2", "schema: 1"), (UPSTREAM, f"{UPSTREAM}    announce: [{{prepend: 1}}]\n")
    )
    findings = check(document.parse(text, "site.yaml", Site))
    reason = "this key is known since schema 2, and the file has schema 1"
    assert says(findings, Severity.ERROR, "peers[0].announce", reason)
