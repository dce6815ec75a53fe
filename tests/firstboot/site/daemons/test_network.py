"""rc.conf, the ports' settings and the kernel's: read as the shell of rc(8) reads them."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from firstboot.site.address_plan import allot
from firstboot.site.model import Port, PortRole, Site
from tests.firstboot.site.daemons.sites import EXAMPLES, ROOT, example, files, varied

TWO_TRANSITS = "two-transits-and-an-exchange"
ONE_OF_EACH = "one-port-of-each"


def variables(text: str) -> dict[str, str]:
    """What a file of rc.conf's kind sets."""
    names = re.findall(r"^(\w+)=", text, re.MULTILINE)
    assert len(names) == len(set(names))
    script = text + "".join(f"\nprintf '%s\\0' \"${name}\"" for name in names)
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    return dict(zip(names, done.stdout.split("\0"), strict=False))


def rc(site: Site) -> dict[str, str]:
    return variables(files(site, "network")["etc/rc.conf.local"].text)


def ports(site: Site) -> tuple[list[str], list[str]]:
    """What comes down and goes up, and ifconfig's arguments."""
    found = variables(files(site, "network")["etc/rc.conf.d/exitisp_ports"].text)
    arguments = [line for line in found["exitisp_ports_settings"].splitlines() if line]
    return found["exitisp_ports_list"].split(), arguments


def sysctl(site: Site) -> dict[str, str]:
    lines = files(site, "performance")["etc/sysctl.conf"].text.splitlines()
    pairs = [line.partition("=")[::2] for line in lines if line and not line.startswith("#")]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def outside(site: Site) -> list[Port]:
    return [port for port in site.ports if port.role.guarded]


def check_ports(site: Site) -> None:
    """rc(8) raises no port towards strangers; those have their addresses from elsewhere."""
    found = rc(site)
    listed, arguments = ports(site)
    for port in outside(site):
        assert port.interface not in found["network_interfaces"].split()
        assert not any(name.startswith(f"ifconfig_{port.device}_") for name in found)
        assert listed.count(port.interface) == 1
        for address in port.addresses:
            family = "inet6" if address.version == 6 else "inet"
            assert f"{port.interface} {family} {address} alias" in arguments
    assert not any(" up" in line for line in arguments)
    for port in site.ports:
        if not port.role.guarded:
            assert port.interface in found["network_interfaces"].split()
            assert port.interface not in listed


@pytest.mark.parametrize("name", EXAMPLES)
def test_ports_towards_strangers_are_not_raised_by_rc(name: str) -> None:
    check_ports(example(name))


@settings(max_examples=25)
@given(site=varied())
def test_ports_towards_strangers_are_not_raised_by_rc_for_any_site(site: Site) -> None:
    check_ports(site)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_loopback_has_every_address_of_the_plan(name: str) -> None:
    site = example(name)
    aliases = rc(site)["ifconfig_lo1_aliases"].split()
    found = set(zip(aliases[::2], aliases[1::2], strict=True))
    assert found == {
        ("inet6", f"{a}/128") if a.version == 6 else ("inet", f"{a}/32")
        for a in allot(site).on_loopback
    }
    assert rc(site)["cloned_interfaces"].split()[0] == "lo1"


