"""What takes the ports down, each thing by itself, and what is told and does not."""

import dataclasses
import re
from ipaddress import ip_address

import pytest

from firstboot.box import preflight
from firstboot.box.preflight import Facts
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.box.systems.freebsd.preflight import (
    STAND_IN,
    Printed,
    default_gateways,
    judge,
    observe,
    parse_bundles,
    parse_interfaces,
)
from firstboot.box.verdict import Effect, Verdict
from firstboot.site.address_plan import allot
from firstboot.site.model import Routes
from firstboot.site.render import Rendered
from tests.firstboot.box.box import Box, example
from tests.firstboot.site.daemons import sites as daemons

SITE = example().value

SOCKETS = """\
root    sshd       2005  6 tcp4  192.0.2.194:22        *:*
ntpd    ntpd       1884 20 udp6  [::1]:123             *:*
ntpd    ntpd       1884 22 udp6  [2001:db8:ee::1]:123  *:*
ntpd    ntpd       1884 23 udp4  198.51.100.1:123      *:*
unbound local-unbo 1569  3 udp4  127.0.0.1:53          *:*
unbound local-unbo 1569  6 tcp4  127.0.0.53:53         *:*
unbound local-unbo 1569  8 udp4  198.51.100.2:40111    *:*
_tor    tor        1600  8 tcp4  198.51.100.11:443     *:*
_tor    tor        1600  9 tcp4  198.51.100.12:80      *:*
_tor    tor        1600  9 tcp4  127.0.0.2:9101        *:*
_tor    tor        1600 12 udp4  *:38136               *:*
root    bgpd       1700  9 tcp4  203.0.113.10:179      *:*
root    bgpd       1700  9 tcp6  [2001:db8:200::10]:179 *:*
"""
"""As sockstat(1) of FreeBSD 15 prints them, names cut off and all."""

OF_2018 = "proto udp from any to any port = domain no state\n"

ROUTES = """\
Internet:
Destination        Gateway            Flags         Netif Expire
198.51.100.0/24    link#5             USB             lo0
"""


@pytest.fixture
def printed(box: Box) -> Printed:
    """Of a box on which everything is as it has to be."""
    box.programs.up |= {"local_unbound", "exitisp_relays", "openbgpd"}
    return dataclasses.replace(
        observe(box.machine, SYSTEM.services), sockets=SOCKETS, routes=ROUTES
    )


def files(printed: Printed) -> list[Rendered]:
    """The jails' addresses as rc.conf.d has them."""
    made = []
    for name, told in printed.jails.items():
        words = told.replace(",", " ")
        text = f'{name}_svcj_ipaddrs="{words}"\n'
        made.append(Rendered(f"etc/rc.conf.d/{name}", text, 0o644, "root", "wheel"))
    return made


def failed(printed: Printed, wanted: list[Rendered]) -> list[Verdict]:
    verdicts = judge(SITE, wanted, printed, SYSTEM.services)
    return [verdict for verdict in verdicts if not verdict.holds]


def reasons(printed: Printed, wanted: list[Rendered], effect: Effect) -> list[str]:
    return [one.reason for one in failed(printed, wanted) if one.effect is effect]


def without(printed: Printed, fact: str, old: str, new: str) -> Printed:
    text = getattr(printed, fact)
    assert old in text
    return dataclasses.replace(printed, **{fact: text.replace(old, new, 1)})


def test_a_box_that_is_as_planned_passes(printed: Printed) -> None:
    assert failed(printed, files(printed)) == []


def test_the_package_s_resolver_listens_where_the_base_s_does(printed: Printed) -> None:
    sockets = printed.sockets.replace("local-unbo", "unbound")
    assert sockets != printed.sockets
    assert failed(dataclasses.replace(printed, sockets=sockets), files(printed)) == []
    elsewhere = sockets.replace("127.0.0.1:53 ", "203.0.113.10:53 ", 1)
    assert failed(dataclasses.replace(printed, sockets=elsewhere), files(printed))


