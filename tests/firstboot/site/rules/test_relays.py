"""Relays, their addresses and the resolver's: one use for each, inside the scopes."""

import pytest

from firstboot.core.scalars import Malformed
from firstboot.site.check import Severity
from firstboot.site.exit_policy import Destination, ExitRule
from tests.firstboot.site.sites import ROOT, TWO, found, says

ERROR, WARNING, ADVICE = Severity

SIX = ROOT / "examples" / "ipv6-heavy.yaml"
COUNT = "  count: 4\n"
NAME = "nickname: ExampleExit{n}"


def with_dns(addresses: str) -> tuple[str, str]:
    return ("management:\n  keys", f"dns:\n  addresses: [{addresses}]\nmanagement:\n  keys")


def with_router(addresses: str) -> tuple[str, str]:
    return ("management:\n  keys", f"router: [{addresses}]\nmanagement:\n  keys")


def with_relays(text: str) -> tuple[str, str]:
    return (COUNT, f"{COUNT}  {text}\n")


@pytest.mark.parametrize(
    ("changes", "severity", "key", "reason"),
    [
        ([(COUNT, "  count: 0\n")], ERROR, "relays.count", "0 is not between 1 and 256"),
        ([(COUNT, "  count: -3\n")], ERROR, "relays.count", "-3 is not between 1 and 256"),
        ([(COUNT, "  count: 257\n")], ERROR, "relays.count", "257 is not between 1 and 256"),
        ([(NAME, "nickname: AVeryLongNameOfExit{n}")], ERROR, "relays.nickname",
         "relay 1 would be 'AVeryLongNameOfExit1', which is longer than 19"),
        ([(NAME, "nickname: AnExactlyNineteen{n}"), (COUNT, "  count: 100\n")], ERROR,
         "relays.nickname", "relay 100 would be"),
        ([(NAME, "nickname: exit-{n}")], ERROR, "relays.nickname", "not of letters and digits"),
        ([(NAME, "nickname: 'éxit{n}'")], ERROR, "relays.nickname", "not of letters and digits"),
        ([(NAME, "nickname: ''")], ERROR, "relays.nickname", "empty"),
        ([(NAME, "nickname: exit")], ERROR, "relays.nickname", "the same name"),
        ([with_relays("contact_info: nobody")], WARNING, "relays.contact_info", "no mail address"),
        ([with_relays("contact_info: a@example.org")], ADVICE, "relays.contact_info", "CIISS"),
        ([with_relays("contact_info: 'a@example.org # b'")], ERROR, "relays.contact_info", "#"),
        ([with_relays("contact_info: ''")], ERROR, "relays.contact_info", "must have 1 to 500"),
        ([with_relays("bandwidth_mbit: 0")], ERROR, "relays.bandwidth_mbit", "0 is not between"),
        ([with_relays("bandwidth_mbit: 5")], WARNING, "relays.bandwidth_mbit", "little use"),
        ([with_relays("bandwidth_mbit: 999999")], ERROR, "relays.bandwidth_mbit", "is not between"),
        ([with_relays("rules: [accept *:80]")], ERROR, "relays.rules", "reduced has its own rules"),
        ([with_relays("block: [192.0.2.7, '192.0.2.7:*']")], ERROR, "relays.block[1]", "twice"),
        ([with_relays("block: ['0.0.0.0/0:25']")], ERROR, "relays.block[0]", "so large"),
        ([with_relays("block: ['2000::/3']")], ERROR, "relays.block[0]", "so large"),
        ([with_relays("policy: own")], ERROR, "relays.rules", "there are no rules"),
        ([with_relays("policy: own\n  rules: [accept *:80, allow *:443]")], ERROR,
         "relays.rules[1]", "'allow *:443' is not a rule of an exit policy"),
        ([with_relays("policy: own\n  rules: [accept *:80]")], WARNING, "relays.rules",
         "no Exit flag"),
        ([with_relays("policy: own\n  rules: [accept *:80]")], ADVICE, "relays.rules", "the rest"),
        ([with_relays("policy: own\n  rules: [accept *:*]")], WARNING, "relays.rules", "port 25"),
        ([with_relays("policy: own\n  rules: ['reject *:*', accept *:80]")], WARNING,
         "relays.rules[1]", "never used"),
        ([with_relays("policy: own\n  rules: ['accept private:*']")], ERROR, "relays.rules[0]",
         "private networks"),
        ([with_relays("policies: [{policy: web}]")], ERROR, "relays.policies[0]", "no relay is"),
        ([with_relays("policies: [{relays: [1, 5], policy: web}]")], ERROR,
         "relays.policies[0].relays[1]", "there is no relay 5"),
        ([with_relays("policies: [{relays: [2]}, {relays: [0, 2]}]")], ERROR,
         "relays.policies[1].relays[0]", "there is no relay 0"),
        ([with_relays("policies: [{relays: [2]}, {relays: [2]}]")], ERROR,
         "relays.policies[1].relays[0]", "relay 2 is named already"),
        ([with_relays("policies: [{relays: [1], rules: [accept *:80]}]")], ERROR,
         "relays.policies[0].rules", "reduced has its own rules"),
        ([with_relays("policies: [{relays: [1], policy: own}]")], ERROR,
         "relays.policies[0].rules", "there are no rules"),
        ([with_relays("policies: [{relays: [1], policy: own, rules: [allow *:443]}]")], ERROR,
         "relays.policies[0].rules[0]", "is not a rule of an exit policy"),
        ([with_relays("policies: [{relays: [1], policy: own, rules: ['accept private:*']}]")],
         ERROR, "relays.policies[0].rules[0]", "private networks"),
        ([with_relays("family: {ids: [abc]}")], ERROR, "relays.family.ids[0]", "not a family id"),
        ([with_relays("family: {ids: [" + "A" * 42 + "B]}")], ERROR, "relays.family.ids[0]",
         "not a family id"),
        ([with_relays("family: {ids: [" + "A" * 43 + "," + "A" * 43 + "]}")], ERROR,
         "relays.family.ids[1]", "twice"),
        ([with_relays("family: {members: [" + "0" * 39 + "]}")], ERROR, "relays.family.members[0]",
         "not the fingerprint"),
        ([with_relays("family: {members: [" + "A" * 40 + ", $" + "a" * 40 + "]}")], ERROR,
         "relays.family.members[1]", "twice"),
        ([with_relays("or_addresses: [192.0.2.70]")], ERROR, "relays.or_addresses[0]",
         "in none of the scopes"),
        ([with_relays("exit_addresses: [192.0.2.70]")], ERROR, "relays.exit_addresses[0]",
         "in none of the scopes"),
        ([with_dns("192.0.2.70")], ERROR, "dns.addresses[0]", "in none of the scopes"),
        ([with_router("192.0.2.70")], ERROR, "router[0]", "in none of the scopes"),
        ([with_dns("198.51.100.12")], ERROR, "dns.addresses[0]",
         "the resolver's source and also where exit traffic comes from; name servers drop"),
        ([with_dns("198.51.100.11")], ERROR, "dns.addresses[0]", "and also where relays listen"),
        ([with_dns('"2001:db8:ee:80::3"')], ERROR, "dns.addresses[0]", "where exit traffic comes"),
        ([with_relays("exit_addresses: [198.51.100.2]")], ERROR, "relays.exit_addresses[0]",
         "the resolver's source and also where exit traffic"),
        ([with_relays("exit_addresses: [198.51.100.11]")], ERROR, "relays.exit_addresses[0]",
         "where relays listen and also where exit traffic comes from; exit addresses end up"),
        ([with_router("198.51.100.12")], ERROR, "router[0]", "the router's and also where exit"),
        ([with_router("198.51.100.129")], ERROR, "router[0]", "an address of the port 'lan'"),
        ([with_router("198.51.100.3, 198.51.100.4")], ERROR, "router[1]", "one IPv4 address"),
        ([with_dns("198.51.100.3, 198.51.100.3")], ERROR, "dns.addresses[1]", "twice"),
        ([with_dns("198.51.100.255")], WARNING, "dns.addresses[0]", "is the broadcast address"),
        ([with_relays("or_addresses: [198.51.100.3, 198.51.100.4]")], WARNING,
         "relays.or_addresses[1]", "no relay uses 198.51.100."),
        ([with_relays("exit_addresses: [198.51.100.3, 198.51.100.4, 198.51.100.5]")], WARNING,
         "relays.exit_addresses[2]", "no relay uses 198.51.100.5: 4 relays need 1 IPv4 "
         "addresses, or 4 to have one each"),
        ([with_router("198.51.100.77")], ERROR, "router[0]", "the router's and also where exit"),
    ],
)  # fmt: skip
def test_relays_are_judged_as_the_field_does(
    changes: list[tuple[str, str]], severity: Severity, key: str, reason: str
) -> None:
    assert says(found(*changes), severity, key, reason)


