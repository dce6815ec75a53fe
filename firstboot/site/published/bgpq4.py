"""What bgpq4 resolved: the JSON of ``bgpq4 -j -l NAME AS-SET``, prefixes of one family by the name
of the set: ``{"AS-EXAMPLE": [{"prefix": "192.0.2.0/24", "exact": true}, ...]}`` (bgpq4(8)).

Sets of several files with the same name are put together: IPv4 and IPv6 of one as-set.
"""

from dataclasses import dataclass

from firstboot.core.limits import MIB, Json
from firstboot.core.values import Network
from firstboot.site.published.fields import a_mapping, a_prefix
from firstboot.site.published.files import damaged, read_json

RESOLVED = Json(64 * MIB, 3_000_000)


@dataclass(frozen=True)
class Resolved:
    """The prefixes that an as-set, or an AS, is resolved to: those of one family."""

    name: str
    prefixes: tuple[Network, ...]


def parse(data: bytes, name: str) -> tuple[Resolved, ...]:
    """What the file `name` with the bytes `data` says, at least one set. Raises Refusal."""
    said = read_json(data, name, RESOLVED)
    if not isinstance(said, dict) or not said:
        raise damaged(name, "it is no output of bgpq4 -j: an object with sets is expected")
    found = []
    for one, rows in said.items():
        if not isinstance(rows, list):
            raise damaged(name, "a set in it is no list of prefixes")
        prefixes = [a_prefix(a_mapping(row).get("prefix")) for row in rows]
        if None in prefixes:
            raise damaged(name, "an entry in it has no prefix")
        found.append(Resolved(one.upper(), tuple(each for each in prefixes if each is not None)))
    return tuple(found)
