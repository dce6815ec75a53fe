"""What the administrators use: SSH, the clock, the log."""

import re
import shutil
import subprocess
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from firstboot.site.address_plan import allot
from firstboot.site.model import Management, PortRole, Site
from tests.firstboot.site.daemons.conftest import find
from tests.firstboot.site.daemons.shell import variables
from tests.firstboot.site.daemons.sites import EXAMPLES, example, files, varied

SSHD_CONFIG = "etc/ssh/sshd_config"
HOST_KEY = "/cfg/ssh/ssh_host_ed25519_key"

Effective = dict[str, list[str]]


def text(site: Site, path: str) -> str:
    return files(site, "management")[path].text


def addresses_of(site: Site, role: PortRole) -> list[str]:
    return [str(one.ip) for port in site.ports if port.role is role for one in port.addresses]


def without_management_port(site: Site) -> Site:
    ports = tuple(port for port in site.ports if port.role is not PortRole.MANAGEMENT)
    return replace(site, ports=ports)


@pytest.fixture(scope="session")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sshd") / "key"
    command = [find("ssh-keygen", "openssh-client"), "-q", "-t", "ed25519", "-N", "", "-f"]
    subprocess.run([*command, str(path)], check=True, timeout=60)
    return path


def effective(sshd: str, key: Path, config: str) -> Effective:
    """What sshd makes of `config`, which it has to take: option -> values.

    The host key on /cfg becomes `key`. sshd wants its empty directory /run/sshd, which is there
    only where it runs as a service, so it gets a /run of its own.
    """
    conf = key.parent / "sshd_config"
    conf.write_text(config.replace(HOST_KEY, str(key)))
    script = f'mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec {sshd} -T -f "$1"'
    apart = [find("unshare", "util-linux"), "--mount", "--map-root-user"]
    if subprocess.run([*apart, "true"], capture_output=True, timeout=60).returncode:
        pytest.skip("this machine allows no namespace of mounts, and sshd needs a /run of its own")
    command = [*apart, "sh", "-c", script, "sh", str(conf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: Effective = {}
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_sshd_takes_the_examples_and_lets_in_keys_alone(
    sshd: str, host_key: Path, name: str
) -> None:
    site = example(name)
    found = effective(sshd, host_key, text(site, SSHD_CONFIG))
    for way in ("passwordauthentication", "kbdinteractiveauthentication", "permitemptypasswords"):
        assert found[way] == ["no"]
    assert found["permitrootlogin"] == ["without-password"]
    assert found["authenticationmethods"] == ["publickey"]
    assert found["authorizedkeysfile"] == ["/etc/ssh/authorized_keys/%u"]
    assert found["disableforwarding"] == ["yes"]
    assert found["allowusers"] == [f"root@{one}" for one in site.management.networks]
    listening = {re.sub(r"[\[\]]", "", one.rpartition(":")[0]) for one in found["listenaddress"]}
    assert listening == set(addresses_of(site, PortRole.MANAGEMENT))


def test_sshd_offers_nothing_old(sshd: str, host_key: Path) -> None:
    found = effective(sshd, host_key, text(example("one-port-of-each"), SSHD_CONFIG))
    exchanges = found["kexalgorithms"][0].split(",")
    assert exchanges
    assert all("25519" in exchange for exchange in exchanges)
    assert all("-gcm@" in one or "poly1305" in one for one in found["ciphers"][0].split(","))
    assert all(one.endswith("-etm@openssh.com") for one in found["macs"][0].split(","))
    assert found["hostkeyalgorithms"] == ["ssh-ed25519"]
    assert found["hostkey"] == [str(host_key)]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(varied())
def test_sshd_takes_other_sites(sshd: str, host_key: Path, site: Site) -> None:
    effective(sshd, host_key, text(site, SSHD_CONFIG))


def test_sshd_refuses_an_option_that_it_does_not_know(sshd: str, host_key: Path) -> None:
    config = text(example("one-port-of-each"), SSHD_CONFIG) + "Sudo yes\n"
    with pytest.raises(AssertionError, match="Bad configuration option"):
        effective(sshd, host_key, config)


def sshd_variables(site: Site) -> dict[str, str]:
    return variables(text(site, "etc/rc.conf.d/sshd"), "sshd")


def test_sshd_runs_in_the_management_port_s_routing_table() -> None:
    found = sshd_variables(example("one-port-of-each"))
    assert (found["sshd_enable"], found["sshd_fib"]) == ("YES", "1")
    assert found["sshd_svcj"] == "NO"


def test_without_a_management_port_or_keys_sshd_does_not_run() -> None:
    site = without_management_port(example("one-port-of-each"))
    assert sshd_variables(site)["sshd_enable"] == "NO"
    assert re.findall("^ListenAddress (.*)$", text(site, SSHD_CONFIG), re.M) == ["127.0.0.1"]
    keyless = replace(example("one-port-of-each"), management=Management())
    assert sshd_variables(keyless)["sshd_enable"] == "NO"


def test_without_networks_root_may_come_from_anywhere_that_reaches_the_port() -> None:
    site = example("one-port-of-each")
    open_ = replace(site, management=replace(site.management, networks=()))
    assert re.findall("^AllowUsers (.*)$", text(open_, SSHD_CONFIG), re.M) == ["root"]


def test_the_host_key_is_made_once_and_is_complete_or_not_there(tmp_path: Path) -> None:
    find("ssh-keygen", "openssh-client")
    setup = sshd_variables(example("one-port-of-each"))["sshd_setup"]
    script = setup.replace("/cfg", str(tmp_path))
    key = tmp_path / "ssh" / "ssh_host_ed25519_key"
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    first = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    assert key.read_bytes() == first
    key.rename(key.parent / "new")
    subprocess.run(["sh", "-c", script], check=True, timeout=60)
    assert key.read_bytes() != first
    assert {path.name for path in key.parent.iterdir()} == {key.name, f"{key.name}.pub"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_keys_are_those_of_the_site_and_for_root_s_eyes(name: str) -> None:
    file = files(example(name), "management")["etc/ssh/authorized_keys/root"]
    assert tuple(file.text.splitlines()) == example(name).management.keys
    assert (file.mode, file.owner, file.group) == (0o600, "root", "wheel")
    if shutil.which("ssh-keygen"):
        command = ["ssh-keygen", "-l", "-f", "/dev/stdin"]
        done = subprocess.run(command, input=file.text, capture_output=True, text=True, timeout=60)
        assert len(done.stdout.splitlines()) == len(example(name).management.keys)


def ntp(site: Site) -> list[list[str]]:
    lines = text(site, "etc/ntp.conf").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_clock_listens_on_the_router_s_addresses_alone_and_serves_nobody(name: str) -> None:
    site = example(name)
    rules = [words[1:] for words in ntp(site) if words[0] == "interface"]
    assert rules[:2] == [["ignore", "all"], ["ignore", "wildcard"]]
    assert rules[2:] == [["listen", str(one)] for one in allot(site).router]
    assert ["restrict", "default", "ignore"] in ntp(site)
    assert all("noquery" in words for words in ntp(site) if words[:2] == ["restrict", "source"])
    assert ["disable", "monitor"] in ntp(site)


def test_names_stand_for_many_servers_and_addresses_for_one() -> None:
    site = example("two-transits-and-an-exchange")
    asked = {words[1]: words[0] for words in ntp(site) if words[0] in ("server", "pool")}
    assert tuple(asked) == site.clock.servers
    for server, verb in asked.items():
        assert verb == ("server" if server[0].isdigit() and ip_address(server) else "pool")


def test_rc_fetches_no_table_of_leap_seconds() -> None:
    file = text(example("one-port-of-each"), "etc/rc.conf.d/ntpd")
    assert variables(file, "ntp_")["ntp_db_leapfile"] == "NONE"


SELECTOR = re.compile(
    r"(kern|auth|authpriv|daemon|syslog)\.(emerg|alert|crit|err|warning|notice|info)"
)
"""syslog.conf(5): facility.level, of the facilities that have nothing to do with users."""


def test_the_log_is_the_box_s_own_and_stays_on_it() -> None:
    lines = text(example("one-port-of-each"), "etc/syslog.conf").splitlines()
    assert lines[-3:] == ["!bgpd", "daemon.=info\t\t\t\t\t/var/log/messages", "!*"]
    rules = [line.split() for line in lines[:-3] if line and not line.startswith("#")]
    assert rules
    for selectors, target in rules:
        if target == "/var/run/exitisp.heard":
            assert selectors == "local7.=debug"
        else:
            assert all(SELECTOR.fullmatch(one) for one in selectors.split(";"))
            assert target == "/dev/console" or target.startswith("/var/log/")
    flags = variables(text(example("one-port-of-each"), "etc/rc.conf.d/syslogd"), "syslogd")
    assert "-ss" in flags["syslogd_flags"].split()


ROTATION = re.compile(
    r"(?P<file>/var/log/\S+)\s+root:wheel\s+600\s+(?P<count>\d+)\s+(?P<kib>\d+)\s+\*\s+[A-Z]+"
)
"""newsyslog.conf(5): file, owner, mode, old ones kept, size in KiB, when, flags."""


def test_every_log_is_cut_and_all_of_them_are_small() -> None:
    site = example("one-port-of-each")
    lines = text(site, "etc/newsyslog.conf").splitlines()
    found = [ROTATION.fullmatch(line) for line in lines if not line.startswith("#")]
    rules = {rule["file"]: (int(rule["count"]) + 1) * int(rule["kib"]) for rule in found if rule}
    assert len(rules) == len(found)
    assert sum(rules.values()) < 4096
    written = set(re.findall(r"/var/log/\S+", text(site, "etc/syslog.conf")))
    assert written <= rules.keys()
    jobs = text(site, "etc/crontab").splitlines()
    assert [job.split()[5:] for job in jobs if job.startswith("*")] == [
        ["root", "newsyslog"],
        ["root", "touch", "/var/run/exitisp.cron"],
    ]
    assert variables(text(site, "etc/rc.conf.d/cron"), "cron")["cron_enable"] == "YES"


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("overlay", ["unbound", "tor", "management"])
def test_what_rc_reads_is_what_the_shell_takes(name: str, overlay: str) -> None:
    for path, file in files(example(name), overlay).items():
        if path.startswith("etc/rc.conf.d/"):
            service = path.rpartition("/")[2]
            found = variables(file.text, service)
            assert f"{service}_svcj" in found
            assert found[f"{service}_enable"] in ("YES", "NO")


@pytest.mark.parametrize("name", EXAMPLES)
def test_jails_share_no_address_and_have_none_of_a_port_towards_strangers(name: str) -> None:
    """FreeBSD refuses the second of two jails with an address in common ("addresses clash")."""
    site = example(name)
    jails = [
        variables(files(site, overlay)[path].text, service)[f"{service}_svcj_ipaddrs"].split()
        for overlay, service in (("unbound", "local_unbound"), ("tor", "exitisp_relays"))
        for path in (f"etc/rc.conf.d/{service}",)
    ]
    together = [address for jail in jails for address in jail]
    assert len(together) == len(set(together))
    ports = [addresses_of(site, role) for role in PortRole if role is not PortRole.LAN]
    assert not set(together) & {address for port in ports for address in port}
    for address in map(ip_address, together):
        assert address.is_loopback or any(address in scope for scope in site.scopes)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_resolver_s_jail_sends_from_the_resolver_s_address_when_nobody_chooses(
    name: str,
) -> None:
    """rc.subr puts each address before the ones it has, and the first of a family is the jail's."""
    site = example(name)
    found = variables(files(site, "unbound")["etc/rc.conf.d/local_unbound"].text, "local_unbound")
    first: dict[int, str] = {}
    for address in found["local_unbound_svcj_ipaddrs"].split():
        first[ip_address(address).version] = address
    assert first == {one.version: str(one) for one in allot(site).resolver}
