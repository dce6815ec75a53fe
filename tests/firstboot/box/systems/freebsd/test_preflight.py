"""What keeps the ports down, each thing by itself."""

import dataclasses

import pytest

from firstboot.box.systems.freebsd import SYSTEM
from firstboot.box.systems.freebsd.preflight import Printed, judge, observe
from firstboot.site.render import Rendered
from tests.firstboot.box.box import Box, example

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


def reasons(printed: Printed, wanted: list[Rendered]) -> list[str]:
    return [
        verdict.reason
        for verdict in judge(SITE, wanted, printed, SYSTEM.services)
        if not verdict.holds
    ]


def test_a_box_that_is_as_planned_passes(printed: Printed) -> None:
    assert reasons(printed, files(printed)) == []


@pytest.mark.parametrize(
    ("fact", "old", "new", "reason"),
    [
        ("pf", "Enabled", "Disabled", "pf is off"),
        ("rules", ' on ix2 from ! <own> label "LEAK4"', " on ix9", "no rule LEAK4 on ix2"),
        ("rules", ' on ix1.1203 from ! <own> label "LEAK6"', "", "no rule LEAK6 on ix1.1203"),
        ("rules", "block drop out quick on ix0", "pass out quick on ix0", "no rule LEAK4 on ix0"),
        ("interfaces", "\tinet 198.51.100.2 ", "\tinet 198.51.100.3 ", "lo1 lacks 198.51.100.2"),
        ("interfaces", "\tinet 203.0.113.10 ", "\tinet 203.0.113.9 ", "ix2 has 203.0.113.9"),
        ("interfaces", "\tinet6 2001:db8:200::10 x", "", "ix2 lacks 2001:db8:200::10"),
        ("interfaces", "ix2: flags", "ix3: flags", "there is no ix2"),
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
    text = getattr(printed, fact)
    assert old in text
    broken = dataclasses.replace(printed, **{fact: text.replace(old, new, 1)})
    (found,) = reasons(broken, files(printed))
    assert reason in found


def test_a_jail_with_another_address_is_seen(printed: Printed) -> None:
    wanted = files(printed)
    more = {
        **printed.jails,
        "exitisp_relays": printed.jails["exitisp_relays"].replace(
            "127.0.0.2", "127.0.0.2,203.0.113.10"
        ),
    }
    (found,) = reasons(dataclasses.replace(printed, jails=more), wanted)
    assert found == "the jail of exitisp_relays differs from the plan: 203.0.113.10"


def test_a_service_outside_of_its_jail_is_seen(printed: Printed) -> None:
    none = {**printed.jails, "exitisp_relays": 'jls: jail "svcj-exitisp_relays" not found'}
    (found,) = reasons(dataclasses.replace(printed, jails=none), files(printed))
    assert "the jail of exitisp_relays differs from the plan" in found


def test_what_does_not_run_is_named(printed: Printed) -> None:
    silent = dataclasses.replace(printed, down=("resolver",))
    assert reasons(silent, files(printed)) == ["not running: resolver"]
