"""Answers of RDAP, the registries' successor of WHOIS (RFC 9083, STD 95): one object a file.

Contacts are jCards (RFC 7095) of entities with roles, and entities are in entities.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from ipaddress import summarize_address_range
from pathlib import Path
from typing import Any

from firstboot.core.limits import MIB, Json
from firstboot.core.values import Network
from firstboot.site.published.fields import (
    a_list,
    a_mapping,
    a_number,
    a_text,
    an_address,
    an_asn,
)
from firstboot.site.published.files import damaged, read_file, read_json

ANSWER = Json(4 * MIB, 100_000)
DEEPEST = 6
"""Entities in entities."""


class Kind(Enum):
    AUTNUM = "autnum"
    NETWORK = "ip network"
    DOMAIN = "domain"


@dataclass(frozen=True)
class Delegation:
    """A DS record at the registry (RFC 9083, section 5.3): what of the key it has."""

    tag: int
    algorithm: int
    digest_type: int
    digest: str


@dataclass(frozen=True)
class Answer:
    """An object. `abuse` are mail addresses of those who take complaints; `found` is no where the
    registry says that there is no such object."""

    kind: Kind | None
    found: bool = True
    name: str = ""
    asn: int | None = None
    prefixes: tuple[Network, ...] = ()
    abuse: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    delegations: tuple[Delegation, ...] = ()


def load(path: Path) -> Answer:
    """Read the file at `path`. Raises Refusal."""
    return parse(read_file(path, ANSWER.size), str(path))


def parse(data: bytes, name: str) -> Answer:
    """What `load` does with the file's bytes."""
    said = read_json(data, name, ANSWER)
    if not isinstance(said, dict):
        raise damaged(name, "it is no answer of RDAP: an object is expected")
    if a_number(said.get("errorCode")) == 404:
        return Answer(None, found=False)
    if "errorCode" in said:
        problem = f"it is an error of the server: {a_text(said.get('title')) or said['errorCode']}"
        raise damaged(name, problem)
    try:
        kind = Kind(said.get("objectClassName"))
    except ValueError as error:
        raise damaged(name, "it is no RDAP about an AS number, a network or a domain") from error
    return Answer(
        kind,
        name=(a_text(said.get("ldhName")) or a_text(said.get("handle")) or "").lower().rstrip("."),
        asn=_asn(said) if kind is Kind.AUTNUM else None,
        prefixes=_prefixes(said, name) if kind is Kind.NETWORK else (),
        abuse=tuple(dict.fromkeys(_abuse(said, DEEPEST))),
        servers=tuple(
            server.lower().rstrip(".")
            for one in a_list(said.get("nameservers"))
            if (server := a_text(a_mapping(one).get("ldhName")))
        ),
        delegations=tuple(_delegations(said)),
    )


def _asn(said: dict[str, Any]) -> int | None:
    first, last = an_asn(said.get("startAutnum")), an_asn(said.get("endAutnum"))
    return first if last in (None, first) else None


def _prefixes(said: dict[str, Any], name: str) -> tuple[Network, ...]:
    first, last = an_address(said.get("startAddress")), an_address(said.get("endAddress"))
    if first is None or last is None:
        raise damaged(name, "the network has no first or no last address")
    try:
        return tuple(summarize_address_range(first, last))
    except (TypeError, ValueError) as error:
        raise damaged(name, "the last address of the network is not after its first") from error


def _abuse(said: dict[str, Any], depth: int) -> Iterator[str]:
    for entity in map(a_mapping, a_list(said.get("entities"))):
        if "abuse" in a_list(entity.get("roles")):
            yield from _mails(entity)
        if depth:
            yield from _abuse(entity, depth - 1)


def _mails(entity: dict[str, Any]) -> Iterator[str]:
    card = a_list(entity.get("vcardArray"))
    for line in a_list(card[1] if len(card) > 1 else None):
        parts = a_list(line)
        if len(parts) > 3 and parts[0] == "email" and (mail := a_text(parts[3])):
            yield mail


def _delegations(said: dict[str, Any]) -> Iterator[Delegation]:
    for one in map(a_mapping, a_list(a_mapping(said.get("secureDNS")).get("dsData"))):
        numbers = [a_number(one.get(name)) for name in ("keyTag", "algorithm", "digestType")]
        digest = a_text(one.get("digest"))
        tag, algorithm, digest_type = numbers
        if tag is not None and algorithm is not None and digest_type is not None and digest:
            yield Delegation(tag, algorithm, digest_type, digest.lower().replace(" ", ""))