def test_more_than_eight_relays_on_an_address_are_an_error() -> None:
    text = "  count: 16\n"
    to_it = (text, f"{text}  or_addresses: [198.51.100.30, 198.51.100.30]\n")
    findings = found(to_it, of=TWO)
    assert says(findings, ERROR, "relays.or_addresses[0]", "16 relays are on 198.51.100.30")
    assert says(findings, ERROR, "relays.or_addresses[1]", "198.51.100.30 is listed twice")


def test_the_plan_and_an_address_named_by_hand_may_put_too_many_on_one() -> None:
    """The second eight are at .13 by the plan; the first eight are sent there too."""
    text = "  count: 16\n"
    findings = found((text, f"{text}  or_addresses: [198.51.100.13]\n"), of=TWO)
    assert says(findings, ERROR, "relays.or_addresses[0]", "16 relays are on 198.51.100.13")


def test_relays_without_a_family_get_advice_and_a_single_one_needs_none() -> None:
    family = "  family:\n    ids: [MlKee4HVp0kUHwzAi1FxiB/TqVYsZm4l5stWPLnd7+c]\n"
    members = '    members: ["0000000000000000000000000000000000000A01"]\n'
    text = TWO.read_text()
    assert family + members in text, "the example has changed"
    without = (family + members, "")
    assert says(found(without, of=TWO), ADVICE, "relays", "no family key is named")
    single = ("  count: 16\n", "  count: 1\n")
    assert not says(found(without, single, of=TWO), ADVICE, "relays", "no family")


