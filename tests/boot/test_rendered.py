"""Rendered files on their target system: one boot of an image that is configured.

The site is an example whose ports are QEMU's. Its two transits and its exchange are wires of which
the test holds the other end, from before the machine is switched on.
"""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
import yaml

from firstboot.site import model as sites
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Port, PortRole, Site
from firstboot.site.render import Box, Rendered, render
from firstboot.site.services import On
from image import build, overlay
from image.download.cache import cache_folder
from image.inputs.base_sets import obtain
from image.tree import Tree
from qemu.console_patterns import LOGIN
from qemu.disk import Disk
from qemu.machine import Machine
from qemu.wire import Nic, Wire
from qemu.world.net import wait
from tests.boot.conftest import BOOT, LOCK, ROOT, STICK, Real, added, transcripts
from tests.boot.services import enabled, listed
from tests.boot.tap import ARP, ICMP, ICMPV6, TCP, UDP, Packet, Tap, opening, solicitation, tapped

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("rendered")]

EXAMPLE = "two-transits-and-an-exchange"
DEVICES = {"ix0": "vtnet0", "ix1": "vtnet1", "ix2": "vtnet2", "igb0": "vtnet3"}
BOX = Box(cores=1, memory_mib=1024, unbound=(1, 25), openbgpd=(8, 8), tor=(0, 4, 9))
ON_SOME_KERNELS = {
    one.name
    for loaded in overlay.load_all(ROOT / "overlays")
    for one in loaded.recipe.value.on_some_kernels
}
FAR = bytes.fromhex("0200c0000201")
"""The Ethernet address of all parties at the exchange."""

NEIGHBOUR, NEIGHBOUR6 = "203.0.113.20", "2001:db8:200::20"
STRANGER = "203.0.113.99"
UPSTREAM_B = "192.0.2.5"
"""A neighbour behind a VLAN."""

ADMINISTRATOR = "192.0.2.200"
SYN_ACK = 0x12
"""The flags of a TCP segment that takes a connection (RFC 9293)."""

PROMPT = 5.0
"""Seconds within which a frame arrives."""


def on_qemu(site: Site) -> Site:
    ports = (dataclasses.replace(port, device=DEVICES[port.device]) for port in site.ports)
    return dataclasses.replace(site, ports=tuple(ports))


def example(name: str) -> Site:
    return sites.load(ROOT / "examples" / f"{name}.yaml").value


SITE = on_qemu(example(EXAMPLE))
PLAN: Plan = allot(SITE)
OUTSIDE = [port for port in SITE.ports if port.role.outside]
EXCHANGE: Port = next(port for port in SITE.ports if port.role is PortRole.EXCHANGE)
MANAGEMENT: Port = next(port for port in SITE.ports if port.role is PortRole.MANAGEMENT)


def mac_of(management: bool) -> str:
    """The Ethernet address of the management port, or of the exchange port."""
    if management:
        return f"02:00:5e:10:01:{SITE.ports.index(MANAGEMENT):02x}"
    assert EXCHANGE.mac is not None
    return str(EXCHANGE.mac)


def write_overlay(folder: Path, files: list[Rendered], base: Tree) -> overlay.Overlay:
    """Make an overlay of `files` at their places on the box, and of all examples in /testdata."""
    rules = []
    for file in files:
        path = folder / "files" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        rules.append(
            {
                "path": file.path,
                "mode": f"{file.mode:04o}",
                "owner": file.owner,
                "group": file.group,
                "replaces": "yes" if file.path in base else "no",
            }
        )
    for name in (path.stem for path in (ROOT / "examples").glob("*.yaml")):
        for file in render(example(name), BOX, ROOT / "overlays"):
            path = folder / "files" / "testdata" / name / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text)
    recipe = {"description": "A site that is configured.", "files": rules}
    (folder / "overlay.yaml").write_text(yaml.safe_dump(recipe))
    return overlay.load(folder)