@pytest.mark.parametrize(
    ("fact", "old", "new", "reason"),
    [
        ("pf", "Enabled", "Disabled", "pf is off"),
        ("rules", ' on ix2 from ! <own> label "LEAK4"', " on ix9", "no rule LEAK4 on ix2"),
        ("rules", ' on ix1.1203 from ! <own> label "LEAK6"', "", "no rule LEAK6 on ix1.1203"),
        ("rules", "block drop out quick on ix0", "pass out quick on ix0", "no rule LEAK4 on ix0"),
        ("rules", "", f"pass out quick on ix2 {OF_2018}", "by: pass out quick on ix2 proto"),
        ("rules", "", f"pass out quick {OF_2018}", "what leaves by ix0 passes before LEAK4"),
        ("rules", "", f"pass quick on ! ix0 {OF_2018}", "what leaves by ix1.1203 passes before"),
        ("interfaces", "\tinet 198.51.100.1 ", "\tinet 198.51.100.9 ", "lo1 lacks 198.51.100.1"),
        ("interfaces", "\tinet 198.51.100.2 ", "\tinet 192.0.2.99 ", "lo1 has 192.0.2.99"),
        ("interfaces", "\tinet 203.0.113.10 ", "\tinet 203.0.113.9 ", "ix2 has 203.0.113.9"),
        ("interfaces", "ix2: flags", "ix3: flags", "ix3 has 2001:db8:200::10"),
        ("interfaces", "", "tap0: flags=1\n\tinet 192.0.2.99 x\n", "tap0 has 192.0.2.99"),
        ("routes", "198.51.100.0/24", "default   ", "there is one by link#5"),
        ("sockets", "203.0.113.10:179", "203.0.113.10:53", "bgpd listens on 203.0.113.10 port 53"),
        ("sockets", "192.0.2.194:22", "203.0.113.10:22", "sshd listens on 203.0.113.10 port 22"),
        ("sockets", "192.0.2.194:22", "*:22", "sshd listens on * port 22"),
        ("sockets", "192.0.2.194:22", "198.51.100.1:22", "sshd listens on 198.51.100.1 port 22"),
        ("sockets", "127.0.0.1:53 ", "*:53 ", "local-unbo listens on * port 53"),
        ("sockets", "127.0.0.1:53 ", "192.0.2.2:53 ", "local-unbo listens on 192.0.2.2 port 53"),
        ("sockets", "198.51.100.11:443", "*:443", "tor listens on * port 443"),
        ("sockets", "198.51.100.11:443", "192.0.2.2:443", "tor listens on 192.0.2.2 port 443"),
        (
            "sockets",
            "[2001:db8:ee::1]:123",
            "[fe80::1%ix0]:123",
            "ntpd listens on fe80::1 port 123",
        ),
    ],
)
def test_each_thing_that_could_leak_is_seen(
    printed: Printed, fact: str, old: str, new: str, reason: str
) -> None:
    broken = without(printed, fact, old, new)
    (found,) = reasons(broken, files(printed), Effect.LEAK)
    assert reason in found


@pytest.mark.parametrize(
    ("fact", "old", "new", "reason"),
    [
        (
            "sockets",
            "198.51.100.11:443",
            "198.51.100.77:443",
            "tor listens on 198.51.100.77 port 443 (tcp)",
        ),
        ("interfaces", "\tinet 198.51.100.2 ", "\tinet 198.51.100.3 ", "lo1 lacks 198.51.100.2"),
        ("interfaces", "\tinet6 2001:db8:200::10 x", "", "ix2 lacks 2001:db8:200::10"),
        (
            "interfaces",
            "ix2: flags=8843<UP>\n",
            f"ix2: flags=8802\n\tdescription: {STAND_IN}\n",
            "there is no ix2",
        ),
    ],
)
def test_what_takes_nothing_but_itself_away_is_told_and_leaves_the_ports_up(
    printed: Printed, fact: str, old: str, new: str, reason: str
) -> None:
    broken = without(printed, fact, old, new)
    assert reasons(broken, files(printed), Effect.LEAK) == []
    assert reasons(broken, files(printed), Effect.OUTAGE) == [reason]


@pytest.mark.parametrize(
    "rule",
    [
        f"pass in quick on ix0 {OF_2018}",
        f"pass out quick on ix7 {OF_2018}",
        "pass out quick on ix0 inet proto tcp from 192.0.2.2 to 192.0.2.1 port = bgp flags S/SA "
        'keep state (if-bound) label "bgp-out"',
        "pass out quick on ix0 inet6 proto ipv6-icmp from <nd-from-1:2> to <nd-near-1:2> "
        'icmp6-type neighbrsol no state label "nd-out"',
    ],
)
def test_what_comes_in_or_is_the_port_s_own_may_pass_before(printed: Printed, rule: str) -> None:
    early = dataclasses.replace(printed, rules=f"{rule}\n{printed.rules}")
    assert failed(early, files(printed)) == []