def test_the_resolvers_cache_has_a_size_that_fits_a_machine() -> None:
    for size in ("0", "15", "-1", "99999999"):
        findings = found(("cache_mib: 2048", f"cache_mib: {size}"), of=SIX)
        assert says(findings, ERROR, "dns.cache_mib", "is not between 16 and 262144")


@pytest.mark.parametrize(
    "text",
    ["accept *:443", "reject *4:25", "reject *6:*", "accept6 *:80-90", "reject6 [2001:db8::]/32:*",
     "accept [2001:db8::1]:53", "reject 198.51.100.0/24:25-26", "reject 198.51.100.1:1",
     "reject 198.51.100.0/255.255.255.0:*", "reject private:*", "reject  *:65535"],
)  # fmt: skip
def test_rules_that_tor_takes_are_understood(text: str) -> None:
    assert ExitRule.parse(text).accepts == text.startswith("accept")


@pytest.mark.parametrize(
    "text",
    ["", "accept", "accept *", "accept*:80", "accept *:", "accept *:0", "accept *:65536",
     "allow *:1", "accept *:90-80", "accept *:80,443", "accept *:80, reject *:*",
     "accept 198.51.100.0/33:80",
     "accept 198.51.100:80", "accept 2001:db8::1:80", "accept6 198.51.100.1:80", "accept6 *4:80",
     "accept [198.51.100.1]:80", "accept *:80\nSocksPort 9050", "accept *:80 # web", "ACCEPT *:80",
     "accept [2001:db8::/32]:80", "accept *:http"],
)  # fmt: skip
def test_rules_that_tor_does_not_take_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ExitRule.parse(text)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("name: Example Exit Foundation", 'name: "Example\\nExit"', "operator.name"),
        ("name: Example Exit Foundation", 'name: "<b>Exit</b>"', "operator.name"),
        ("name: Example Exit Foundation", "name: Ex${IFS}it", "operator.name"),
        ("name: Example Exit Foundation", "name: ' '", "operator.name"),
        ("name: Example Exit Foundation", "name: " + "x" * 201, "operator.name"),
        ("name: Example Exit Foundation", 'name: "a\\u202eb"', "operator.name"),
        ("jurisdiction: Washington,", "jurisdiction: a`b`", "operator.jurisdiction"),
        ("abuse: abuse@example.org", "abuse: abuse at example.org", "operator.abuse"),
        ("abuse: abuse@example.org", "abuse: a@localhost", "operator.abuse"),
        ("contact: noc@example.org", 'contact: "noc@example.org\\r"', "operator.contact"),
        ("url: https://example.org", "url: ftp://example.org", "operator.url"),
        ("url: https://example.org", "url: 'https://example.org/\">'", "operator.url"),
        ("name: transit\n", "name: trans it\n", "ports[0].name"),
        ("name: transit\n", 'name: "a\\"\\npass all"\n', "ports[0].name"),
        ("name: upstream\n", "name: up'stream\n", "peers[0].name"),
        ("name: upstream\n", "name: '" + "x" * 32 + "'\n", "peers[0].name"),
        ("device: ix0", 'device: "ix0\\n"', "ports[0].device"),
        ("nothing here is", '"nothing here is', "waivers.documentation"),
        ("asn: 64511\n", "asn: 64511\nclock: {servers: []}\n", "clock.servers"),
        ("asn: 64511\n", "asn: 64511\nclock: {servers: [a b]}\n", "clock.servers[0]"),
        ("asn: 64511\n", "asn: 64511\nclock: {servers: [1.2.3]}\n", "clock.servers[0]"),
    ],
)
def test_a_text_that_could_become_configuration_is_an_error(old: str, new: str, key: str) -> None:
    assert says(found((old, new)), ERROR, key, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: Example Exit Foundation", "name: Überwald & Söhne e.V. (gemeinnützig)"),
        ("name: Example Exit Foundation", "name: 出口ノード協会"),
        ("abuse: abuse@example.org", "abuse: abuse+tor@mail.example.org"),
        ("url: https://example.org", "url: https://example.org:8443/~exit/index.html?a=b&c=%20"),
        ("name: transit\n", "name: transit_a.1-2\n"),
        ("asn: 64511\n", "asn: 64511\nclock: {servers: [ntp.example.org, '2001:db8:f0::7']}\n"),
    ],
)
def test_texts_that_people_need_are_fine(old: str, new: str) -> None:
    assert not found((old, new))


