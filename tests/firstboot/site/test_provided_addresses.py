"""How few addresses of a provider are shared out."""

import dataclasses
import itertools
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

import pytest

from firstboot.core.values import Address, Interface, Network
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import PortRole, Site
from tests.firstboot.site.daemons.sites import example

SITE = example("relays-only")


def given(*scopes: str, relays: int = 1, port: str = "192.0.2.10/28", **others: object) -> Site:
    """A site with these addresses on a link that has 192.0.2.1 as its router."""
    networks: tuple[Network, ...] = tuple(map(ip_network, scopes))
    face: Interface = ip_interface(port)
    provider = dataclasses.replace(
        SITE.ports[0], addresses=(face,), gateway=(ip_address("192.0.2.1"),)
    )
    return dataclasses.replace(
        SITE,
        scopes=networks,
        ports=(provider, *SITE.ports[1:]),
        relays=dataclasses.replace(SITE.relays, count=relays, **others),  # type: ignore[arg-type]
    )


def v4(plan: Plan) -> tuple[list[str], list[str], list[str], list[str]]:
    """Last numbers of the router, the resolver, where relays listen and where they send from."""

    def last(*addresses: Address | None) -> list[str]:
        return [str(one).rpartition(".")[2] for one in addresses if one]

    return (
        last(plan.router.v4),
        last(plan.resolver.v4),
        last(*(relay.listen.v4 for relay in plan.relays)),
        last(*(relay.source.v4 for relay in plan.relays)),
    )


@pytest.mark.parametrize(
    ("scopes", "relays", "whose"),
    [
        (["192.0.2.10/31"], 1, (["10"], ["10"], ["11"], ["11"])),
        (["192.0.2.10/31"], 2, (["10"], ["10"], ["11"] * 2, ["11"] * 2)),
        (["192.0.2.10/31", "192.0.2.12"], 2, (["10"], ["10"], ["11"] * 2, ["12"] * 2)),
        (["192.0.2.10/31", "192.0.2.12/31"], 2, (["10"], ["11"], ["12"] * 2, ["13"] * 2)),
        (["192.0.2.10/31", "192.0.2.12/31", "192.0.2.14"], 2,
         (["10"], ["11"], ["12"] * 2, ["13", "14"])),
        (["192.0.2.0/28"], 3, (["10"], ["2"], ["3"] * 3, ["4", "14", "13"])),
        (["192.0.2.0/28"], 9,
         (["10"], ["2"], ["3"] * 8 + ["5"],
          ["4", "14", "13", "12", "11", "9", "8", "7", "6"])),
    ],
)  # fmt: skip
def test_each_use_has_an_address_as_far_as_there_are_some(
    scopes: list[str], relays: int, whose: tuple[list[str], ...]
) -> None:
    assert v4(allot(given(*scopes, relays=relays))) == whose


def test_more_relays_move_no_address_while_there_is_room() -> None:
    plans = [allot(given("192.0.2.0/28", relays=count)) for count in range(1, 9)]
    for before, after in itertools.pairwise(plans):
        assert after.router == before.router
        assert after.resolver == before.resolver
        assert [(one.listen, one.source) for one in after.relays][: len(before.relays)] == [
            (one.listen, one.source) for one in before.relays
        ]


def test_routers_and_addresses_of_the_network_itself_are_nobody_s() -> None:
    addresses = set(map(str, allot(given("192.0.2.0/28", relays=9)).addresses))
    assert not addresses & {"192.0.2.0", "192.0.2.1", "192.0.2.15"}


@pytest.mark.parametrize("scope", ["192.0.2.10/32", "192.0.2.1/32"])
def test_one_address_is_not_enough(scope: str) -> None:
    with pytest.raises(ValueError, match="the router and 1 relay need 2"):
        allot(given(scope))


def test_more_than_eight_relays_need_a_second_address() -> None:
    with pytest.raises(ValueError, match="2 of the IPv4 addresses can be used"):
        allot(given("192.0.2.10/31", relays=9))


def test_the_resolver_never_has_an_address_of_a_relay() -> None:
    for length in range(28, 32):
        for relays in (1, 8, 9, 16):
            try:
                plan = allot(given(f"192.0.2.{8 if length > 28 else 0}/{length}", relays=relays))
            except ValueError:
                continue
            theirs = {one for relay in plan.relays for one in (*relay.listen, *relay.source)}
            assert not theirs & {*plan.resolver, *plan.router}


def test_addresses_on_the_link_are_the_port_s_and_routed_ones_the_loopback_s() -> None:
    plan = allot(given("192.0.2.10/31", "198.51.100.8/29", relays=2))
    assert [str(one.address) for one in plan.aliases] == ["192.0.2.11"]
    assert {plan.home(address) for address in plan.on_loopback} == {"lo1"}
    assert plan.home(IPv4Address("192.0.2.10")) == "ix0"
    assert plan.home(IPv4Address("192.0.2.11")) == "ix0"
    assert [str(one) for one in plan.routed] == ["198.51.100.8/29"]
    assert [str(one) for one in plan.own] == [
        "198.51.100.8/29", "192.0.2.10/32", "192.0.2.11/32"
    ]  # fmt: skip


def test_nothing_leaves_from_an_address_on_the_link_that_the_box_does_not_have() -> None:
    plan = allot(given("192.0.2.0/28"))
    assert {one.network_address for one in plan.own} == {*plan.addresses}


def test_a_wide_prefix_of_ipv6_has_a_part_for_each_use() -> None:
    plan = allot(SITE)
    network = SITE.scopes[-1].network_address
    assert isinstance(network, IPv6Address)
    assert plan.router.v6 == network + 1
    assert plan.resolver.v6 == network + (0x53 << 16) + 1
    assert [one.listen.v6 for one in plan.relays][3] == network + (0x443 << 16) + 4
    assert [one.source.v6 for one in plan.relays][3] == network + (0x80 << 16) + 4


def test_an_address_that_the_site_names_is_nobody_else_s() -> None:
    named = ip_address("192.0.2.11")
    plan = allot(given("192.0.2.8/29", exit_addresses=(named,)))
    assert [relay.source.v4 for relay in plan.relays] == [named]
    assert list(plan.addresses).count(named) == 1
    assert v4(plan)[1] == ["8"]


def test_the_way_out_is_the_router_of_the_link() -> None:
    assert [str(one) for one in allot(SITE).gateways] == ["198.51.100.129", "fe80::1%ix0"]
    assert {*map(str, allot(SITE).ways_out)} == {"198.51.100.129", "fe80::1%ix0"}


def test_an_own_network_has_no_address_on_a_port() -> None:
    site = example("one-port-of-each")
    plan = allot(site)
    assert plan.own == site.scopes
    assert not plan.aliases
    assert plan.on_loopback == plan.addresses
    assert all(port.role is not PortRole.TRANSIT for port in plan.homes.values())