DEFAULTS = """\
default            192.0.2.1          UGS             ix0
default            fe80::1%ix0        UGS             ix0
"""


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        (Routes.FULL, "there is one by 192.0.2.1"),
        (Routes.DEFAULT, "there is one by fe80::1%ix0"),
        (Routes.STATIC, "there is one by fe80::1%ix0"),
    ],
)
def test_a_default_route_is_none_but_those_of_the_site(
    printed: Printed, routes: Routes, reason: str
) -> None:
    upstream = dataclasses.replace(SITE.peers[0], routes=routes)
    site = dataclasses.replace(SITE, peers=(upstream, *SITE.peers[1:]))
    both = dataclasses.replace(printed, routes=ROUTES + DEFAULTS)
    found = judge(site, files(printed), both, SYSTEM.services)
    assert [one.reason for one in found if not one.holds] == [reason]
    assert next(one for one in found if not one.holds).effect is Effect.LEAK
    wanted = dataclasses.replace(printed, routes=ROUTES + DEFAULTS.splitlines()[0])
    if routes is not Routes.FULL:
        assert all(one.holds for one in judge(site, files(printed), wanted, SYSTEM.services))


TO_LOOPBACKS = """\
203.0.112.1        192.0.2.1          UGHS            ix0
2001:db8:fff::1                   2001:db8:100::1               UGHS            ix0
"""


@pytest.mark.parametrize(
    ("routes", "reasons"),
    [
        (TO_LOOPBACKS, []),
        (
            TO_LOOPBACKS.splitlines()[0].replace(" 192.0.2.1 ", " 192.0.2.3 "),
            [
                "the route to 203.0.112.1 by 192.0.2.1 is missing, and goes by 192.0.2.3; "
                "the route to 2001:db8:fff::1 by 2001:db8:100::1 is missing"
            ],
        ),
        (
            TO_LOOPBACKS.replace("203.0.112.1 ", "203.0.112.1/24 ").replace("UGHS", "UGS"),
            [
                "the route to 203.0.112.1 by 192.0.2.1 is missing; "
                "the route to 2001:db8:fff::1 by 2001:db8:100::1 is missing"
            ],
        ),
    ],
)
def test_a_missing_route_to_a_neighbour_several_hops_away_is_told_and_lowers_nothing(
    printed: Printed, routes: str, reasons: list[str]
) -> None:
    loopbacks = tuple(map(ip_address, ("203.0.112.1", "2001:db8:fff::1")))
    near = SITE.peers[0]
    upstream = dataclasses.replace(near, addresses=loopbacks, gateway=near.addresses)
    site = dataclasses.replace(SITE, peers=(upstream, *SITE.peers[1:]))
    looked = dataclasses.replace(printed, routes=ROUTES + routes)
    found = judge(site, files(printed), looked, SYSTEM.services)
    assert [one.reason for one in found if not one.holds] == reasons
    assert {one.effect for one in found if not one.holds} <= {Effect.OUTAGE}
    down = looked.interfaces.replace("ix0: flags=8843<UP>", "ix0: flags=8802<BROADCAST>")
    assert down != looked.interfaces
    lowered = dataclasses.replace(looked, interfaces=down)
    assert all(one.holds for one in judge(site, files(printed), lowered, SYSTEM.services))


def test_every_missing_card_is_named(printed: Printed) -> None:
    lines = printed.interfaces.splitlines(keepends=True)
    first = next(at for at, line in enumerate(lines) if line.startswith("ix0"))
    gone = dataclasses.replace(printed, interfaces="".join(lines[:first]))
    (reason,) = reasons(gone, files(printed), Effect.OUTAGE)
    assert reason == "; ".join(f"there is no {port.interface}" for port in SITE.ports)
    assert reasons(gone, files(printed), Effect.LEAK) == []