@dataclass(frozen=True)
class Lab:
    """The box, the other ends of its wires to strangers by device, and that of the management
    port's."""

    box: Machine
    taps: dict[str, Tap]
    management: Tap

    def said(self, command: str, timeout: float = 120.0) -> str:
        return self.box.shell.run(command, timeout).text.rstrip("\n")

    def status(self, command: str) -> int:
        return self.box.shell.run(command, 120.0, check=False).status

    def is_up(self, interface: str) -> bool:
        return interface in self.said("ifconfig -u -l").split()

    def is_taken(self, tap: Tap, source: str, target: str, port: int) -> bool:
        """Whether the box takes a TCP connection that `source` opens at `tap`. The port there has
        the Ethernet address `mac_of`."""
        before = len(tap.frames)
        mac = bytes.fromhex(mac_of(tap is self.management).replace(":", ""))
        tap.send(opening(FAR, mac, IPv4Address(source), IPv4Address(target), port))
        deadline = time.monotonic() + PROMPT * 2
        while time.monotonic() < deadline:
            # Not what is said again of a connection before.
            answers = [
                p
                for p in tap.packets(before)
                if p.protocol == TCP and int.from_bytes(p.payload[:2]) == port
            ]
            if answers:
                return (str(answers[0].source), answers[0].payload[13]) == (target, SYN_ACK)
            time.sleep(0.2)
        return False

    @property
    def exchange(self) -> Tap:
        return self.taps[EXCHANGE.device]

    def sent(self, command: str, tap: Tap | None = None) -> list[Packet]:
        """Run `command`, and return what leaves a port because of it, without neighbour discovery.
        The port is that of the exchange, or the one at whose other end `tap` is."""
        tap = tap or self.exchange
        before = len(tap.frames)
        self.box.shell.run(command, 120.0, check=False)
        time.sleep(1)
        packets = tap.packets(before)
        return [p for p in packets if p.ethertype != ARP and not p.finds_neighbours]

    def counted(self, label: str) -> int:
        """Return how many packets matched the rules with `label`."""
        adding = f'$1 == "{label}" {{ packets += $3 }} END {{ print packets + 0 }}'
        return int(self.said(f"pfctl -s labels | awk '{adding}'"))


