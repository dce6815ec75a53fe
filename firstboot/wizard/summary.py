"""What was said so far, as a table for people: no more than 75 columns, no secrets."""

import dataclasses
import textwrap
import typing
from collections.abc import Iterable, Iterator
from typing import Any

from firstboot.core import partial
from firstboot.core.document import Plain
from firstboot.core.keys import about, name_of, walk
from firstboot.site.model import Addresses, Peer, Port, Site
from firstboot.site.rules.ssh_key import SshKey
from firstboot.wizard.draft import LISTS, OVERRIDES, Tree, find

WIDTH = 75
LABEL = 18
"""Columns of what stands before the values."""

LONGEST_LABEL = 40

NOT_YET = "-"

TITLES = {
    "operator": "Operator",
    "addresses": "Network",
    "asn": "Network",
    "scopes": "Network",
    "relays": "Relays",
    "dns": "Services",
    "clock": "Services",
    "alarm": "Services",
    "management": "Management",
}
"""Where the top-level keys of a site are shown."""

BY_HAND = "By hand"
OTHERS = "Others"


def summary(answers: Tree, kind: str = "") -> str:
    """Return a table of `answers`, which may be incomplete. A `kind` of machine heads it."""
    head = [f"{kind}: not a release, and not for the Internet."] if kind else []
    return "\n".join([*head, *lines(answers)])


def ports(answers: Tree) -> list[str]:
    """What is known of each port, in a line or two each."""
    return [_entry(port, _port(port)) for port in _parts(answers, "ports")]


def peers(answers: Tree) -> list[str]:
    """What is known of each peer, in a line or two each."""
    return [_entry(peer, _peer(peer)) for peer in _parts(answers, "peers")]


def lines(answers: Tree, shape: Any = Site) -> Iterator[str]:
    """Yield the table line by line; `shape` is the model that the answers belong to."""
    rows = list(_rows(answers, shape))
    for title in dict.fromkeys([*TITLES.values(), OTHERS, BY_HAND]):
        if title == "Relays":
            yield "Ports"
            yield from ports(answers) or ["  none yet"]
            if answers.get("addresses") != Addresses.PROVIDER.value:
                yield "Peers"
                yield from peers(answers) or ["  none yet"]
        under = [row for found, row in rows if found == title]
        yield from [title, *under] if under else []
    for one in walk(shape):
        entries = find(answers, tuple(one.path.split(".")))
        if typing.get_origin(one.hint) is dict and isinstance(entries, dict) and entries:
            yield one.about.label
            yield from (_row(name, value) for name, value in entries.items())


def _rows(answers: Tree, shape: Any) -> Iterator[tuple[str, str]]:
    """A row for each key with a label outside of lists, and the title that it belongs under. A key
    that is empty by default has one only where the site gives it."""
    provided = answers.get("addresses") == Addresses.PROVIDER.value
    for one in walk(shape):
        key = tuple(one.path.split("."))
        if not one.about.label or key[0] in LISTS or typing.get_origin(one.hint) is dict:
            continue
        value = find(answers, key)
        if one.about.secret:
            value = "set" if value else None
        if key == ("management", "keys"):
            value = ", ".join(_key(str(text)) for text in _list(value))
        usual = one.field.default not in (None, ()) or key[0] == "management"
        usual = usual or (key == ("asn",) and not provided)
        if value or usual:
            title = BY_HAND if key in OVERRIDES else TITLES.get(key[0], OTHERS)
            yield title, _row(one.about.label, value)


def _port(port: Tree) -> Iterator[str]:
    yield f"{port.get('role') or NOT_YET}"
    yield f"on {port.get('device')}"
    yield _joined(port.get("addresses"))
    yield from _facts(port, Port)


def _peer(peer: Tree) -> Iterator[str]:
    yield f"{peer.get('role') or NOT_YET}"
    yield f"AS{str(peer.get('asn') or '?').removeprefix('AS')}"
    yield _joined(peer.get("addresses"))
    yield from _facts(peer, Peer)


def _facts(part: Tree, shape: Any) -> Iterator[str]:
    """What is said of a port or a peer beside its defaults. Secrets, and what is yes or no, show
    as their label."""
    for field in dataclasses.fields(shape):
        told, value = about(field), part.get(name_of(field))
        if told.label and value and value != partial.of(field.default):
            plain = told.secret or isinstance(field.default, bool)
            yield told.label if plain else f"{told.label} {_joined(value)}"


def _key(text: str) -> str:
    try:
        key = SshKey.parse(text)
    except ValueError:
        return "no key"
    return key.comment or key.kind


def _entry(part: Tree, facts: Iterable[str]) -> str:
    return _row(str(part.get("name") or "(no name)"), "; ".join(fact for fact in facts if fact))


def _given(label: str, value: Plain) -> list[str]:
    """A row for what is not left to its default."""
    return [_row(label, value)] if value else []


def _row(label: str, value: Plain, between: str = " ") -> str:
    text = _joined(value, between) or NOT_YET
    start = f"  {' '.join(label.split())[:LONGEST_LABEL]:{LABEL - 3}} "
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * LABEL,
        break_on_hyphens=False,
    )


def _joined(value: Plain, between: str = " ") -> str:
    if isinstance(value, list):
        return between.join(str(item) for item in value)
    return "" if value is None else str(value)


def _parts(tree: Tree, name: str) -> list[Tree]:
    return [item for item in _list(tree.get(name)) if isinstance(item, dict)]


def _list(value: Plain) -> list[Plain]:
    return value if isinstance(value, list) else []