@pytest.mark.parametrize("program", ["ifconfig", "setfib 0 netstat -rn", "sockstat -46lqw"])
def test_a_box_that_cannot_be_looked_at_counts_as_one_that_leaks(box: Box, program: str) -> None:
    box.fail(program)
    printed = observe(box.machine, SYSTEM.services)
    assert f"this fails: {program}" in reasons(printed, files(printed), Effect.LEAK)


def test_a_jail_with_another_address_is_seen(printed: Printed) -> None:
    wanted = files(printed)
    more = {
        **printed.jails,
        "exitisp_relays": printed.jails["exitisp_relays"].replace(
            "127.0.0.2", "127.0.0.2,203.0.113.10"
        ),
    }
    (found,) = reasons(dataclasses.replace(printed, jails=more), wanted, Effect.LEAK)
    assert found == "the jail of exitisp_relays has 203.0.113.10"


def test_a_jail_that_is_held_to_no_address_is_seen(printed: Printed) -> None:
    v4 = printed.jails["exitisp_relays"].split()[0]
    inherited = {**printed.jails, "exitisp_relays": f"{v4} -"}
    (found,) = reasons(dataclasses.replace(printed, jails=inherited), files(printed), Effect.LEAK)
    assert found == "the jail of exitisp_relays is not held to its IPv6 addresses"


def test_a_jail_that_lacks_an_address_is_an_outage(printed: Printed) -> None:
    wanted = files(printed)
    less = {
        **printed.jails,
        "exitisp_relays": printed.jails["exitisp_relays"].replace(",198.51.100.12", ""),
    }
    broken = dataclasses.replace(printed, jails=less)
    assert reasons(broken, wanted, Effect.LEAK) == []
    (found,) = reasons(broken, wanted, Effect.OUTAGE)
    assert found == "the jail of exitisp_relays lacks 198.51.100.12"


def test_a_service_without_its_jail_that_does_not_run_cannot_leak(box: Box) -> None:
    printed = observe(box.machine, SYSTEM.services)
    wanted = files(printed)
    box.fail("jls -j svcj-exitisp_relays", 'jls: jail "svcj-exitisp_relays" not found')
    again = dataclasses.replace(
        observe(box.machine, SYSTEM.services), sockets=SOCKETS, routes=ROUTES
    )
    assert failed(again, wanted) == []


def test_a_service_outside_of_its_jail_is_seen(printed: Printed) -> None:
    outside = dataclasses.replace(printed, outside=("relays",))
    (found,) = reasons(outside, files(printed), Effect.LEAK)
    assert found == "a process of the relays is in no jail"


PROVIDED = daemons.example("relays-only")
LINK = """\
ix0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500
\tinet 198.51.100.130 netmask 0xffffff80 broadcast 198.51.100.255
\tinet 198.51.100.131 netmask 0xffffffff broadcast 198.51.100.131
\tinet 198.51.100.132 netmask 0xffffffff broadcast 198.51.100.132
\tinet 198.51.100.133 netmask 0xffffffff broadcast 198.51.100.133
\tinet 198.51.100.134 netmask 0xffffffff broadcast 198.51.100.134
\tinet 198.51.100.135 netmask 0xffffffff broadcast 198.51.100.135
\tinet6 2001:db8:100::2 prefixlen 64
igb0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500
\tinet 192.0.2.194 netmask 0xffffffe0 broadcast 192.0.2.223
lo1: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> metric 0 mtu 16384
"""
WAYS_OUT = """\
default            198.51.100.129     UGS             ix0
default                           fe80::1%ix0                   UGS             ix0
"""


def provided(old: str = "", new: str = "", ways: str = WAYS_OUT) -> dict[str, str]:
    """The reasons of the conditions that fail on a box with a provider's addresses, of whose
    interfaces something differs, by condition."""
    on_lo1 = (one for one in allot(PROVIDED).on_loopback)
    lines = [f"\tinet6 {one} prefixlen 128\n" for one in on_lo1]
    text = LINK + "".join(lines)
    assert old in text
    facts = Facts(
        parse_interfaces(text.replace(old, new, 1)), (), default_gateways(ways), frozenset()
    )
    return {one.what: one.reason for one in preflight.judge(PROVIDED, facts, ()) if not one.holds}


def test_a_box_with_a_provider_s_addresses_passes() -> None:
    assert provided() == {}


