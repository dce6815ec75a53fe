"""torrc, judged by Tor and by what Tor accepts without meaning it."""

import html
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from firstboot.site.exit_policy import Destination
from firstboot.site.model import Policy, RelayPolicy, Site
from firstboot.site.render import Box, notes
from tests.firstboot.site.daemons.conftest import version
from tests.firstboot.site.daemons.shell import variables
from tests.firstboot.site.daemons.sites import (
    BOX,
    CONTACTS,
    EXAMPLES,
    boxes,
    example,
    files,
    varied,
)

IGNORED = {"Sandbox", "OutboundBindAddress", "OutboundBindAddressPT", "PortForwarding"}
"""What tor --verify-config takes and Tor does nothing with, on a BSD or as an exit."""

FOLDER = "etc/local/tor"


def torrc(site: Site, number: int, box: Box = BOX) -> str:
    return files(site, "tor", box)[f"{FOLDER}/torrc@relay{number}"].text


def options(text: str) -> list[tuple[str, str]]:
    """Every option of a torrc with its value, in order."""
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(name, value) for name, _, value in (line.partition(" ") for line in lines)]


def values(text: str, option: str) -> list[str]:
    return [value for name, value in options(text) if name == option]


def bracketed(address: object) -> str:
    return f"[{address}]" if ":" in str(address) else str(address)


