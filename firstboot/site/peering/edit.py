"""Keys of peers in a site file, changed where they stand: comments, order and layout stay.

A round trip through a YAML library would lay out anew what people have written by hand. Here a
value is replaced where it stands, and a new key stands below the peer's `asn`. What comes out is
read again by the caller, who knows what has to be in it.
"""

from collections.abc import Mapping

import yaml

from firstboot.core.refusal import Refusal

Edits = Mapping[int, Mapping[str, str]]
"""By the number of the peer in the list: keys, with the values that they get as YAML has them."""


def edited(text: str, edits: Edits, name: str) -> str:
    """`text`, YAML of a site, with `edits`. Raises Refusal about the file `name` if its peers are
    written in a way that cannot be edited."""
    peers = _value(yaml.compose(text, Loader=yaml.SafeLoader), "peers")
    changes: list[tuple[int, int, str]] = []
    for number, keys in edits.items():
        peer = peers.value[number] if isinstance(peers, yaml.SequenceNode) else None
        if not isinstance(peer, yaml.MappingNode):
            raise _by_hand(name)
        for key, value in keys.items():
            changes.append(_change(text, peer, key, value, name))
    for start, end, put in sorted(changes, reverse=True):
        text = text[:start] + put + text[end:]
    return text


def _change(
    text: str, peer: yaml.MappingNode, key: str, value: str, name: str
) -> tuple[int, int, str]:
    """Where the text changes, from and to which character, and what stands there then."""
    old = _value(peer, key)
    if isinstance(old, yaml.ScalarNode) and old.start_mark.index < old.end_mark.index:
        return old.start_mark.index, old.end_mark.index, value
    asn = _value(peer, "asn")
    if old is not None or not isinstance(asn, yaml.ScalarNode):
        raise _by_hand(name)
    if peer.flow_style:
        return asn.end_mark.index, asn.end_mark.index, f", {key}: {value}"
    column = next(one.start_mark.column for one, _ in peer.value if one.value == "asn")
    end = text.find("\n", asn.end_mark.index)
    line = f"{' ' * column}{key}: {value}\n"
    if end < 0:
        return len(text), len(text), f"\n{line}"
    return end + 1, end + 1, line


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for one, value in pairs if one.value == key), None)


def _by_hand(name: str) -> Refusal:
    return Refusal(
        name,
        "its peers are written in a way that is not edited without harm",
        "Write the keys by hand, as the difference above shows them",
    )
