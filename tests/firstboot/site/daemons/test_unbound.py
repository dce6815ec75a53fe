"""unbound.conf, judged by Unbound and by what the documents ask for."""

import subprocess
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.model import PortRole, Site, Strictness
from firstboot.site.render import Box, render
from firstboot.site.verify.verify import verify
from tests.firstboot.site.daemons.conftest import version
from tests.firstboot.site.daemons.sites import BOX, EXAMPLES, ROOT, boxes, example, files, varied

CONF = "var/unbound/unbound.conf"

DOCUMENTED = """\
prefer-ip6: yes
hide-trustanchor: yes
harden-large-queries: yes
harden-algo-downgrade: yes
qname-minimisation: yes
qname-minimisation-strict: yes
ignore-cd-flag: yes
hide-identity: yes
hide-version: yes
prefetch: yes
prefetch-key: yes
harden-dnssec-stripped: yes
verbosity: 1
log-queries: no
serve-expired-client-timeout: 900
"""
"""What the operator that this is modelled on has published, and what an exit needs on top."""

DESCRIPTORS = 1024
"""All that select(2) can wait for: checkrlimits() of Unbound's daemon/unbound.c, with mini-event,
which is what FreeBSD's base builds."""


def settings_of(text: str) -> list[tuple[str, str]]:
    """Every option of an unbound.conf with its value, in order; clauses have an empty one."""
    bare = (line.split("#")[0].strip() for line in text.splitlines())
    pairs = (line.partition(":") for line in bare if line)
    return [(name, value.strip().strip('"')) for name, _, value in pairs]


def values(text: str, option: str) -> list[str]:
    return [value for name, value in settings_of(text) if name == option]


def value(text: str, option: str) -> int:
    (found,) = values(text, option)
    return int(found.removesuffix("m"))


def conf(site: Site, box: Box = BOX) -> str:
    return files(site, "unbound", box)[CONF].text


def texts(addresses: Iterable[Address]) -> list[str]:
    return [str(address) for address in addresses]