def check(program: str, site: Site, box: Box, folder: Path) -> None:
    """Ask Tor about every instance of `site`.

    It looks for directories and files, so /data/tor and /usr/local/etc/tor become `folder`; the
    user _tor is not there, and whoever runs the tests stays who they are.
    """
    made = files(site, "tor", replace(box, tor=version(program, "--version")))
    kept = {Path(path).name: file.text for path, file in made.items() if FOLDER in path}
    assert len(kept) == site.relays.count + 2
    for name, text in kept.items():
        for place in ("/data/tor", "/usr/local/etc/tor"):
            text = text.replace(place, str(folder))
        (folder / name).write_text(text.replace("User _tor\n", ""))
    for name in sorted(kept):
        if not name.startswith("torrc@"):
            continue
        command = [program, "--verify-config", "-f", str(folder / name)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout
        warnings = [line for line in done.stdout.splitlines() if "[warn]" in line]
        assert [line for line in warnings if "running Tor as root" not in line] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_tor_takes_every_relay_of_the_examples(tor: str, name: str, tmp_path: Path) -> None:
    check(tor, example(name), BOX, tmp_path)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(varied(), boxes())
def test_tor_takes_other_sites_and_boxes(tor: str, tmp_path: Path, site: Site, box: Box) -> None:
    check(tor, site, box, tmp_path)


def test_tor_refuses_a_nickname_that_is_too_long(tor: str, tmp_path: Path) -> None:
    site = example("one-port-of-each")
    long = replace(site, relays=replace(site.relays, nickname="x" * 20))
    with pytest.raises(AssertionError, match=r"[Nn]ickname"):
        check(tor, long, BOX, tmp_path)


@settings(max_examples=15)
@given(varied(), boxes())
def test_on_every_site_and_box(site: Site, box: Box) -> None:
    made = files(site, "tor", box)
    plan = allot(site)
    texts = [made[f"{FOLDER}/torrc@relay{relay.number}"].text for relay in plan.relays]
    for relay, text in zip(plan.relays, texts, strict=True):
        found = {name for name, _ in options(text)}
        assert not found & IGNORED
        listen, source = map(list, (relay.listen, relay.source))
        assert values(text, "Address") == [str(one) for one in listen]
        assert values(text, "OutboundBindAddressOR") == [bracketed(one) for one in listen]
        assert values(text, "OutboundBindAddressExit") == [bracketed(one) for one in source]
        assert values(text, "ORPort") == [
            f"{bracketed(one)}:{relay.port} IPv{one.version}Only" for one in listen
        ]
        pages = [f"{bracketed(one)}:80 NoAdvertise" for one in relay.notice]
        assert values(text, "DirPort") == pages
        assert values(text, "IPv6Exit") == ["1" if relay.source.v6 else "0"]
        for closed in ("SocksPort", "ControlPort", "ControlSocket", "OfflineMasterKey"):
            assert values(text, closed) == ["0"]
        assert values(text, "SafeLogging") == ["1"]
        assert values(text, "Schedulers") == ["KISTLite"]
        assert values(text, "DataDirectory") == [f"/data/tor/relay{relay.number}"]
        assert int(values(text, "NumCPUs")[0]) in range(1, box.cores + 1)
        assert 256 <= int(values(text, "MaxMemInQueues")[0].removesuffix(" MB")) <= 8192
        limit = site.relays.bandwidth_mbit
        assert values(text, "RelayBandwidthRate") == ([f"{limit} MBits"] if limit else [])
    metrics = [values(text, "MetricsPort")[0] for text in texts]
    assert len(set(metrics)) == site.relays.count
    assert all(re.fullmatch(r"127\.0\.0\.2:\d+ prometheus", one) for one in metrics)


def rejected(text: str) -> set[str]:
    """The networks that the exit policy of `text` starts with rejecting altogether."""
    rules = (rule.split(" ") for rule in values(text, "ExitPolicy"))
    whole = [
        place.removesuffix(":*")
        for verb, place in rules
        if verb.startswith("reject") and place.endswith(":*")
    ]
    return {re.sub(r"[\[\]]", "", one) for one in whole if "/" in one}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("policy", Policy)
def test_the_own_space_and_every_port_s_network_are_rejected_before_anything_is_accepted(
    name: str, policy: Policy
) -> None:
    site = example(name)
    text = torrc(replace(site, relays=replace(site.relays, policy=policy, block=())), 1)
    networks = {str(one.network) for port in site.ports for one in port.addresses}
    networks |= {str(one) for one in (*site.scopes, *site.management.networks)}
    assert rejected(text) == networks
    verbs = [rule.split(" ")[0].rstrip("6") for rule in values(text, "ExitPolicy")]
    assert verbs[: len(networks)] == ["reject"] * len(networks)


def policy(kind: Policy, *rules: str) -> tuple[list[str], list[str]]:
    """The rules after those for the own networks, and the value of ReducedExitPolicy."""
    site = example("one-port-of-each")
    text = torrc(replace(site, relays=replace(site.relays, policy=kind, rules=rules)), 1)
    after = [rule for rule in values(text, "ExitPolicy") if "/" not in rule]
    return after, values(text, "ReducedExitPolicy")


def test_each_policy_is_what_its_name_says() -> None:
    assert policy(Policy.REDUCED) == ([], ["1"])
    assert policy(Policy.DEFAULT) == ([], [])
    assert policy(Policy.WEB) == (["accept *:80", "accept *:443", "reject *:*"], [])
    assert policy(Policy.OWN, "accept *:22") == (["accept *:22", "reject *:*"], [])


def test_a_relay_may_have_a_policy_of_its_own() -> None:
    site = example("one-port-of-each")
    own = (RelayPolicy((2, 4), Policy.WEB), RelayPolicy((3,), Policy.OWN, ("accept *:22",)))
    site = replace(site, relays=replace(site.relays, policies=own))
    said = {}
    for number in range(1, site.relays.count + 1):
        text = torrc(site, number)
        after = [rule for rule in values(text, "ExitPolicy") if "/" not in rule]
        said[number] = (after, values(text, "ReducedExitPolicy"))
    web: tuple[list[str], list[str]] = (["accept *:80", "accept *:443", "reject *:*"], [])
    assert said == {1: ([], ["1"]), 2: web, 3: (["accept *:22", "reject *:*"], []), 4: web}


@pytest.mark.parametrize("kind", Policy)
def test_what_exits_must_not_reach_is_rejected_before_anything_is_accepted(kind: Policy) -> None:
    site = example("one-port-of-each")
    blocked = (Destination.parse("203.0.113.7"), Destination.parse("[2001:db8:bad::]/48:25"))
    relays = replace(site.relays, policy=kind, rules=("accept *:80",), block=blocked)
    rules = values(torrc(replace(site, relays=relays), 1), "ExitPolicy")
    first = next((at for at, rule in enumerate(rules) if rule.startswith("accept")), len(rules))
    assert rules[:first][-2:] == ["reject 203.0.113.7:*", "reject6 [2001:db8:bad::]/48:25"]


def test_a_contact_is_derived_from_the_operator_and_has_no_address_to_harvest() -> None:
    (contact,) = values(torrc(example("one-port-of-each"), 1), "ContactInfo")
    assert contact == (
        '"email:noc[]example.org url:https://example.org proof:uri-rsa '
        'abuse:abuse[]example.org asn:64511 ciissversion:2"'
    )


@pytest.mark.parametrize("given_contact", [contact for contact in CONTACTS if contact])
def test_tor_reads_the_contact_that_the_site_gives(
    tor: str, tmp_path: Path, given_contact: str
) -> None:
    site = example("one-port-of-each")
    text = torrc(replace(site, relays=replace(site.relays, contact_info=given_contact)), 1)
    (line,) = (line for line in text.splitlines() if line.startswith("ContactInfo"))
    (tmp_path / "torrc").write_text(f"{line}\nDataDirectory {tmp_path}\n")
    done = subprocess.run(
        [tor, "--dump-config", "non-builtin", "-f", str(tmp_path / "torrc")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    (read,) = (line for line in done.stdout.splitlines() if line.startswith("ContactInfo"))
    said = read.removeprefix("ContactInfo ")
    assert given_contact in (said, re.sub(r"\\(.)", r"\1", said.strip('"')))


def test_family_keys_are_for_a_tor_that_knows_them_and_fingerprints_for_all() -> None:
    site = example("two-transits-and-an-exchange")
    new, old = torrc(site, 1), torrc(site, 1, replace(BOX, tor=(0, 4, 8)))
    assert site.relays.family.ids
    assert values(new, "FamilyId") == ["*"]
    assert notes(site, BOX) == []
    assert "Tor 0.4.8 knows no family keys" in notes(site, replace(BOX, tor=(0, 4, 8)))[0]
    assert "knows no family keys" in old
    assert values(new, "MyFamily") == values(old, "MyFamily") == list(site.relays.family.members)
    assert {name for name, _ in options(new)} - {name for name, _ in options(old)} == {
        "FamilyId",
        "FamilyKeyDirectory",
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_jail_has_the_relays_addresses_and_no_port_s(name: str) -> None:
    site = example(name)
    set_to = variables(files(site, "tor")["etc/rc.conf.d/exitisp_relays"].text, "exitisp_relays")
    plan = allot(site)
    addresses = set_to["exitisp_relays_svcj_ipaddrs"].split()
    own = {str(one) for relay in plan.relays for one in (*relay.listen, *relay.source)}
    assert set(addresses) == own | {"127.0.0.2"}
    assert not set(addresses) & {str(one.ip) for port in site.ports for one in port.addresses}
    assert not set(addresses) & {str(one) for one in (*plan.resolver, *plan.router)}
    assert set_to["exitisp_relays_svcj"] == "YES"
    assert addresses[-1] == str(plan.relays[0].listen.v4)


@pytest.mark.parametrize("name", EXAMPLES)
def test_rc_starts_every_relay_with_its_file_and_its_directory(name: str) -> None:
    site = example(name)
    made = files(site, "tor")
    set_to = variables(made["etc/rc.conf.d/exitisp_relays"].text, "exitisp_relays")
    relays = set_to["exitisp_relays_list"].split()
    assert len(relays) == site.relays.count
    for relay in relays:
        text = made[f"{FOLDER}/torrc@{relay}"].text
        assert values(text, "DataDirectory") == [f"/data/tor/{relay}"]
        assert values(text, "User") == ["_tor"]
        assert f"/data/tor/{relay}" in set_to["exitisp_relays_setup"].split()


class _Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def notice(site: Site) -> str:
    return files(site, "tor")[f"{FOLDER}/exit-notice.html"].text


def test_the_notice_says_who_runs_the_relay_and_needs_nothing_from_elsewhere() -> None:
    site = example("one-port-of-each")
    page = _Page(notice(site))
    assert site.operator.name in page.text
    assert f"mailto:{site.operator.abuse}" in page.links
    assert site.operator.url in page.links
    assert not {"script", "img", "link", "iframe", "form"} & set(page.tags)


@pytest.mark.parametrize("field", ["name", "abuse", "url", "jurisdiction"])
def test_what_the_operator_is_called_cannot_become_markup(field: str) -> None:
    site = example("one-port-of-each")
    nasty = "\"><script>alert('x')</script>&amp;"
    text = notice(replace(site, operator=replace(site.operator, **{field: nasty})))
    assert "<script" not in text
    assert html.escape(nasty).replace("&quot;", "&#34;").replace("&#x27;", "&#39;") in text


def lines_of(site: Site) -> Iterator[str]:
    for file in files(site, "tor").values():
        yield from file.text.splitlines()


def test_a_line_break_in_the_site_is_refused_and_not_rendered() -> None:
    site = example("one-port-of-each")
    broken = replace(site, relays=replace(site.relays, contact_info="me\nSandbox 1"))
    with pytest.raises(Refusal, match="control characters"):
        list(lines_of(broken))


def test_rejected_networks_are_networks() -> None:
    for name in EXAMPLES:
        assert all(ip_network(one) for one in rejected(torrc(example(name), 1)))