def test_management_has_its_own_routing_table_and_the_only_default_route() -> None:
    found = rc(example(ONE_OF_EACH))
    assert found["ifconfig_igb0"] == "mtu 1500 fib 1"
    assert found["ifconfig_igb0_aliases"] == "inet 192.0.2.194/27 inet6 2001:db8:f0::2/64"
    assert found["defaultrouter_fib1"] == "192.0.2.193"
    assert found["ipv6_defaultrouter_fib1"] == "2001:db8:f0::1"
    assert found["defaultrouter"] == found["ipv6_defaultrouter"] == "NO"
    assert found["ipv6_default_interface"] == "NO"
    assert "fib" not in found["ifconfig_ix2"]
    loader = (ROOT / "overlays/network/files/boot/loader.conf.d/network.conf").read_text()
    settings = dict(re.findall(r'^([a-z._]+)="([^"]*)"$', loader, re.MULTILINE))
    assert settings["net.fibs"] == "2"
    # A socket of one table never gets what came in by the other.
    assert {settings[f"net.inet.{one}.bind_all_fibs"] for one in ("tcp", "udp", "raw")} == {"0"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_packets_are_passed_on_for_a_lan_and_a_twin_alone(name: str) -> None:
    site = example(name)
    passing = {PortRole.LAN, PortRole.TWIN}
    expected = "YES" if any(port.role in passing for port in site.ports) else "NO"
    found = rc(site)
    assert found["gateway_enable"] == found["ipv6_gateway_enable"] == expected


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_scope_ends_here(name: str) -> None:
    site, found = example(name), rc(example(name))
    routed = allot(site).routed
    assert routed == site.scopes or site.provided
    routes = [found[f"route_{route}"] for route in found.get("static_routes", "").split()]
    routes6 = [found[f"ipv6_route_{route}"] for route in found["ipv6_static_routes"].split()]
    assert routes == [f"-net {s} 127.0.0.1 -blackhole" for s in routed if s.version == 4]
    assert routes6 == [
        f"{s.network_address} -prefixlen {s.prefixlen} ::1 -blackhole"
        for s in routed
        if s.version == 6
    ]


def test_a_scope_that_is_a_lan_has_its_route_from_the_port() -> None:
    site = example(ONE_OF_EACH)
    wide = tuple(
        replace(port, addresses=(type(port.addresses[0])("198.51.100.129/24"),))
        if port.role is PortRole.LAN
        else port
        for port in site.ports
    )
    assert "static_routes" not in rc(replace(site, ports=wide))


def test_a_vlan_is_made_on_a_device_that_has_no_address_itself() -> None:
    listed, arguments = ports(example(TWO_TRANSITS))
    assert listed == ["ix1", "ix0", "ix1.1203", "ix2"]
    assert "ix1 inet6 -auto_linklocal ifdisabled" in arguments
    made = arguments.index("ix1.1203 create")
    assert all(line.startswith("ix1.1203 ") for line in arguments[made : made + 5])
    assert not any(line.startswith("ix1 inet ") for line in arguments)


def test_vlans_of_the_inside_are_rcs() -> None:
    site = example(ONE_OF_EACH)
    tagged = tuple(
        port if port.role.guarded else replace(port, device="igb1", vlan=7 + at)
        for at, port in enumerate(site.ports)
    )
    found = rc(replace(site, ports=tagged))
    assert found["network_interfaces"] == "lo0 igb1 igb1.9 igb1.10"
    assert found["vlans_igb1"] == "9 10"
    assert found["ifconfig_igb1"] == "up mtu 1500"
    assert found["ifconfig_igb1_10"] == "mtu 1500 fib 1"


def test_a_device_has_the_largest_mtu_of_its_vlans() -> None:
    site = example(TWO_TRANSITS)
    sizes = (9000, 1500, 2000)
    tagged = tuple(
        replace(port, device="ix1", vlan=7 + at, mac=None, mtu=sizes[at]) if at < 3 else port
        for at, port in enumerate(site.ports)
    )
    _, arguments = ports(replace(site, ports=tagged))
    assert [line for line in arguments if line.startswith("ix1 mtu")] == 3 * [
        "ix1 mtu 9000 -tso -lro"
    ]
    assert [line.split()[:3] for line in arguments if re.match(r"ix1\.\d+ mtu", line)] == [
        [f"ix1.{7 + at}", "mtu", str(size)] for at, size in enumerate(sizes)
    ]


def test_the_registered_ethernet_address_is_set_before_the_ports_addresses() -> None:
    _, arguments = ports(example(TWO_TRANSITS))
    exchange = [line for line in arguments if line.startswith("ix2 ")]
    assert exchange[0] == "ix2 ether 02:00:5e:10:00:0b"


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_port_believes_router_advertisements_or_merges_packets(name: str) -> None:
    site = example(name)
    _, arguments = ports(site)
    for port in outside(site):
        assert f"{port.interface} mtu {port.mtu} -tso -lro" in arguments
        if any(address.version == 6 for address in port.addresses):
            flags = "-ifdisabled -accept_rtadv no_radr no_dad auto_linklocal"
        else:
            flags = "-auto_linklocal ifdisabled"
        assert f"{port.interface} inet6 {flags}" in arguments
    for name_, value in rc(site).items():
        if name_.endswith("_ipv6"):
            assert "-accept_rtadv" in value.split()


def test_errors_have_an_own_address_as_source() -> None:
    for name in EXAMPLES:
        port = "ix0" if example(name).provided else "lo1"
        assert sysctl(example(name))["net.inet.icmp.reply_src"] == port


def test_the_rules_of_exchanges_are_kept() -> None:
    found = sysctl(example(TWO_TRANSITS))
    for name in ("ip.redirect", "ip.sourceroute", "ip.accept_sourceroute"):
        assert found[f"net.inet.{name}"] == "0"
    assert found["net.inet6.ip6.accept_rtadv"] == "0"
    assert found["net.link.ether.inet.proxyall"] == "0"
    assert found["net.link.ether.inet.max_age"] == "14400"
    ports = tuple(port for port in example(TWO_TRANSITS).ports if port.role.value != "exchange")
    alone = sysctl(replace(example(TWO_TRANSITS), ports=ports))
    assert "net.link.ether.inet.max_age" not in alone


def test_firmware_that_speaks_lldp_is_told_not_to() -> None:
    found = sysctl(example("ipv6-heavy"))
    assert {name for name in found if "lldp" in name} == {
        "dev.ice.0.fw_lldp_agent",
        "dev.ice.1.fw_lldp_agent",
    }


def test_nothing_remembers_who_was_talked_to() -> None:
    found = sysctl(example(TWO_TRANSITS))
    always = (ROOT / "overlays/hardening/files/etc/sysctl.conf.local").read_text()
    assert found["net.inet.tcp.hostcache.enable"] == "0"
    assert "\nkern.coredump=0\n" in always


def loader_files() -> list[Path]:
    return sorted((ROOT / "overlays").glob("*/files/boot/loader.conf.d/*.conf"))


@pytest.mark.parametrize("path", loader_files(), ids=lambda path: path.stem)
def test_every_setting_has_its_reason_before_it(path: Path) -> None:
    groups = path.read_text().strip().split("\n\n")
    for group in groups:
        assert group.startswith("#") or group == 'pf_load="YES"', group


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_sysctl_has_its_reason_before_it(name: str) -> None:
    text = files(example(name), "performance")["etc/sysctl.conf"].text
    assert all(group.startswith("#") for group in text.strip().split("\n\n"))


def test_a_tunable_is_set_once() -> None:
    names = [
        line.partition("=")[0]
        for path in [*loader_files(), ROOT / "overlays/base/files/boot/loader.conf"]
        for line in path.read_text().splitlines()
        if "=" in line and not line.startswith("#")
    ]
    assert len(names) == len(set(names))