@pytest.fixture(scope="module")
def lab(sets: Path, real: Real, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("rendered")
    configured = write_overlay(folder, render(SITE, BOX, ROOT / "overlays"), real.tree)
    overlays = [*overlay.load_all(ROOT / "overlays"), *added(sets), configured]
    image = folder / "configured.img"
    build.build(obtain(sets, LOCK, cache_folder()), overlays, image, cache_folder().parent)
    with ExitStack() as stack:
        taps, nics = {}, []
        for at, port in enumerate(SITE.ports):
            mac = f"02:00:5e:10:01:{at:02x}"
            wire = stack.enter_context(Wire())
            taps[port.device] = stack.enter_context(tapped(wire.b))
            nics.append(Nic(mac, wire.a))
        disk = Disk(image, size=STICK)
        machine = Machine(disk, folder=transcripts(sets), nics=nics, memory=1024, name="rendered")
        box = stack.enter_context(machine)
        box.console.expect(LOGIN, timeout=BOOT)
        box.shell.open_shell(timeout=BOOT)
        management = taps.pop(MANAGEMENT.device)
        yield Lab(box, taps, management)


@pytest.mark.parametrize(
    "name", [EXAMPLE, "one-port-of-each", "ipv6-heavy", "relays-only", "bundle"]
)
def test_the_daemons_of_the_base_accept_every_example(lab: Lab, name: str) -> None:
    folder = f"/testdata/{name}"
    lab.said(f"pfctl -nf {folder}/etc/pf.conf && pfctl -nf {folder}/etc/pf-fallback.conf")
    lab.said(f"local-unbound-checkconf {folder}/var/unbound/unbound.conf")
    lab.said(
        "mkdir -p /tmp/ssh && cd /tmp/ssh"
        " && { [ -e key ] || ssh-keygen -q -t ed25519 -N '' -f key; }"
        f" && sed '/^HostKey /s,/.*,/tmp/ssh/key,' {folder}/etc/ssh/sshd_config > config"
        " && /usr/sbin/sshd -t -f config"
    )


def test_pf_runs_what_was_rendered(lab: Lab) -> None:
    assert lab.said("pfctl -s info").startswith("Status: Enabled")
    rules = lab.said("pfctl -s rules")
    for label in ("bgp-out", "LEAK4", "LEAK6", "dns", "relay-out", "or-16", "management"):
        assert f'label "{label}"' in rules
    assert "pf-fallback" not in rules
    assert lab.said("pfctl -s nat") == ""
    assert lab.said("sysctl -n net.pf.default_to_drop") == "1"
    frames = [line for line in lab.said("pfctl -s ether").splitlines() if "vtnet2" in line]
    assert frames[-1].startswith("ether block out quick on vtnet2")


def test_relays_have_no_states(lab: Lab) -> None:
    rules = lab.said("pfctl -s rules").splitlines()
    relays = [rule for rule in rules if rule.startswith("pass") and 'label "relay-' in rule]
    assert relays
    assert all("no state" in rule and "keep state" not in rule for rule in relays)
    out = [rule for rule in relays if "relay-out" in rule]
    assert all("flags" not in rule for rule in out)


def test_ports_towards_strangers_have_addresses_and_are_down(lab: Lab) -> None:
    for port in OUTSIDE:
        seen = lab.said(f"ifconfig {port.interface}")
        assert not lab.is_up(port.interface)
        for address in port.addresses:
            assert f" {address.ip} " in seen
        for flag in ("ACCEPT_RTADV", "IFDISABLED", "TSO", "LRO"):
            assert flag not in seen
        if port.mac:
            assert f"ether {port.mac}" in seen
    assert "vlan: 1203" in lab.said("ifconfig vtnet1.1203")
    assert not lab.is_up("vtnet1")


def test_nothing_but_arp_and_discovery_left_while_the_box_started(lab: Lab) -> None:
    for tap in lab.taps.values():
        for packet in tap.packets():
            assert packet.ethertype == ARP or packet.finds_neighbours, packet


def test_the_own_addresses_are_on_the_loopback(lab: Lab) -> None:
    seen = lab.said("ifconfig lo1")
    for address in PLAN.addresses:
        assert f" {address} " in seen
    assert seen.splitlines()[0].endswith("metric 0 mtu 16384")


def test_management_has_a_routing_table_of_its_own(lab: Lab) -> None:
    assert lab.said("sysctl -n net.fibs") == "2"
    gateway = str(MANAGEMENT.gateway[0])
    assert f"gateway: {gateway}" in lab.said("setfib 1 route -n get default")
    assert lab.status("route -n get default") != 0
    assert lab.status("route -n get -inet6 default") != 0
    assert "fib: 1" in lab.said(f"ifconfig {MANAGEMENT.interface}")


def test_a_socket_has_what_comes_by_its_own_routing_table_alone(lab: Lab) -> None:
    names = " ".join(f"net.inet.{protocol}.bind_all_fibs" for protocol in ("tcp", "udp", "raw"))
    assert lab.said(f"sysctl -n {names}") == "0\n0\n0"
    assert lab.status("nc -z -w 5 127.0.0.1 53") == 0
    assert lab.status("setfib 1 nc -z -w 5 127.0.0.1 53") != 0


def test_sshd_answers_administrators_at_the_management_port(lab: Lab) -> None:
    lab.said(f"setfib 1 arp -s {ADMINISTRATOR} {FAR.hex(':')}")
    assert lab.is_taken(lab.management, ADMINISTRATOR, str(MANAGEMENT.addresses[0].ip), 22)
    assert not lab.is_taken(lab.management, ADMINISTRATOR, str(PLAN.router.v4), 53)


def test_the_kernel_does_no_tls(lab: Lab) -> None:
    assert lab.said("sysctl -n kern.ipc.tls.enable 2>/dev/null || echo 0") == "0"


def test_packets_for_unused_addresses_of_the_scopes_are_dropped(lab: Lab) -> None:
    assert "BLACKHOLE" in lab.said("route -n get 198.51.100.177")
    assert "BLACKHOLE" in lab.said("route -n get -inet6 2001:db8:ee:77::1")
    assert "BLACKHOLE" in lab.said("route -n get -inet6 2001:db8:ef::1")
    assert "interface: lo1" in lab.said("route -n get 198.51.100.1")


def test_every_setting_of_the_kernel_is_known_and_in_force(lab: Lab) -> None:
    lines = lab.said("cat /etc/sysctl.conf").splitlines()
    settings = dict(line.split("=") for line in lines if line and not line.startswith("#"))
    assert len(settings) > 20
    # The names are the guest's to read: a long line may lose characters on its way.
    values = lab.said("sed -n '/^#/!s/=.*//p' /etc/sysctl.conf | xargs sysctl -n").splitlines()
    # Emulators do without dxr: tests/boot/routes. It is in force in test_performance.py.
    settings["net.route.algo.inet.algo"] = "radix4_lockless"
    assert dict(zip(settings, values, strict=True)) == settings


def test_every_tunable_of_the_loader_is_known(lab: Lab) -> None:
    tunables = {}
    for path in sorted((ROOT / "overlays").glob("*/files/boot/loader.conf.d/*.conf")):
        for line in path.read_text().splitlines():
            name, _, value = line.partition("=")
            if "." in name and not name.startswith("#"):
                tunables[name] = value.strip('"')
    assert "net.pf.default_to_drop" in tunables
    lines = (line.split("=", 1) for line in lab.said("kenv").splitlines())
    environment = {name: value.strip('"') for name, value in lines}
    assert {name: environment.get(name) for name in tunables} == tunables
    # Drivers make their names where their cards are: test_performance.py. PaX is HardenedBSD's.
    for name in tunables:
        if name in ON_SOME_KERNELS:
            assert lab.said(f"sysctl -N {name} 2>/dev/null; true") in (name, "")
        elif not name.startswith(("dev.", "hardening.", "hint.")):
            assert lab.said(f"sysctl -N {name}") == name
    assert lab.said("sysctl -n net.inet.tcp.tcbhashsize") == "524288"


def test_pax_is_as_the_loader_was_told(lab: Lab) -> None:
    if lab.status("sysctl -q hardening.version") != 0:
        pytest.skip("this kernel is FreeBSD's, which has no PaX")
    path = ROOT / "overlays/hardening/files/boot/loader.conf.d/hardening.conf"
    lines = [line for line in path.read_text().splitlines() if line.startswith("hardening.")]
    wanted = {name: value.strip('"') for name, value in (line.split("=") for line in lines)}
    assert "hardening.pax.mprotect.status" in wanted
    assert {name: lab.said(f"sysctl -n {name}") for name in wanted} == wanted


def test_modules_are_loaded(lab: Lab) -> None:
    for module in ("pf", "tcpmd5", "fib_dxr", "coretemp", "mac_ntpd", "if_lagg"):
        assert lab.status(f"kldstat -q -n {module}") == 0, module


def test_services_are_those_of_the_site(lab: Lab) -> None:
    # This image has no packages.
    assert enabled(lab.box) == listed(On.ALWAYS, On.SITE) - {"openbgpd"}
    assert lab.said("sysrc -n network_interfaces") == "lo0 vtnet3"
    assert lab.said("sysrc -n gateway_enable") == "NO"
    assert lab.said("sysctl -n net.inet.ip.forwarding net.inet6.ip6.forwarding") == "0\n0"


def test_services_start_in_an_order_that_guards_the_ports(lab: Lab) -> None:
    # Its status tells of scripts that the base's name and the image does not have.
    order = lab.said("rcorder /etc/rc.d/* 2>/dev/null; true").splitlines()
    names = [path.rpartition("/")[2] for path in order]
    chain = (
        "mountcritlocal exitisp_storage exitisp_site netif routing pf exitisp_ports NETWORKING",
        "pf local_unbound NETWORKING DAEMON exitisp_relays LOGIN sshd",
        "exitisp_guard sysctl mountcritlocal",
        "exitisp_guard devmatch netif",
        "exitisp_guard exitisp_accounts mountcritlocal",
        "exitisp_site sysctl_lastload securelevel",
        "ldconfig exitisp_relays",
        "netif syslogd",
    )
    for places in (line.split() for line in chain):
        assert sorted(places, key=names.index) == places


def test_securelevel_rises_last(lab: Lab) -> None:
    assert lab.said("sysctl -n kern.securelevel") == "1"
    assert lab.said("sysctl -n security.mac.ntpd.enabled") == "1"
    assert lab.said("ps -o user= -p $(pgrep -x ntpd)") == "ntpd"
    # What an administrator changes while it runs.
    assert lab.said("service sysctl start 2>&1") == ""
    lab.said("pfctl -q -f /etc/pf.conf && service ntpd restart && service syslogd restart")


def test_sshd_offers_current_algorithms_alone(lab: Lab) -> None:
    told = lab.said("/usr/sbin/sshd -T -f /etc/ssh/sshd_config")
    says = dict(line.split(" ", 1) for line in told.splitlines() if " " in line)
    assert says["ciphers"].split(",") == [
        "chacha20-poly1305@openssh.com",
        "aes256-gcm@openssh.com",
        "aes128-gcm@openssh.com",
    ]
    assert says["macs"].split(",") == [
        "hmac-sha2-512-etm@openssh.com",
        "hmac-sha2-256-etm@openssh.com",
    ]
    assert says["hostkeyalgorithms"] == "ssh-ed25519"
    kinds = ("mlkem768x25519", "sntrup761x25519", "curve25519")
    assert all(one.startswith(kinds) for one in says["kexalgorithms"].split(","))
    assert says["passwordauthentication"] == says["kbdinteractiveauthentication"] == "no"
    assert says["permitrootlogin"] == "without-password"


def test_the_resolver_s_script_starts_a_package_s_program_in_its_jail(lab: Lab) -> None:
    """A copy of the base's under the names of the package, which this image has not."""
    names = " ".join(f"unbound{tool}" for tool in ("", "-checkconf", "-control"))
    lab.said(
        "mount -t tmpfs tmpfs /mnt"
        f" && for name in {names}; do cp /usr/sbin/local-$name /mnt/$name; done"
        " && cp -p /etc/rc.conf.d/local_unbound /tmp/kept && service local_unbound stop"
        """ && echo 'local_unbound_program="/mnt/unbound"' >> /etc/rc.conf.d/local_unbound"""
    )
    try:
        lab.said("service local_unbound start && sleep 2")
        jail = lab.said("jls -j svcj-local_unbound jid")
        assert lab.said(f"pgrep -j {jail} -x '(local-unbound|unbound)'")
        assert lab.status("pgrep -x local-unbound") != 0
        lab.said("local-unbound-control -c /var/unbound/unbound.conf status")
    finally:
        lab.said("service local_unbound stop; cp -p /tmp/kept /etc/rc.conf.d/local_unbound; true")
        lab.said("umount /mnt; service local_unbound start")


def test_ports_are_not_raised_without_the_packet_filter(lab: Lab) -> None:
    lab.said("pfctl -q -d")
    try:
        assert lab.status("service exitisp_ports raise") != 0
        assert not lab.is_up("vtnet2")
    finally:
        lab.said("pfctl -q -e")
    lab.said("pfctl -q -f /etc/pf-fallback.conf")
    try:
        assert lab.status("service exitisp_ports raise") != 0
    finally:
        lab.said("pfctl -q -f /etc/pf.conf")


@pytest.fixture(scope="module")
def raised(lab: Lab) -> Lab:
    """The box with its ports up, and with its neighbours' Ethernet addresses."""
    lab.said("service exitisp_ports raise")
    mac = FAR.hex(":")
    for address in (NEIGHBOUR, STRANGER, "203.0.113.1"):
        lab.said(f"arp -s {address} {mac}")
    lab.said(f"arp -s {UPSTREAM_B} {mac}")
    lab.said(f"ndp -s {NEIGHBOUR6} {mac}")
    time.sleep(3)
    return lab


GROUPS = 60.0
"""Seconds within which the kernel has said which groups it hears: each report waits for a while
that is drawn by lot, of up to ten seconds (RFC 2710, 7.10)."""

ROUTER, RESOLVER = PLAN.router.v4, PLAN.resolver.v4
EXIT = PLAN.relays[0].source.v4


def test_what_the_kernel_says_as_ports_go_up_is_counted_as_no_leak(raised: Lab) -> None:
    wait("a word about groups", lambda: raised.counted("groups-out") > 0, GROUPS)
    assert (raised.counted("LEAK4"), raised.counted("LEAK6")) == (0, 0)


@pytest.mark.parametrize(
    ("command", "protocol", "source"),
    [
        (f"ping -c 2 -i 0.1 -t 1 -S {ROUTER} {NEIGHBOUR}", ICMP, ROUTER),
        (f"ping -6 -c 2 -i 0.1 -t 1 -S {PLAN.router.v6} {NEIGHBOUR6}", ICMPV6, PLAN.router.v6),
        (f"echo q | nc -u -w 1 -s {RESOLVER} {NEIGHBOUR} 53", UDP, RESOLVER),
        (f"nc -w 1 -s {EXIT} {NEIGHBOUR} 80", TCP, EXIT),
        (f"nc -w 1 -s 203.0.113.10 {NEIGHBOUR} 179", TCP, IPv4Address("203.0.113.10")),
    ],
)
def test_permitted_packets_leave(
    raised: Lab, command: str, protocol: int, source: IPv4Address | IPv6Address
) -> None:
    packets = raised.sent(command)
    assert packets
    assert {(p.protocol, p.source) for p in packets} == {(protocol, source)}


@pytest.mark.parametrize(
    ("command", "label"),
    [
        # As in 2018: the kernel picks the address of the exchange's port.
        (f"echo q | nc -u -w 1 {NEIGHBOUR} 53", "LEAK4"),
        (f"echo q | nc -6 -u -w 1 {NEIGHBOUR6} 53", "LEAK6"),
        (f"ping -c 2 -i 0.1 -t 1 {NEIGHBOUR}", "LEAK4"),
        (f"ping -6 -c 2 -i 0.1 -t 1 {NEIGHBOUR6}", "LEAK6"),
        (f"ping -c 2 -i 0.1 -t 1 -S 192.0.2.194 {NEIGHBOUR}", "LEAK4"),
        (f"ping -c 2 -i 0.1 -t 1 -S 192.0.2.2 {NEIGHBOUR}", "LEAK4"),
        (f"nc -w 1 -s 203.0.113.10 {NEIGHBOUR} 80", "LEAK4"),
        (f"nc -w 1 -s 203.0.113.10 {STRANGER} 179", "LEAK4"),
        (f"nc -w 1 -s 192.0.2.194 {NEIGHBOUR} 179", "LEAK4"),
        (f"nc -w 1 -s {RESOLVER} {NEIGHBOUR} 80", "dns-other"),
        (f"echo q | nc -u -w 1 -s {EXIT} {NEIGHBOUR} 53", "default"),
    ],
)
def test_other_packets_do_not_leave(raised: Lab, command: str, label: str) -> None:
    before = raised.counted(label)
    assert raised.sent(command) == []
    assert raised.counted(label) > before


def test_a_vlan_is_guarded_as_well(raised: Lab) -> None:
    tap = raised.taps["vtnet1"]
    packets = raised.sent(f"ping -c 2 -i 0.1 -t 1 -S {ROUTER} {UPSTREAM_B}", tap)
    assert {(p.source, p.vlan) for p in packets} == {(ROUTER, 1203)}
    assert raised.sent(f"ping -c 2 -i 0.1 -t 1 {UPSTREAM_B}", tap) == []
    assert {p.vlan for p in tap.packets()} == {1203}


def test_the_probe_would_see_a_leak(raised: Lab) -> None:
    raised.said("pfctl -q -d")
    try:
        packets = raised.sent(f"echo q | nc -u -w 1 {NEIGHBOUR} 53")
    finally:
        raised.said("pfctl -q -e")
    assert {p.source for p in packets} == {IPv4Address("203.0.113.10")}


def test_without_pf_a_stranger_still_reaches_no_socket_of_the_management_s_table(
    raised: Lab,
) -> None:
    """What is lost if pf is off: sockets of the first routing table, and no others."""
    address = str(EXCHANGE.addresses[0].ip)
    listening = (
        f"setfib {table} nc -l {address} {port} </dev/null >/dev/null 2>&1 & echo $!"
        for table, port in ((0, 2000), (1, 2001))
    )
    processes = " ".join(raised.said(command) for command in listening)
    raised.said("pfctl -q -d")
    try:
        time.sleep(2)
        assert raised.is_taken(raised.exchange, NEIGHBOUR, address, 2000)
        assert not raised.is_taken(raised.exchange, NEIGHBOUR, address, 2001)
        management = str(MANAGEMENT.addresses[0].ip)
        assert not raised.is_taken(raised.exchange, NEIGHBOUR, management, 22)
    finally:
        raised.said("pfctl -q -e")
        raised.said(f"kill {processes}; true")


def test_neighbours_find_the_port_from_their_link_local_address(raised: Lab) -> None:
    asker, asked = IPv6Address("fe80::c0ff:fe00:201"), IPv6Address("2001:db8:200::10")
    before = len(raised.exchange.frames)
    deadline = time.monotonic() + PROMPT * 6
    found: list[Packet] = []
    while not found and time.monotonic() < deadline:
        raised.exchange.send(solicitation(FAR, asker, asked))
        time.sleep(0.5)
        found = [p for p in raised.exchange.packets(before) if p.finds_neighbours]
        found = [p for p in found if p.target == asker]
    assert found
    assert found[0].source_mac == bytes.fromhex("02005e10000b")


@pytest.mark.parametrize(
    ("target", "port", "label"),
    [
        (EXIT, 80, "notice"),
        (EXIT, 22, "relay-unasked"),
        (EXIT, 9001, "relay-unasked"),
        (PLAN.relays[0].listen.v4, 443, "or-1"),
        (PLAN.relays[0].listen.v4, 80, "relay-unasked"),
        (RESOLVER, 53, "dns-unasked"),
        (ROUTER, 22, "default"),
        (IPv4Address("203.0.113.10"), 22, "not-ours4"),
        (IPv4Address("192.0.2.194"), 22, "not-ours4"),
    ],
)
def test_a_stranger_reaches_relays_and_the_notice_alone(
    raised: Lab, target: IPv4Address, port: int, label: str
) -> None:
    assert EXCHANGE.mac is not None
    mac = bytes.fromhex(EXCHANGE.mac.replace(":", ""))
    before = raised.counted(label)
    raised.exchange.send(opening(FAR, mac, IPv4Address("9.9.9.9"), target, port))
    deadline = time.monotonic() + PROMPT * 6
    while raised.counted(label) == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert raised.counted(label) > before


def test_a_stranger_with_one_of_the_own_addresses_is_not_believed(raised: Lab) -> None:
    assert EXCHANGE.mac is not None
    mac = bytes.fromhex(EXCHANGE.mac.replace(":", ""))
    before = raised.counted("spoof-in")
    assert ROUTER is not None
    assert EXIT is not None
    raised.exchange.send(opening(FAR, mac, ROUTER, EXIT, 80))
    deadline = time.monotonic() + PROMPT * 6
    while raised.counted("spoof-in") == before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert raised.counted("spoof-in") > before


def test_frames_of_other_kinds_do_not_leave_an_exchange_port(raised: Lab) -> None:
    kinds = {packet.ethertype for packet in raised.exchange.packets()}
    assert kinds <= {0x0800, 0x0806, 0x86DD}
    assert {p.source_mac for p in raised.exchange.packets()} <= {bytes.fromhex("02005e10000b")}


def test_sessions_of_bgp_are_logged_and_no_other_daemon_at_that_level(lab: Lab) -> None:
    lab.said("logger -t bgpd -p daemon.info seen-it; logger -t tor -p daemon.info hidden; sleep 1")
    told = lab.said("cat /var/log/messages")
    assert told.count("seen-it") == 1
    assert "hidden" not in told
