"""The simulated DNS, and the rendered resolver, which trusts its root."""

import time

import pytest

from qemu.world.internet import Internet
from qemu.world.nameservers import DELAY
from qemu.world.net import wait
from qemu.world.topology import ROOT_SERVERS
from tests.live.appliance import Answer, Bgpd, Unbound
from tests.qemu.world.box import PLAN, Box

pytestmark = pytest.mark.xdist_group("world")


@pytest.fixture(scope="module")
def unbound(box: Box, bgpd: Bgpd) -> Unbound:
    """A box that every party has a route to."""
    web = str(box.internet.topology.host("web").v4())
    wait("a way there and back", lambda: box.fetches(web))
    return box.unbound()


def test_a_signed_name_is_authentic(internet: Internet, unbound: Unbound) -> None:
    web = str(internet.topology.host("web").v4())
    assert unbound.ask("www.good.example") == Answer("NOERROR", True, (web,))
    assert unbound.ask("www.example.net") == Answer("NOERROR", True, (web,))


def test_what_does_not_exist_authentically_does_not(unbound: Unbound) -> None:
    assert unbound.ask("missing.good.example") == Answer("NXDOMAIN", True, ())
    assert unbound.ask("missing") == Answer("NXDOMAIN", True, ())


def test_an_unsigned_name_is_answered(internet: Internet, unbound: Unbound) -> None:
    web = str(internet.topology.host("web").v4())
    assert unbound.ask("www.unsigned.example") == Answer("NOERROR", False, (web,))


@pytest.mark.parametrize("zone", ["bogus", "expired"])
def test_fails_to_validate(unbound: Unbound, zone: str) -> None:
    assert unbound.ask(f"www.{zone}.example") == Answer("SERVFAIL", False, ())


def test_the_slow_server_takes_its_time(internet: Internet) -> None:
    slow = internet.topology.host("zones").v4(1)
    begin = time.monotonic()
    said = internet.parties["client"].run("drill", f"@{slow}", "www.slow.example", "A")
    assert "rcode: NOERROR" in said
    assert time.monotonic() - begin >= DELAY


def test_every_root_server_answers(internet: Internet) -> None:
    client = internet.parties["client"]
    for address in (one for pair in ROOT_SERVERS.values() for one in pair):
        assert "rcode: NOERROR" in client.run("drill", f"@{address}", ".", "NS")


def test_the_servers_say_what_they_were_asked_and_by_whom(
    internet: Internet, unbound: Unbound
) -> None:
    unbound.ask("a.secret.deep.good.example")
    names = internet.nameservers
    asked = [q for q in names.zones.questions() if q.name == "a.secret.deep.good.example."]
    assert {question.source for question in asked} <= set(PLAN.resolver)
    assert asked
    tops = {q.name for q in names.roots.questions() if q.source in set(PLAN.resolver)}
    assert "example." in tops
    assert not any("good" in str(name) for name in tops)


def test_every_new_name_of_an_unsigned_zone_is_asked_for(
    internet: Internet, unbound: Unbound
) -> None:
    names = {f"{label}.deep.unsigned.example." for label in ("one", "other")}
    for name in names:
        assert unbound.ask(name).rcode == "NOERROR"
    assert names <= {question.name for question in internet.nameservers.zones.questions()}


def test_a_server_that_blackholes_an_address_answers_others(internet: Internet) -> None:
    client, zones = internet.topology.host("client"), internet.topology.host("zones")
    question = ("drill", f"@{zones.v4()}", "www.good.example", "A")
    asks = internet.parties["client"].run
    internet.nameservers.zones.blackhole(client.v4())
    try:
        assert "rcode" not in asks("timeout", "2", *question, check=False)
        assert "rcode: NOERROR" in internet.parties["web"].run(*question)
    finally:
        internet.nameservers.zones.hear(client.v4())
    assert "rcode: NOERROR" in asks(*question)


def test_the_web_server_says_who_came(internet: Internet, box: Box, bgpd: Bgpd) -> None:
    web = internet.topology.host("web")
    source = PLAN.relays[0].source
    assert source.v4
    assert source.v6
    for there, here in ((web.v4(), source.v4), (web.v6(), source.v6)):
        wait("a page", lambda there=there, here=here: box.fetches(str(there), str(here)))  # type: ignore[misc]
        assert here in {visit.source for visit in internet.web.visits()}
