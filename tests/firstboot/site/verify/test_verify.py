"""The semantic checks: nothing to say of the examples, and one sentence for each way to leak."""

import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from firstboot.site import model
from firstboot.site.model import Site
from firstboot.site.render import Box, Rendered, render
from firstboot.site.verify.verify import verify

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
BOX = Box(cores=4, memory_mib=8192, unbound=(1, 22, 0), openbgpd=(8, 9), tor=(0, 4, 9))
LARGEST = ROOT / "examples" / "two-transits-and-an-exchange.yaml"


@cache
def rendered(path: Path) -> tuple[Site, list[Rendered]]:
    one = model.load(path).value
    return one, render(one, BOX, ROOT / "overlays")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("openbgpd", [(7, 7), (8, 9)], ids=["openbgpd-7", "openbgpd-8"])
def test_nothing_is_wrong_with_the_examples(path: Path, openbgpd: tuple[int, int]) -> None:
    one = model.load(path).value
    files = render(one, replace(BOX, openbgpd=openbgpd), ROOT / "overlays")
    assert [str(flaw) for flaw in verify(one, BOX, files)] == []


EXIT, OR = "OutboundBindAddressExit", "OutboundBindAddressOR"
LEAK = r"block out quick on \{[^}]*\} "

CHANGES = [
    # The resolver
    ("unbound.conf", r"outgoing-interface: 198.51.100.2\n", "", "no outgoing-interface for IPv4"),
    ("unbound.conf", "outgoing-interface: 198.51.100.2", "outgoing-interface: 203.0.113.10",
     "203.0.113.10 is the address of a port towards strangers"),
    ("unbound.conf", "outgoing-interface: 198.51.100.2", "outgoing-interface: 192.0.2.200",
     "192.0.2.200 is not in the own scopes"),
    ("unbound.conf", "outgoing-interface: 198.51.100.2", "outgoing-interface: 198.51.100.12",
     "198.51.100.12 is a relay's"),
    ("unbound.conf", "interface: 127.0.0.1", "interface: 0.0.0.0", "it would listen on 0.0.0.0"),
    ("unbound.conf", "interface: 127.0.0.1", "interface: 203.0.113.10", "it would listen on 203"),
    ("unbound.conf", "0.0.0.0/0 refuse", "0.0.0.0/0 allow", "strangers in 0.0.0.0/0 could use"),
    ("unbound.conf", "log-queries: no", "log-queries: yes", "write down what users look up"),
    ("unbound.conf", "verbosity: 1", "verbosity: 3", "write"),
    ("unbound.conf", r"\Z", 'forward-zone:\n  name: "."\n  forward-addr: 9.9.9.9\n',
     "forward-addr: questions go to the authorities"),
    ("unbound.conf", r"\Z", 'auth-zone:\n  name: "."\n', "from whatever address the kernel picks"),
    ("unbound.conf", r'control-interface: "[^"]*"', "control-interface: 0.0.0.0",
     "remote control would listen on 0.0.0.0"),
    # The relays
    ("torrc@relay1", rf"{EXIT} 198\S*\n", "", f"no {EXIT} for IPv4"),
    ("torrc@relay1", rf"{OR} \[.*\]\n", "", f"no {OR} for IPv6"),
    ("torrc@relay1", rf"({EXIT}) 198\S*", r"\1 192.0.2.2", "towards strangers"),
    ("torrc@relay1", rf"({EXIT}) 198\S*", r"\1 198.51.100.2", "resolver's questions"),
    ("torrc@relay1", rf"({EXIT}) 198\S*", r"\1 198.51.100.11", "other relays connect"),
    ("torrc@relay1", r"ORPort 198\S*", "ORPort 443", "would listen on every port"),
    ("torrc@relay1", r"\Z", "Sandbox 1\n", "Sandbox is for Linux alone"),
    ("torrc@relay1", r"SocksPort 0", "SocksPort 9050", "SocksPort 9050 would listen"),
    ("torrc@relay1", r"MetricsPort \S*", "MetricsPort 198.51.100.11:91", "outside of the loop"),
    ("torrc@relay1", r"Schedulers KISTLite", "Schedulers KIST", "KIST needs Linux"),
    ("torrc@relay1", r"SafeLogging 1", "SafeLogging 0", "write down addresses of users"),
    ("torrc@relay1", r"Log \w+", "Log info", "write down what users do"),
    ("torrc@relay1", r"ServerDNSResolvConfFile .*\n", "", "names would be asked of whom"),
    # BGP
    ("bgpd.conf", r"allow to ebgp prefix-set own[^\n]*", "allow to ebgp prefixlen 8 - 24",
     "routes would be announced that nobody lists"),
    ("bgpd.conf", r"(allow to ebgp prefix-set own)[^\n]*", r"\1 or-longer", "more specific routes"),
    ("bgpd.conf", r"deny to any\n", "", "no 'deny to any'"),
    ("bgpd.conf", r"deny to any\n", "allow to any\ndeny to any\n", "before 'deny to any'"),
    ("bgpd.conf", r"network prefix-set own", "network inet connected", "nobody lists"),
    ("bgpd.conf", r"(prefix-set own \{)", r"\1\n  203.0.113.0/24", "is not the own scopes"),
    ("bgpd.conf", r"listen on 192.0.2.2\n", "listen on 198.51.100.1\n", "not the address of a tr"),
    ("bgpd.conf", r"neighbor 203.0.113.1 ", "neighbor 203.0.113.99 ", "is no peer of the site"),
    # The packet filter
    ("pf.conf", rf"{LEAK}inet from ! <own>[^\n]*\n", "", "IPv4 packets pass"),
    ("pf.conf", rf"{LEAK}inet6 from ! <own>[^\n]*\n", "", "IPv6 packets pass"),
    ("pf.conf", rf"(?={LEAK}inet from ! <own>)",
     "pass out quick on ix0 proto udp to any port 53\n", "IPv4 packets pass before"),
    ("pf.conf", rf"(?={LEAK}inet from ! <own>)",
     "pass quick proto udp to any port 53\n", "IPv6 packets pass before"),
    ("pf.conf", r"(?=pass out quick on ix0 inet proto tcp)",
     "pass out quick on ix0 proto tcp to any port 179\n", "IPv4 packets pass before"),
    ("pf.conf", r"(table <own> const \{)", r"\1 192.0.2.0/24", "packets"),
    ("pf.conf", r"block drop all[^\n]*\n", "", "nothing is blocked by default"),
    ("pf.conf", r"set skip on \{[^}]*\}", "set skip on { lo0 ix2 }", "pf would not look at ports"),
    ("pf.conf", r"\Z", "nat on ix0 from any to any -> 198.51.100.1\n", "never translated"),
    ("pf.conf", r"\Z", "pass out on ix0 from any nat-to 198.51.100.1\n", "never translated"),
    # Services and ports
    ("rc.conf.d/exitisp_relays", '_svcj="YES"', '_svcj="NO"', "relays runs outside of a jail"),
    ("rc.conf.d/exitisp_relays", r'\w+_svcj_ipaddrs="[^"]*"', "", "has every address of the box"),
    ("rc.conf.d/exitisp_relays", '_ipaddrs="', '_ipaddrs="203.0.113.10 ', "towards strangers"),
    ("rc.conf.d/local_unbound", r'(svcj_ipaddrs=")', r"\g<1>192.0.2.200 ", "not in the own scopes"),
    ("rc.conf.d/syslogd", 'flags="-ss', 'flags="-s', "has a socket of the network"),
    ("rc.conf.local", 'network_interfaces="', 'network_interfaces="ix2 ', "netif would raise"),
    ("rc.conf.local", 'network_interfaces="[^"]*"', "", "netif would raise every port"),
    ("rc.conf.local", r"\Z", 'ifconfig_ix2="inet 203.0.113.10/24"\n', "netif raises what it"),
    ("rc.conf.local", r"\Z", 'ifconfig_ix1_1203="mtu 1500"\n', "netif raises what it"),
    ("rc.conf.local", r'ifconfig_igb0="', 'ifconfig_igb0="DHCP ', "asked for an address"),
    ("rc.conf.local", "-accept_rtadv", "accept_rtadv", "that strangers announce"),
    ("rc.conf.local", "inet 198.51.100.11/32", "inet 192.0.2.9/32", "not in the own scopes"),
    ("rc.conf.d/exitisp_ports", "ix2 mtu 1500", "ix2 mtu 1500 up", "only the preflight"),
    ("rc.conf.d/exitisp_ports", "no_radr", "accept_rtadv", "that strangers announce"),
    ("rc.conf.d/exitisp_ports", "203.0.113.10/24", "203.0.113.11/24", "203.0.113.11 is not the"),
    ("sshd_config", r"ListenAddress .*\n", "", "it would listen on every port"),
    ("sshd_config", r"ListenAddress .*", "ListenAddress 198.51.100.1", "of a management port"),
    ("sshd_config", "PasswordAuthentication no", "PasswordAuthentication yes", "has to be 'no'"),
    ("sshd_config", "PermitRootLogin prohibit-password", "PermitRootLogin yes", "with a password"),
]  # fmt: skip
"""End of a path, what is replaced, by what, and what must be said of it then."""