def check(program: str, site: Site, box: Box, folder: Path) -> None:
    """Ask unbound-checkconf about the configuration of `site`.

    It looks for directories and the key file, so /var/unbound becomes `folder`.
    """
    made = files(site, "unbound", replace(box, unbound=version(program, "-h")))
    for path in (CONF, "var/unbound/root.key"):
        target = folder / Path(path).name
        text = made[path].text.replace("/var/unbound", str(folder)).replace("/var/run", str(folder))
        target.write_text(text.replace('username: "unbound"', 'username: ""'))
    done = subprocess.run(
        [program, str(folder / "unbound.conf")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_unbound_takes_the_examples(unbound_checkconf: str, name: str, tmp_path: Path) -> None:
    check(unbound_checkconf, example(name), BOX, tmp_path)


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(varied(), boxes())
def test_unbound_takes_other_sites_and_boxes(
    unbound_checkconf: str, tmp_path: Path, site: Site, box: Box
) -> None:
    check(unbound_checkconf, site, box, tmp_path)


def test_unbound_refuses_a_cache_of_less_than_nothing(
    unbound_checkconf: str, tmp_path: Path
) -> None:
    site = example("one-port-of-each")
    with pytest.raises(AssertionError, match="error"):
        check(unbound_checkconf, replace(site, dns=replace(site.dns, cache_mib=-3)), BOX, tmp_path)


@pytest.mark.parametrize("setting", DOCUMENTED.splitlines())
def test_every_setting_of_the_documents_is_there_verbatim(setting: str) -> None:
    lines = [line.strip() for line in conf(example("one-port-of-each")).splitlines()]
    assert lines.count(setting) == 1


def test_the_strictness_changes_two_settings_and_nothing_else() -> None:
    site = example("one-port-of-each")
    loose = replace(site, dns=replace(site.dns, strictness=Strictness.COMPATIBLE))
    before, after = conf(site).splitlines(), conf(loose).splitlines()
    assert len(before) == len(after)
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == [
        ("  qname-minimisation-strict: yes", "  qname-minimisation-strict: no"),
        ("  harden-algo-downgrade: yes", "  harden-algo-downgrade: no"),
    ]


@settings(max_examples=15)
@given(varied(), boxes())
def test_on_every_site_and_box(site: Site, box: Box) -> None:
    text = conf(site, box)
    asks_from_the_resolver_s_addresses_alone(site, text)
    listens_on_the_loopback_and_the_lan_and_answers_nobody_else(site, text)
    leaves_descriptors_for_questions(text)
    fits_the_cores_and_the_memory(site, box, text)


def asks_from_the_resolver_s_addresses_alone(site: Site, text: str) -> None:
    plan = allot(site)
    assert values(text, "outgoing-interface") == texts(plan.resolver)
    assert values(text, "do-ip4") == ["yes" if plan.resolver.v4 else "no"]
    assert values(text, "do-ip6") == ["yes" if plan.resolver.v6 else "no"]
    assert values(text, "prefer-ip6") == (["yes"] if plan.resolver.v6 else [])
    sources = {str(address) for relay in plan.relays for address in relay.source}
    assert not sources & set(values(text, "outgoing-interface"))


def listens_on_the_loopback_and_the_lan_and_answers_nobody_else(site: Site, text: str) -> None:
    lan = [one for port in site.ports if port.role is PortRole.LAN for one in port.addresses]
    loopback = {"127.0.0.1", "127.0.0.53", "::1"}
    assert set(values(text, "interface")) == {*loopback, *texts(one.ip for one in lan)}
    rules = dict(rule.rsplit(" ", 1) for rule in values(text, "access-control"))
    assert rules.pop("0.0.0.0/0") == rules.pop("::/0") == "refuse"
    assert set(rules.values()) == {"allow"}
    near = {ip_network("127.0.0.0/8"), ip_network("::1"), *(one.network for one in lan)}
    own = {ip_network(address) for address in allot(site).addresses}
    assert {ip_network(asker) for asker in rules} == near | own


def leaves_descriptors_for_questions(text: str) -> None:
    listening = (2 + value(text, "incoming-num-tcp")) * len(values(text, "interface"))
    connected = listening + value(text, "outgoing-num-tcp") + 8
    ports = value(text, "outgoing-range")
    assert value(text, "num-threads") * (connected + ports) + 4 <= DESCRIPTORS
    assert ports >= 128


def fits_the_cores_and_the_memory(site: Site, box: Box, text: str) -> None:
    threads = value(text, "num-threads")
    assert threads & (threads - 1) == 0
    assert threads <= box.cores
    slabs = ("msg-cache-slabs", "rrset-cache-slabs", "infra-cache-slabs", "key-cache-slabs")
    assert {value(text, slab) for slab in slabs} == {threads}
    answers = value(text, "msg-cache-size") + value(text, "rrset-cache-size")
    assert answers == (site.dns.cache_mib or min(box.memory_mib // 16, 3072))


def test_what_a_version_does_not_know_is_left_out() -> None:
    site = example("one-port-of-each")
    old = dict(settings_of(conf(site, replace(BOX, unbound=(1, 17)))))
    new = dict(settings_of(conf(site)))
    assert new.keys() - old.keys() == {"discard-timeout", "wait-limit", "wait-limit-netblock"}
    assert old.items() <= new.items()


@pytest.mark.parametrize(
    ("version", "reuseport", "threshold"),
    [((1, 17), "no", "0"), ((1, 25, 1), "no", "0"), ((1, 26), "yes", "0"),
     ((1, 26, 1), "yes", "0"), ((1, 26, 2), "yes", "10000000"), ((1, 27), "yes", "10000000")],
)  # fmt: skip
def test_settings_that_expose_the_cache_of_a_version_are_off_there(
    version: tuple[int, ...], reuseport: str, threshold: str
) -> None:
    site, box = example("one-port-of-each"), replace(BOX, unbound=version)
    text = conf(site, box)
    assert values(text, "so-reuseport") == [reuseport]
    assert values(text, "unwanted-reply-threshold") == [threshold]
    assert verify(site, box, render(site, box, ROOT / "overlays")) == []


def test_the_package_s_program_runs_where_it_is_and_the_base_s_elsewhere() -> None:
    site = example("one-port-of-each")
    line = 'local_unbound_program="/usr/local/sbin/unbound"\n'
    for packaged in (True, False):
        rendered = files(site, "unbound", replace(BOX, packaged_unbound=packaged))
        assert (line in rendered["etc/rc.conf.d/local_unbound"].text) is packaged


def test_with_libevent_there_are_as_many_questions_as_a_busy_exit_has() -> None:
    site, box = example("one-port-of-each"), replace(BOX, packaged_unbound=True, libevent=True)
    text = conf(site, box)
    assert value(text, "outgoing-range") == 8192
    assert value(text, "num-queries-per-thread") == 4096
    assert "1024 descriptors" not in text
    assert verify(site, box, render(site, box, ROOT / "overlays")) == []


def test_more_questions_than_select_has_descriptors_for_are_a_flaw() -> None:
    site, base = example("one-port-of-each"), replace(BOX, libevent=False)
    found = render(site, replace(BOX, libevent=True), ROOT / "overlays")
    told = [flaw.reason for flaw in verify(site, base, found)]
    assert any("outgoing-range" in reason for reason in told)
    assert any("num-queries-per-thread" in reason for reason in told)


def test_no_relay_waits_for_another_s_questions() -> None:
    text = conf(example("one-port-of-each"))
    free = {limit.removesuffix(" -1") for limit in values(text, "wait-limit-netblock")}
    allowed = {rule.removesuffix(" allow") for rule in values(text, "access-control")}
    assert {rule for rule in allowed if not rule.endswith("refuse")} == free


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_is_forwarded_logged_or_recorded(name: str) -> None:
    found = dict(settings_of(conf(example(name))))
    assert not found.keys() & {"forward-zone", "stub-zone", "include", "dnstap", "logfile"}
    for option in ("log-queries", "log-replies", "log-servfail", "log-local-actions"):
        assert found[option] == "no"
    assert found["val-log-level"] == "0"
    assert not found.keys() & {"val-permissive-mode", "module-config"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_names_of_the_clock_s_servers_alone_are_taken_unsigned(name: str) -> None:
    servers = example(name).clock.servers
    unsigned = [one.strip('"') for one in values(conf(example(name)), "domain-insecure")]
    assert unsigned
    assert unsigned == [one for one in servers if not one.replace(".", "").isdigit()]


@pytest.mark.parametrize("name", EXAMPLES)
def test_answers_that_point_into_the_own_scopes_are_kept(name: str) -> None:
    private = [ip_network(one) for one in values(conf(example(name)), "private-address")]
    for scope in example(name).scopes:
        assert not any(scope.version == one.version and scope.overlaps(one) for one in private)


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_zone_is_fetched(name: str) -> None:
    """Unbound would fetch it from whatever address the kernel picks."""
    found = dict(settings_of(conf(example(name))))
    assert not found.keys() & {"auth-zone", "primary", "master", "url"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_box_and_the_relays_ask_the_local_resolver_alone(name: str) -> None:
    for path in ("etc/resolv.conf", "etc/local/tor/resolv.conf"):
        overlay = "tor" if "tor" in path else "unbound"
        lines = files(example(name), overlay)[path].text.splitlines()
        servers = [line.split()[1] for line in lines if line.startswith("nameserver")]
        assert len(servers) == 1
        assert servers[0] in values(conf(example(name)), "interface")


def test_the_key_file_is_unbound_s_to_write() -> None:
    key = files(example("one-port-of-each"), "unbound")["var/unbound/root.key"]
    assert (key.owner, key.group) == ("unbound", "unbound")
