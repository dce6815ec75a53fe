"""The comparison that a booted box is judged by sees a stranger and a missing one."""

import pytest

from firstboot.site.address_plan import allot
from tests.boot.listening import differences
from tests.firstboot.box.systems.freebsd.test_preflight import SOCKETS
from tests.firstboot.site.daemons.sites import example

SITE = example("two-transits-and-an-exchange")
PLAN = allot(SITE)


def test_what_a_box_said_fits_the_lists() -> None:
    assert differences(SOCKETS, SITE, PLAN) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("198.51.100.12:80 ", "198.51.100.12:81 ", "not declared: tor listens"),
        ("203.0.113.10:179", "203.0.113.10:22", "not declared: bgpd listens"),
        ("127.0.0.53:53", "198.51.100.1:53", "not declared: local-unbo listens"),
        ("192.0.2.194:22", "198.51.100.1:22", "not declared: sshd listens"),
        ("tor        1600", "nc         1600", "not declared: nc listens"),
        ("root    sshd ", "root    inetd", "does not listen: sshd: "),
    ],
)
def test_a_stranger_is_told(old: str, new: str, told: str) -> None:
    assert old in SOCKETS
    assert any(one.startswith(told) for one in differences(SOCKETS.replace(old, new), SITE, PLAN))