@pytest.mark.parametrize(
    ("old", "new", "what", "reason"),
    [
        ("inet 198.51.100.130 ", "inet 198.51.100.140 ", "no interface has a foreign address",
         "ix0 has 198.51.100.140"),
        ("inet 198.51.100.130 ", "inet 198.51.100.140 ",
         "the kernel answers from the router's address", "ix0 lacks 198.51.100.130"),
        ("inet 198.51.100.133 ", "inet 198.51.100.132 ", "the box has its own addresses",
         "ix0 lacks 198.51.100.133"),
        ("inet6 2001:db8:ee:7::53:1 ", "inet6 ::1 ", "the box has its own addresses",
         "lo1 lacks 2001:db8:ee:7::53:1"),
    ],
)  # fmt: skip
def test_addresses_of_a_provider_s_link_have_their_place(
    old: str, new: str, what: str, reason: str
) -> None:
    assert provided(old, new)[what] == reason


def test_only_the_provider_s_router_is_a_way_out() -> None:
    strange = provided(ways=WAYS_OUT.replace("198.51.100.129", "198.51.100.254"))
    assert strange == {"no default route but the site's": "there is one by 198.51.100.254"}


def guarded(printed: Printed, old: str = "", new: str = "") -> str:
    """Why the ports of one box of two are not guarded; of its rules, as pfctl(8) prints them,
    something differs."""
    site = daemons.example("two-edges-a")
    text = daemons.files(site, "pf")["etc/pf.conf"].text
    lines = [
        re.sub(r" on \{ (\S+) \} ", r" on \1 ", line).replace("block ", "block drop ", 1)
        for line in text.splitlines()
        if line.startswith(("pass", "block"))
    ]
    rules = "\n".join(lines)
    assert old in rules
    told = dataclasses.replace(printed, rules=rules.replace(old, new, 1))
    verdict = judge(site, files(printed), told, SYSTEM.services)[0]
    assert verdict.what == "pf guards every port towards strangers"
    return verdict.reason


def test_the_port_to_a_twin_is_guarded_too(printed: Printed) -> None:
    assert guarded(printed) == ""
    last = 'block drop out quick on ix3 inet from ! <own> label "LEAK4"\n'
    assert guarded(printed, last) == "no rule LEAK4 on ix3"
    early = "pass out quick on ix3 from any to <twin> no state\n"
    assert "what leaves by ix3 passes before" in guarded(printed, last, early + last)


LAGG = """\
ix0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\tether 02:00:5e:10:01:00
ix1: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 0 mtu 1500
\tether 02:00:5e:10:01:00
lagg0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\tether 02:00:5e:10:01:00
\tlaggproto lacp lagghash l2,l3,l4
\tlaggport: ix0 flags=1c<ACTIVE,COLLECTING,DISTRIBUTING>
\tlaggport: ix1 flags=0<>
"""
"""As ifconfig(8) prints a bundle of which the second cable is out."""


def test_a_card_of_a_bundle_that_carries_nothing_is_told(printed: Printed) -> None:
    told = dataclasses.replace(printed, interfaces=printed.interfaces + LAGG)
    assert parse_bundles(told.interfaces) == {"lagg0": {"ix0": True, "ix1": False}}
    reason = "ix1 of lagg0 carries nothing"
    assert reason in reasons(told, files(printed), Effect.OUTAGE)
    well = LAGG.replace("flags=0<>", "flags=1c<ACTIVE,COLLECTING,DISTRIBUTING>")
    down = LAGG.replace("lagg0: flags=1008843<UP,", "lagg0: flags=1008802<")
    for text in (well, down):
        told = dataclasses.replace(printed, interfaces=printed.interfaces + text)
        assert reason not in reasons(told, files(printed), Effect.OUTAGE)


def test_a_card_that_is_not_in_its_bundle_is_told() -> None:
    site = daemons.example("bundle")
    addresses = {port.interface: {face.ip for face in port.addresses} for port in site.ports}
    there = {port.device: frozenset(port.members) - {"ix1"} for port in site.ports if port.members}
    facts = Facts({**addresses, "lo1": {*allot(site).addresses}}, (), frozenset(), bundles=there)
    failed = [one for one in preflight.judge(site, facts, ()) if not one.holds]
    assert [(one.what, one.reason, one.effect) for one in failed] == [
        ("every port is there, with its addresses", "lagg0 goes on without ix1", Effect.OUTAGE)
    ]
