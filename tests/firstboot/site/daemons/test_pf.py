"""pf.conf: the order of its rules, and what they let pass. pfctl itself is asked in tests/boot."""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest
from hypothesis import given, settings

from firstboot.site.address_plan import allot
from firstboot.site.model import Port, PortRole, Site
from tests.firstboot.site.daemons.sites import EXAMPLES, example, files, varied

TWO_TRANSITS = "two-transits-and-an-exchange"


@dataclass(frozen=True)
class Rule:
    """A filter rule. `interfaces` is empty for one of all interfaces."""

    action: str
    direction: str | None
    interfaces: tuple[str, ...]
    rest: str
    label: str

    def covers(self, direction: str, port: Port) -> bool:
        here = not self.interfaces or port.interface in self.interfaces
        return here and self.direction in (None, direction)


RULE = re.compile(
    r"(?P<action>pass|block)(?: drop)?(?: (?P<direction>in|out))?(?: (?P<quick>quick))?"
    r"(?: on (?:\{ (?P<several>[^}]*) \}|(?P<one>\S+)))?(?: (?P<rest>.*?))? ?"
    r"label \"(?P<label>.+)\""
)


def conf(site: Site) -> str:
    return files(site, "pf")["etc/pf.conf"].text


def statements(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def rules(text: str) -> list[Rule]:
    """The filter rules of `text`, each of which has a label, and all but the first are quick."""
    found = []
    lines = [line for line in statements(text) if line.startswith(("pass", "block"))]
    for at, line in enumerate(lines):
        parts = RULE.fullmatch(line)
        assert parts, line
        assert bool(parts["quick"]) == (at > 0), line
        interfaces = (parts["several"] or parts["one"] or "").split()
        rest = (parts["rest"] or "all").strip()
        label = parts["label"]
        found.append(Rule(parts["action"], parts["direction"], tuple(interfaces), rest, label))
    return found


def table(text: str, name: str) -> list[str]:
    found = re.search(rf"^table <{name}> const \{{ (.*?) ?\}}$", text, re.MULTILINE)
    assert found, name
    return found[1].split()


def outside(site: Site) -> list[Port]:
    return [port for port in site.ports if port.role.outside]


def check_leaks(site: Site) -> None:
    """Nothing passes out of a port towards strangers before the LEAK rules, except BGP to the
    configured neighbours and neighbour discovery; after them nothing but own addresses can."""
    found = rules(conf(site))
    sessions = {
        f"{'inet6' if session.remote.version == 6 else 'inet'} proto tcp from {session.local} "
        f"to {session.remote} port 179 keep state (if-bound)"
        for session in allot(site).sessions
    }
    for port in outside(site):
        way_out = [rule for rule in found if rule.covers("out", port)]
        assert way_out[0] == Rule("block", None, (), "all", "default")
        leaks = [at for at, rule in enumerate(way_out) if rule.label.startswith("LEAK")]
        apart = [
            f"{family} proto {protocol} from ! <own> to {to}"
            for family in ("inet", "inet6")
            for protocol in ("tcp", "udp")
            for to in ("<near-exchange>", "<near-transit>", "<near-multicast>", "any")
        ]
        assert [way_out[at].rest for at in leaks] == [
            *apart,
            "inet from ! <own>",
            "inet6 from ! <own>",
        ]
        assert all(way_out[at].action == "block" for at in leaks)
        assert leaks == [*range(leaks[0], leaks[0] + len(leaks))]
        for rule in way_out[1 : leaks[0]]:
            assert rule.direction == "out", rule
            if rule.label == "bgp-out":
                assert rule.rest in sessions
            elif rule.label == "groups-out":
                assert rule.action == "block"
            else:
                assert rule.label == "nd-out"
                assert rule.rest.startswith("inet6 proto icmp6 from { <nd-from-")
                assert rule.rest.endswith("icmp6-type { neighbrsol neighbradv } no state")


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_but_bgp_and_discovery_comes_before_the_leak_rules(name: str) -> None:
    check_leaks(example(name))


@settings(max_examples=25)
@given(site=varied())
def test_the_leak_rules_come_first_for_any_site(site: Site) -> None:
    check_leaks(site)


@pytest.mark.parametrize("name", EXAMPLES)
def test_addresses_are_never_translated(name: str) -> None:
    words = {word for line in statements(conf(example(name))) for word in line.split()}
    assert words.isdisjoint({"nat", "rdr", "binat", "nat-to", "rdr-to", "binat-to", "af-to"})
    assert words.isdisjoint({"route-to", "reply-to", "dup-to", "anchor", "nat-anchor", "log"})


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_tables_are_those_of_the_site(name: str) -> None:
    site = example(name)
    plan, text = allot(site), conf(site)
    assert table(text, "own") == [str(network) for network in plan.own]
    if not site.provided:
        assert plan.own == site.scopes
    assert table(text, "router") == [str(address) for address in plan.router]
    assert table(text, "resolver") == [str(address) for address in plan.resolver]
    relays = {str(a) for relay in plan.relays for a in (*relay.listen, *relay.source)}
    assert set(table(text, "relays")) == relays
    assert table(text, "admins") == [str(network) for network in site.management.networks]
    for network in table(text, "bogons"):
        assert not any(ip_network(network).overlaps(scope) for scope in site.scopes)


@pytest.mark.parametrize("name", EXAMPLES)
def test_discovery_is_of_the_ports_own_network(name: str) -> None:
    site = example(name)
    text = conf(site)
    for at, port in enumerate(outside(site), 1):
        inet6 = [address for address in port.addresses if address.version == 6]
        expected = ["fe80::/10", *(str(address.ip) for address in inet6)]
        assert table(text, f"nd-from-{at}") == expected
        expected = ["fe80::/10", *(str(address.network) for address in inet6)]
        assert table(text, f"nd-near-{at}") == expected
        used = [r for r in rules(text) if f"<nd-from-{at}>" in r.rest]
        assert {r.interfaces for r in used} == {(port.interface,)}


def test_discovery_keeps_to_its_tables_when_a_port_before_has_no_ipv6() -> None:
    site = example(TWO_TRANSITS)
    first = replace(site.ports[0], addresses=site.ports[0].addresses[:1])
    text = conf(replace(site, ports=(first, *site.ports[1:])))
    out = [rule for rule in rules(text) if rule.label == "nd-out"]
    assert [(rule.interfaces, "<nd-from-2>" in rule.rest) for rule in out] == [
        (("ix1.1203",), True),
        (("ix2",), False),
    ]
    assert "<nd-from-3>" in out[1].rest


def test_states_of_ports_own_addresses_stay_at_their_port() -> None:
    """A floating state of a management connection would let its replies out anywhere."""
    text = conf(example("one-port-of-each"))
    assert "set state-policy if-bound" in statements(text)
    floating = {rule.label for rule in rules(text) if "(floating)" in rule.rest}
    assert floating == {"dns", "ntp", "fetch", "lan-asks"}
    for rule in rules(text):
        if "(floating)" in rule.rest:
            assert rule.direction == "out"
            assert re.search(r"from <(resolver|router)> to any|from <lan> keep", rule.rest)


def test_relays_are_reached_at_their_ports_and_the_notice_and_nowhere_else() -> None:
    site = example(TWO_TRANSITS)
    text = conf(site)
    found = rules(text)
    notices = re.search(r"(?m)^table <notices> const { (.*) }$", text)
    assert notices
    opened = set()
    for rule in found:
        passes = rule.action == "pass" and rule.direction == "in" and "S/SA" in rule.rest
        target = re.fullmatch(r"proto tcp to (\S+) port (\d+) flags S/SA no state", rule.rest)
        if passes:
            assert target, rule
            there = notices[1].split() if target[1] == "<notices>" else [target[1]]
            opened |= {(one, int(target[2])) for one in there}
    plan = allot(site)
    expected = {(str(a), relay.port) for relay in plan.relays for a in relay.listen}
    expected |= {(str(a), 80) for relay in plan.relays for a in relay.source}
    assert opened == expected
    to_relays = [r for r in found if r.direction == "in" and "<relays>" in r.rest]
    for port in outside(site):
        here = [r for r in to_relays if r.interfaces == (port.interface,)]
        assert [(r.action, re.findall(r"flags \S+", r.rest)) for r in here] == [
            ("pass", ["flags A/A"]),
            ("pass", ["flags R/SR"]),
            ("block", []),
        ]


@pytest.mark.parametrize("name", EXAMPLES)
def test_relays_are_stateless_and_the_resolver_is_not(name: str) -> None:
    found = rules(conf(example(name)))
    for rule in found:
        stateless = rule.label.startswith(("relay", "or-", "notice", "lan"))
        if rule.action == "pass" and stateless and rule.label != "lan-asks":
            assert rule.rest.endswith("no state"), rule
    for port in outside(example(name)):
        here = [rule for rule in found if rule.interfaces == (port.interface,)]
        dns, *after = [rule for rule in here if rule.label.startswith("dns")]
        assert (dns.label, dns.direction) == ("dns", "out")
        assert dns.rest.endswith("port 53 keep state (floating)")
        assert [(r.action, r.direction) for r in after] == [("block", "out"), ("block", "in")]


def test_ssh_is_for_the_management_port_alone() -> None:
    site = example("one-port-of-each")
    management = next(port for port in site.ports if port.role is PortRole.MANAGEMENT)
    found = rules(conf(site))
    ssh = [rule for rule in found if "port { 22 }" in rule.rest]
    assert [(r.action, r.interfaces) for r in ssh] == [
        ("pass", (management.interface,)),
        ("block", ("ix2",)),
    ]
    assert ssh[0].rest.startswith("proto tcp from <admins> to <management>")
    last = [rule for rule in found if rule.interfaces == (management.interface,)][-1]
    assert (last.action, last.direction, last.rest) == ("block", None, "all")


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_port_towards_strangers_sends_three_kinds_of_frames(name: str) -> None:
    text = conf(example(name))
    for port in outside(example(name)):
        found = [line for line in statements(text) if f" on {port.interface}" in line]
        frames = [line for line in found if line.startswith("ether")]
        passed = [line.rpartition(" ")[2] for line in frames if line.startswith("ether pass out")]
        assert passed == ["0x0800", "0x0806", "0x86dd"]
        assert frames[-1] == f"ether block out quick on {port.interface}"


def test_the_device_of_a_vlan_sends_nothing_of_its_own() -> None:
    site = example(TWO_TRANSITS)
    assert "ether block out quick on ix1" in statements(conf(site))
    untagged = replace(site.ports[0], device="ix1")
    shared = conf(replace(site, ports=(untagged, *site.ports[1:])))
    assert statements(shared).count("ether block out quick on ix1") == 1
    assert "ether pass out quick on ix1 proto 0x0800" in shared


def test_a_site_without_a_lan_has_no_rules_for_one() -> None:
    assert "lan" not in conf(example(TWO_TRANSITS)).replace("VLAN", "")
    assert "lan-spoof" in conf(example("one-port-of-each"))


def test_a_site_of_no_ports_lets_nothing_pass() -> None:
    site = replace(example(TWO_TRANSITS), ports=())
    assert [rule.label for rule in rules(conf(site))] == ["default"]


def test_without_its_rules_pf_keeps_management() -> None:
    site = example("one-port-of-each")
    found = rules(files(site, "pf")["etc/pf-fallback.conf"].text)
    assert found[0] == Rule("block", None, (), "all", "fallback")
    assert {rule.interfaces for rule in found[1:]} == {("igb0",)}
    rc = files(site, "pf")["etc/rc.conf.d/pf"].text
    assert 'pf_enable="YES"' in rc
    assert 'pf_fallback_rules_enable="YES"' in rc
