"""Whatever a repository offers is read or refused with one sentence; nothing else happens."""

import json
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.packages import signed
from image.packages.catalogue import parse_data, parse_packagesite
from image.packages.checksum import Checksum
from image.packages.compact import read_package
from image.packages.manifest import parse_manifest
from image.packages.trust import Signature, verify
from tests.image.packages.repository import Item, Made, Signer, usual_signer
from tests.image.packages.repository import signed as sign
from tests.image.packages.test_trust import keys

MADE = Made(
    "tool",
    items={"/usr/local/bin/tool": Item(b"x", 0o555), "/usr/local/d": Item(directory=True)},
    deps={"base": "1.0"},
    facts={"users": ["_tool"], "options": {"DOCS": "on"}, "annotations": {"a": "b"}},
    full={
        "scripts": {"post-install": "true"},
        "lua_scripts": {"post-install": ["x"]},
        "messages": [{"message": "m", "type": "install"}],
        "config": ["/usr/local/etc/tool.conf"],
    },
)
MANIFEST = MADE.manifest()
ENTRY = MADE.listed()

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


def read_or_refuse(read: Any, *arguments: Any) -> Any:
    try:
        return read(*arguments)
    except Refusal:
        return None


@given(st.sampled_from(sorted(MANIFEST)), values)
def test_any_value_in_a_manifest(key: str, value: Any) -> None:
    read_or_refuse(parse_manifest, json.dumps(MANIFEST | {key: value}).encode(), "+MANIFEST")


@given(st.sampled_from(["files", "directories", "deps", "scripts"]), st.text(max_size=12), values)
def test_any_entry_in_a_manifests_lists(key: str, name: str, value: Any) -> None:
    data = json.dumps(MANIFEST | {key: {name: value}}).encode()
    found = read_or_refuse(parse_manifest, data, "+MANIFEST")
    if found:
        paths = [one.path for one in (*found.files, *found.directories)]
        assert not any(path.startswith("/") or ".." in path.split("/") for path in paths)


@given(st.sampled_from(sorted(ENTRY)), values)
def test_any_value_in_a_catalogue(key: str, value: Any) -> None:
    entry = ENTRY | {key: value}
    found = read_or_refuse(parse_data, json.dumps({"packages": [entry]}).encode(), "data")
    again = read_or_refuse(parse_packagesite, json.dumps(entry).encode(), "packagesite.yaml")
    assert found == again


@given(st.binary(max_size=200))
def test_any_bytes_for_a_catalogue(data: bytes) -> None:
    read_or_refuse(parse_data, data, "data")
    read_or_refuse(parse_packagesite, data, "packagesite.yaml")
    read_or_refuse(parse_manifest, data, "+MANIFEST")


@given(st.text(max_size=120))
def test_any_text_for_a_checksum(text: str) -> None:
    try:
        found = Checksum.parse(text)
    except ValueError:
        return
    assert Checksum.parse(str(found)) == found


DATA = b'{"packages":[]}' * 40


@given(st.sampled_from(["zstd", "xz", "plain"]), st.data())
def test_any_damage_to_a_signed_archive_is_refused_or_does_not_matter(
    packing: str, draw: st.DataObject
) -> None:
    archive = bytearray(sign("data", DATA, [usual_signer()], packing))
    at = draw.draw(st.integers(0, len(archive) - 1))
    archive[at] ^= draw.draw(st.integers(1, 255))

    def believe() -> bytes:
        content = signed.read(bytes(archive), "data", "data.pkg")
        verify(content.data, content.signatures, keys(usual_signer()), "data.pkg")
        return content.data

    assert read_or_refuse(believe) in (None, DATA)


class Offered:
    """A package file in memory."""

    path = Path("tool-1.0.pkg")

    def __init__(self, data: bytes) -> None:
        self._data = data

    def open(self) -> IO[bytes]:
        return BytesIO(self._data)


@given(st.data())
def test_any_damage_to_a_package_is_refused_or_read(draw: st.DataObject) -> None:
    archive = bytearray(MADE.archive())
    at = draw.draw(st.integers(0, len(archive) - 1))
    archive[at] ^= draw.draw(st.integers(1, 255))
    read_or_refuse(read_package, Offered(bytes(archive)))


def test_a_package_that_says_something_else_first_is_refused() -> None:
    assert read_or_refuse(read_package, Offered(MADE.archive()))
    assert not read_or_refuse(read_package, Offered(sign("data", DATA, [])))
    assert not read_or_refuse(read_package, Offered(b""))


@given(st.binary(max_size=120), st.sampled_from(["", "rsa", "ecdsa", "eddsa", "ecc"]))
def test_any_bytes_for_a_trusted_key(key: bytes, kind: str) -> None:
    signer = Signer(key, lambda _: bytes(64), kind or None)
    one = Signature.of("data", signer.sign(DATA), signer.pub)
    assert not read_or_refuse(verify, DATA, [one], keys(signer), "data")
