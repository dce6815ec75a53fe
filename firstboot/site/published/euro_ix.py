"""Member lists of exchanges in the JSON schema of Euro-IX (IX-F Member Export, 0.6 to 1.0):
``{"version": "1.0", "ixp_list": [...], "member_list": [...]}``.

They become what PeeringDB would say. An exchange has its number there if the list tells it, else
its number in the list with `OWN` added.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

from firstboot.core.limits import MIB, Json
from firstboot.site.published.fields import (
    a_list,
    a_mapping,
    a_number,
    a_text,
    an_address,
    an_asn,
)
from firstboot.site.published.files import damaged, read_json
from firstboot.site.published.peeringdb import Exchange, Net, PeeringDb, Presence

MEMBERS = Json(32 * MIB, 1_000_000)
"""That of the largest exchanges has some 3 MB."""

OWN = 10_000_000


def parse(data: bytes, name: str) -> PeeringDb:
    """What the file `name` with the bytes `data` says. Raises Refusal."""
    said = a_mapping(read_json(data, name, MEMBERS))
    if not isinstance(said.get("ixp_list"), list) or not isinstance(said.get("member_list"), list):
        raise damaged(
            name, "it is no member list of Euro-IX: ixp_list and member_list are expected"
        )
    numbers: dict[Any, int] = {}
    exchanges = []
    for row in map(a_mapping, said["ixp_list"]):
        own = a_number(row.get("ixp_id"))
        if own is None:
            raise damaged(name, "an exchange in it has no ixp_id")
        numbers[own] = a_number(row.get("peeringdb_id")) or OWN + own
        title = a_text(row.get("shortname")) or a_text(row.get("name")) or f"exchange {own}"
        country = a_text(row.get("country"))
        exchanges.append(Exchange(numbers[own], title, country=country and country.upper()))
    nets, presences = [], []
    for row in map(a_mapping, said["member_list"]):
        asn = an_asn(row.get("asnum"))
        if asn is None:
            raise damaged(name, "a member in it has no asnum")
        ports = [
            (numbers.get(a_number(one.get("ixp_id"))), one)
            for one in map(a_mapping, a_list(row.get("connection_list")))
            if one.get("state") in (None, "active")
        ]
        families = [each for _, one in ports for each in _families(one)]
        nets.append(_net(asn, row, families))
        for exchange, one in ports:
            if exchange is None:
                raise damaged(name, f"AS{asn} is at an exchange that is not in ixp_list")
            presences += list(_presences(asn, exchange, one))
    objects = frozenset({"net", "ix", "netixlan"})
    return PeeringDb(tuple(nets), tuple(exchanges), tuple(presences), objects)


def _families(connection: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for lan in map(a_mapping, a_list(connection.get("vlan_list"))):
        for version in (4, 6):
            if isinstance(lan.get(f"ipv{version}"), dict):
                yield version, lan[f"ipv{version}"]


def _net(asn: int, row: dict[str, Any], families: list[tuple[int, dict[str, Any]]]) -> Net:
    limits = {
        version: max(
            (
                limit
                for each, said in families
                if each == version and (limit := a_number(said.get("max_prefix"))) is not None
            ),
            default=None,
        )
        for version in (4, 6)
    }
    sets = [found for _, said in families if (found := a_text(said.get("as_macro")))]
    policy = a_text(row.get("peering_policy"))
    return Net(
        0,
        asn,
        a_text(row.get("name")) or f"AS{asn}",
        sets[0] if sets else None,
        limits[4],
        limits[6],
        policy=policy and policy.capitalize(),
        website=a_text(row.get("url")),
    )


def _presences(asn: int, exchange: int, connection: dict[str, Any]) -> Iterator[Presence]:
    speeds = [
        speed
        for one in map(a_mapping, a_list(connection.get("if_list")))
        if (speed := a_number(one.get("if_speed"))) is not None
    ]
    total = sum(speeds) if speeds else None
    families = list(_families(connection))
    if not families:
        yield Presence(asn, exchange, speed=total)
    for _, said in families:
        address = an_address(said.get("address"))
        served = said.get("routeserver")
        four = isinstance(address, IPv4Address)
        yield Presence(
            asn,
            exchange,
            address if four else None,
            None if four else address,
            total,
            served if isinstance(served, bool) else None,
        )
