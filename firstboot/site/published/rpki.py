"""What a validator found: the JSON that rpki-client writes with ``-j``, also Routinator's.

- ``{"roas": [{"asn": 64496, "prefix": "192.0.2.0/24", "maxLength": 24, "ta": "ripe"}, ...],
  "aspas": [{"customer_asid": 64496, "providers": [64497]}]}`` (output-json.c of rpki-client)
- Routinator writes ``"AS64496"``, and ``customer`` and ``providers`` of an ASPA in the same way
- rpki-client 8 has the lists of ASPAs in `provider_authorizations`, by family
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from firstboot.core.limits import MIB, Json
from firstboot.core.values import Network
from firstboot.site.published.fields import a_list, a_mapping, a_number, a_prefix, an_asn
from firstboot.site.published.files import damaged, read_file, read_json

VALIDATED = Json(192 * MIB, 8_000_000)
"""That of the whole Internet has some 700,000 ROAs of 100 bytes and six values."""


SHORTEST = 16
"""Bits. Prefixes with fewer are compared one by one."""


@dataclass(frozen=True)
class Payload:
    """A validated ROA payload (RFC 6811): `asn` may announce `prefix`, and parts of it up to
    `longest` bits."""

    asn: int
    prefix: Network
    longest: int

    def __str__(self) -> str:
        return f"{self.prefix} up to /{self.longest} of AS{self.asn}"


@dataclass(frozen=True)
class Validated:
    """Payloads that overlap the scopes or are of the AS, its providers by its ASPA (None: it has
    none), and how many payloads there are in all."""

    payloads: tuple[Payload, ...]
    providers: tuple[int, ...] | None
    count: int


def load(path: Path, asn: int, scopes: Sequence[Network]) -> Validated:
    """Read the file at `path`, and keep what is about `asn` and `scopes`. Raises Refusal."""
    return parse(read_file(path, VALIDATED.size), str(path), asn, scopes)


def parse(data: bytes, name: str, asn: int, scopes: Sequence[Network]) -> Validated:
    """What `load` does with the file's bytes."""
    said = read_json(data, name, VALIDATED)
    rows = a_mapping(said).get("roas")
    if not isinstance(rows, list):
        raise damaged(name, "it is no output of rpki-client: a list of roas is expected")
    if not rows:
        raise damaged(name, "it has no ROA of anybody, so the validator validated nothing")
    starts = {_start(str(scope)) for scope in scopes}
    kept = []
    for row in rows:
        text = row.get("prefix") if isinstance(row, dict) else None
        if not isinstance(text, str) or "asn" not in row:
            raise damaged(name, "a ROA in it has no AS number or no prefix")
        # Most of 700,000 begin otherwise, and reading a prefix takes longest.
        near = _start(text) in starts or _length(text) < SHORTEST
        if near or an_asn(row["asn"]) == asn:
            one = _payload(row, name)
            if one.asn == asn or any(overlap(one.prefix, scope) for scope in scopes):
                kept.append(one)
    return Validated(tuple(kept), _providers(said, asn), len(rows))


def _start(prefix: str) -> str:
    """The first octet, or the first 16 bits of IPv6: equal in prefixes that overlap and have at
    least `SHORTEST` bits."""
    return prefix.partition(":" if ":" in prefix else ".")[0].lower().lstrip("0")


def _length(prefix: str) -> int:
    digits = prefix.rpartition("/")[2]
    return int(digits) if len(digits) <= 3 and digits.isascii() and digits.isdecimal() else 0


def overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _payload(row: Any, name: str) -> Payload:
    said = a_mapping(row)
    asn, prefix = an_asn(said.get("asn")), a_prefix(said.get("prefix"))
    longest = a_number(said.get("maxLength"))
    if asn is None or prefix is None:
        raise damaged(name, "a ROA in it has no AS number or no prefix")
    return Payload(asn, prefix, prefix.prefixlen if longest is None else longest)


def _providers(said: dict[str, Any], asn: int) -> tuple[int, ...] | None:
    found: set[int] | None = None
    for row in map(a_mapping, _aspas(said)):
        if an_asn(row.get("customer_asid", row.get("customer"))) == asn:
            listed = row.get("providers", row.get("provider_asids"))
            numbers = (an_asn(one) for one in a_list(listed))
            found = (found or set()) | {one for one in numbers if one is not None}
    return None if found is None else tuple(sorted(found))


def _aspas(said: dict[str, Any]) -> Iterator[Any]:
    yield from a_list(said.get("aspas"))
    for family in a_mapping(said.get("provider_authorizations")).values():
        yield from a_list(family)
