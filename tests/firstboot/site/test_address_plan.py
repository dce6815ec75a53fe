"""Which address of the scopes is whose."""

import dataclasses
import re
from collections import Counter
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.check import examine_text
from firstboot.site.model import PortRole, Site
from firstboot.site.provided_addresses import RELAYS_AN_ADDRESS
from firstboot.site.writer import compose
from tests.firstboot.site.daemons.sites import ROOT, example

SITE = example("two-transits-and-an-exchange")
LAN_LESS = tuple(port for port in SITE.ports if port.role is not PortRole.LAN)


def site(count: int, **relays: object) -> Site:
    asked = dataclasses.replace(SITE.relays, count=count, **relays)  # type: ignore[arg-type]
    return dataclasses.replace(SITE, relays=asked)


def with_lan(site: Site, network: str) -> Site:
    there = dataclasses.replace(
        LAN_LESS[0], name="lan", device="ix9", role=PortRole.LAN, addresses=(ip_interface(network),)
    )
    return dataclasses.replace(site, ports=(*LAN_LESS, there))


def exits(plan: Plan) -> list[str]:
    return [str(relay.source.v4) for relay in plan.relays]


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(map(ip_address, texts))


def test_each_relay_has_an_exit_address_of_its_own_and_eight_share_one_to_listen_on() -> None:
    plan = allot(site(17))
    listening = Counter(str(relay.listen.v4) for relay in plan.relays)
    assert listening == {"198.51.100.11": 8, "198.51.100.13": 8, "198.51.100.15": 1}
    others = [f"198.51.100.{host}" for host in range(75, 89)]
    assert exits(plan) == [
        "198.51.100.12", *others[:7], "198.51.100.14", *others[7:], "198.51.100.16",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 7, 8, 9, 64, 200, 201, 256])
def test_another_relay_moves_no_address(count: int) -> None:
    before, after = allot(site(count)).relays, allot(site(min(count + 1, 256))).relays
    assert after[:count] == before


def test_the_last_eights_share_an_exit_address_where_a_scope_has_no_more() -> None:
    plan = allot(site(256))
    shared = {address: n for address, n in Counter(exits(plan)).items() if n > 1}
    own = [relay for relay in plan.relays if Counter(exits(plan))[str(relay.source.v4)] == 1]
    assert len(own) >= 200
    assert max(shared.values()) <= RELAYS_AN_ADDRESS
    listening = {relay.listen.v4 for relay in plan.relays}
    assert not listening & {relay.source.v4 for relay in plan.relays}
    assert ip_address("198.51.100.255") not in plan.addresses


def test_a_larger_scope_has_room_for_all() -> None:
    wide = dataclasses.replace(site(256), scopes=(ip_network("198.51.100.0/23"), *SITE.scopes[1:]))
    assert len(set(exits(allot(wide)))) == 256


def test_no_exit_address_is_in_a_lan() -> None:
    plan = allot(with_lan(site(16), "198.51.100.78/29"))
    assert exits(plan)[1:8] == [f"198.51.100.{host}" for host in range(80, 87)]
    assert exits(allot(with_lan(site(8), "198.51.100.1/24"))) == ["198.51.100.12"] * 8


def test_resolver_listening_and_exit_addresses_are_in_different_64s() -> None:
    plan = allot(site(16))

    def nets(found: list[Address | None]) -> set[str]:
        return {str(ip_network((int(a), 64), strict=False)) for a in found if a and a.version == 6}

    kinds = [
        nets([plan.router.v6]),
        nets([plan.resolver.v6]),
        nets([relay.listen.v6 for relay in plan.relays]),
        nets([relay.source.v6 for relay in plan.relays]),
    ]
    assert [len(one) for one in kinds] == [1, 1, 1, 1]
    assert len(set.union(*kinds)) == 4
    scope = SITE.scopes[1]
    assert all(a in scope for a in plan.addresses if a.version == 6)


@pytest.mark.parametrize(
    ("count", "given", "taken"),
    [
        (4, ["30"], ["30"] * 4),
        (4, ["30", "31", "32", "33"], ["30", "31", "32", "33"]),
        (4, ["30", "31"], ["30"] * 4),
        (10, ["30", "31"], ["30"] * 8 + ["31"] * 2),
        (10, ["30"], ["30"] * 8 + ["14", "82"]),
        (1, ["30"], ["30"]),
    ],
)
def test_a_site_names_one_for_each_relay_or_one_for_every_eight(
    count: int, given: list[str], taken: list[str]
) -> None:
    named = addresses(*(f"198.51.100.{host}" for host in given))
    plan = allot(site(count, exit_addresses=named))
    assert exits(plan) == [f"198.51.100.{host}" for host in taken]
    plan = allot(site(count, or_addresses=named))
    listening = [str(relay.listen.v4) for relay in plan.relays]
    assert listening[: len(given)] == [f"198.51.100.{host}" for host in taken[: len(given)]]


def test_the_notice_is_once_on_each_exit_address() -> None:
    for asked in (site(10), site(10, exit_addresses=addresses("198.51.100.30"))):
        plan = allot(asked)
        serving = [address for relay in plan.relays for address in relay.notice]
        assert Counter(serving) == Counter({a for relay in plan.relays for a in relay.source})


def test_a_site_can_name_the_addresses_of_the_plan_before_this_one() -> None:
    """As docs/changes.md says."""
    page = (ROOT / "docs" / "changes.md").read_text()
    (said,) = re.findall(r"(?s)```yaml\n(relays:.*?)```", page)
    text = re.sub(r"(?m)^relays:\n(  .*\n)*", "", compose(SITE))
    examined = examine_text((text + said).encode(), "site.yaml")
    assert examined.site is not None
    assert not examined.errors
    plan = allot(examined.site.value)
    assert [str(one) for one in plan.resolver] == ["198.51.100.2", "2001:db8:ee::53"]
    for number, relay in enumerate(plan.relays, 1):
        assert [str(one) for one in relay.listen] == ["198.51.100.11", f"2001:db8:ee::1:{number}"]
        assert [str(one) for one in relay.source] == ["198.51.100.12", f"2001:db8:ee::2:{number}"]


def test_the_addresses_of_a_plan_can_be_named_and_stay() -> None:
    plan = allot(site(20))
    relays = dataclasses.replace(
        site(20).relays,
        or_addresses=tuple(
            dict.fromkeys(a for relay in plan.relays for a in relay.listen if a is not None)
        ),
        exit_addresses=tuple(a for relay in plan.relays for a in relay.source),
    )
    named = dataclasses.replace(
        site(20),
        relays=relays,
        router=tuple(plan.router),
        dns=dataclasses.replace(SITE.dns, addresses=tuple(plan.resolver)),
    )
    assert allot(named) == plan
    examined = examine_text(compose(named).encode(), "site.yaml")
    assert examined.site is not None
    assert not examined.errors
    assert not [one for one in examined.findings if one.key[0] in ("relays", "dns", "router")]