def test_a_server_that_is_there_twice_is_no_second_one() -> None:
    servers = ("asn: 64511\n", "asn: 64511\nclock: {servers: [a.example.org, A.example.org]}\n")
    assert says(found(servers), WARNING, "clock.servers[1]", "listed twice")


def test_a_site_that_is_served_in_plain_gets_advice() -> None:
    findings = found(("https://example.org", "http://example.org"))
    assert says(findings, ADVICE, "operator.url", "not encrypted")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("203.0.113.7", "reject 203.0.113.7:*"),
        ("203.0.113.7/32:25", "reject 203.0.113.7:25"),
        ("203.0.113.0/24:6881-6889", "reject 203.0.113.0/24:6881-6889"),
        ("2001:db8::1", "reject6 [2001:db8::1]:*"),
        ("2001:DB8:0::/32", "reject6 [2001:db8::]/32:*"),
        ("[2001:db8::]/32:25", "reject6 [2001:db8::]/32:25"),
    ],
)
def test_a_blocked_destination_becomes_a_rule_that_tor_takes(text: str, rule: str) -> None:
    destination = Destination.parse(text)
    assert destination.rejected == rule
    assert Destination.parse(destination) == destination
    assert not ExitRule.parse(rule).accepts
    assert ExitRule.parse(rule).network == destination.network


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*:25", "names no single destination"),
        ("private:*", "names no single destination"),
        ("203.0.113.7/24", "host bits"),
        ("203.0.113.7:0", "ports"),
        ("203.0.113.7:90-80", "ports"),
        ("203.0.113.7:", "ports"),
        ("[2001:db8::]", ""),
        ("[2001:db8::/32]:25:", ""),
        ("203.0.113.7:25\nExitPolicy accept *:*", ""),
        ("example.org", ""),
        ("", ""),
    ],
)
def test_what_is_no_destination_is_refused(text: str, said: str) -> None:
    with pytest.raises(Malformed) as refused:
        Destination.parse(text)
    assert said in refused.value.problem