@pytest.mark.parametrize(("end", "old", "new", "told"), CHANGES)
def test_a_change_that_leaks_is_told(end: str, old: str, new: str, told: str) -> None:
    one, files = rendered(LARGEST)
    (target,) = (file for file in files if file.path.endswith(end))
    text, count = re.subn(old, new, target.text, count=1)
    assert count == 1, "the example no longer has what is changed here"
    changed = [replace(file, text=text) if file is target else file for file in files]
    flaws = verify(one, BOX, changed)
    assert any(told in flaw.reason for flaw in flaws), [str(flaw) for flaw in flaws]
    assert {flaw.path for flaw in flaws} == {target.path}


@pytest.mark.parametrize("words", ["DHCP", "inet6 accept_rtadv", "up"])
def test_a_port_that_is_raised_or_asks_others_is_told(words: str) -> None:
    one, files = rendered(LARGEST)
    line = f'ifconfig_ix2="inet 203.0.113.10/24 mtu 1500 {words}"\n'
    extra = Rendered("etc/rc.conf.d/more", line, 0o644, "root", "wheel")
    assert {flaw.path for flaw in verify(one, BOX, [*files, extra])} == {extra.path}


def test_a_file_that_is_missing_is_told() -> None:
    one, files = rendered(LARGEST)
    flaws = verify(one, BOX, [file for file in files if file.path != "etc/pf.conf"])
    assert [str(flaw) for flaw in flaws] == [
        "etc/pf.conf:1: is missing, so nothing can be said of it"
    ]
