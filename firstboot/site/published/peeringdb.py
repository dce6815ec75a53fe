"""PeeringDB as JSON: answers of its API, one object a file, or a dump of all of them.

An answer of the API is ``{"data": [...]}``, and a dump has such an answer for each object:
``{"net": {"data": [...]}, "ix": ..., "netixlan": ...}`` (PeeringDB API documentation). Which object
an answer has follows from its keys. A network that was asked for with ``depth=2`` has its ports in
`netixlan_set`.

A figure that is not there, or null, is None: nobody knows it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstboot.core.limits import MIB, Json
from firstboot.core.values import Address
from firstboot.site.published.fields import (
    a_list,
    a_mapping,
    a_number,
    a_text,
    an_address,
    an_asn,
)
from firstboot.site.published.files import damaged, read_file, read_json

DUMP = Json(192 * MIB, 6_000_000)
"""A dump of all objects has some 150 MB, of which networks and their ports are the most."""


@dataclass(frozen=True)
class Net:
    """A network. Its `prefixes4` and `prefixes6` are the limits that it recommends to peers."""

    number: int
    asn: int
    name: str
    irr_as_set: str | None = None
    prefixes4: int | None = None
    prefixes6: int | None = None
    kind: str | None = None
    traffic: str | None = None
    policy: str | None = None
    no_route_servers: bool | None = None
    website: str | None = None


@dataclass(frozen=True)
class Exchange:
    """An exchange. `terms` are those of the service: "No Commercial Terms", "Recurring Fees"."""

    number: int
    name: str
    city: str | None = None
    country: str | None = None
    continent: str | None = None
    terms: str | None = None
    website: str | None = None


@dataclass(frozen=True)
class Presence:
    """A port of a network at an exchange. `speed` is in Mbit/s."""

    asn: int
    exchange: int
    v4: Address | None = None
    v6: Address | None = None
    speed: int | None = None
    route_server: bool | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(one for one in (self.v4, self.v6) if one is not None)


@dataclass(frozen=True)
class PeeringDb:
    """What the files say. `objects` are the kinds that they have: an empty list of networks is
    something else than none."""

    nets: tuple[Net, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    presences: tuple[Presence, ...] = ()
    objects: frozenset[str] = field(default_factory=frozenset)

    def net(self, asn: int) -> Net | None:
        return next((one for one in self.nets if one.asn == asn), None)

    def __add__(self, other: "PeeringDb") -> "PeeringDb":
        return PeeringDb(
            self.nets + other.nets,
            self.exchanges + other.exchanges,
            tuple(dict.fromkeys(self.presences + other.presences)),
            self.objects | other.objects,
        )


def load(path: Path) -> PeeringDb:
    """Read the file at `path`. Raises Refusal."""
    return parse(read_file(path, DUMP.size), str(path))


def parse(data: bytes, name: str) -> PeeringDb:
    """What `load` does with the file's bytes."""
    said = read_json(data, name, DUMP)
    if not isinstance(said, dict):
        raise damaged(name, "it is no answer of PeeringDB: an object with data is expected")
    if "data" in said:
        rows = said["data"]
        if not isinstance(rows, list):
            raise damaged(name, "it is no answer of PeeringDB: data is no list")
        return of_rows(_kind(rows), rows, name)
    tables = {kind: said[kind] for kind in ("net", "ix", "netixlan") if kind in said}
    if not tables:
        raise damaged(name, "it is no PeeringDB: it has neither data nor net, ix or netixlan")
    found = PeeringDb()
    for kind, table in tables.items():
        rows = table.get("data") if isinstance(table, dict) else table
        if not isinstance(rows, list):
            raise damaged(name, f"{kind} has no list of data")
        found += of_rows(kind, rows, name)
    return found


def _kind(rows: list[Any]) -> str:
    """Which object an answer of the API has. One that is empty answers the usual question, for a
    network."""
    first = a_mapping(rows[0]) if rows else {}
    if "ix_id" in first or "ipaddr4" in first:
        return "netixlan"
    if "region_continent" in first or "ixlan_set" in first:
        return "ix"
    return "net"


def of_rows(kind: str, rows: list[Any], name: str) -> PeeringDb:
    """The objects of one table. Raises Refusal for a row that is none of its kind."""
    objects = frozenset({kind})
    if kind == "ix":
        return PeeringDb(exchanges=tuple(_exchange(row, name) for row in rows), objects=objects)
    if kind == "netixlan":
        return PeeringDb(presences=tuple(_presences(rows, name)), objects=objects)
    nets = tuple(_net(row, name) for row in rows)
    inner = [
        {**a_mapping(port), "asn": row["asn"]}
        for row in rows
        for port in a_list(row.get("netixlan_set"))
        if isinstance(port, dict)
    ]
    nested = any("netixlan_set" in row for row in rows)
    if nested:
        objects |= {"netixlan"}
    return PeeringDb(nets, presences=tuple(_presences(inner, name)), objects=objects)


def _net(row: Any, name: str) -> Net:
    said = a_mapping(row)
    number, asn = a_number(said.get("id")), an_asn(said.get("asn"))
    if asn is None:
        raise damaged(name, "a network in it has no AS number")
    kinds = a_list(said.get("info_types"))
    never = said.get("info_never_via_route_servers")
    return Net(
        number or 0,
        asn,
        a_text(said.get("name")) or f"AS{asn}",
        a_text(said.get("irr_as_set")),
        a_number(said.get("info_prefixes4")),
        a_number(said.get("info_prefixes6")),
        a_text(said.get("info_type")) or a_text(kinds[0] if kinds else None),
        a_text(said.get("info_traffic")),
        a_text(said.get("policy_general")),
        never if isinstance(never, bool) else None,
        a_text(said.get("website")),
    )


def _exchange(row: Any, name: str) -> Exchange:
    said = a_mapping(row)
    number = a_number(said.get("id"))
    if number is None:
        raise damaged(name, "an exchange in it has no number")
    return Exchange(
        number,
        a_text(said.get("name")) or f"exchange {number}",
        a_text(said.get("city")),
        a_text(said.get("country")),
        a_text(said.get("region_continent")),
        a_text(said.get("terms")),
        a_text(said.get("website")),
    )


def _presences(rows: Iterable[Any], name: str) -> Iterator[Presence]:
    for row in rows:
        said = a_mapping(row)
        asn, exchange = an_asn(said.get("asn")), a_number(said.get("ix_id"))
        if asn is None or exchange is None:
            raise damaged(name, "a port in it has no AS number or no exchange")
        if said.get("operational") is False:
            continue
        served = said.get("is_rs_peer")
        yield Presence(
            asn,
            exchange,
            an_address(said.get("ipaddr4")),
            an_address(said.get("ipaddr6")),
            a_number(said.get("speed")),
            served if isinstance(served, bool) else None,
        )
