import json
import tarfile
from io import BytesIO
from typing import Any

import pytest
import zstandard

from firstboot.core.refusal import Refusal
from image.packages.checksum import Kind
from image.packages.manifest import (
    Dependency,
    Manifest,
    Message,
    PackagedDirectory,
    parse_manifest,
    parse_object,
    parse_package,
)
from tests.image.packages.fixtures import FIXTURE_NAMES, FIXTURES, needs_fixtures

SUM = "1$" + "0" * 64
FACTS: dict[str, Any] = {
    "name": "tool",
    "origin": "misc/tool",
    "version": "1.2_1",
    "licenselogic": "dual",
    "desc": "100%25 Gr%c3%b6%c3%9fe",
    "deps": {"base": {"origin": "misc/base", "version": 2}},
    "options": {"DOCS": "off", "NLS": True},
    "shlibs_required": ["libc.so.7"],
    "vital": True,
    "unheard-of": {},
}


def read(**more: Any) -> Manifest:
    return parse_manifest(json.dumps(FACTS | more).encode(), "tool.pkg")


def members(name: str) -> dict[str, bytes]:
    """The manifests of a fixture package."""
    raw = zstandard.ZstdDecompressor().stream_reader((FIXTURES / "All" / f"{name}.pkg").open("rb"))
    found = {}
    with tarfile.open(fileobj=raw, mode="r|") as archive:
        for info in archive:
            if not info.name.startswith("+"):
                break
            content = archive.extractfile(info)
            assert content
            found[info.name] = content.read()
    return found


@needs_fixtures
@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_real_manifests_are_read_and_the_compact_one_says_the_same(name: str) -> None:
    found = members(name)
    manifest = parse_manifest(found["+MANIFEST"], name)
    assert manifest.package.full_name == name
    assert manifest.raw == found["+MANIFEST"]
    compact = parse_object(found["+COMPACT_MANIFEST"], name)
    assert parse_package(compact, name) == manifest.package


@pytest.mark.parametrize("key", ["/usr/local/share/a\\ud800", "/a%ed%a0%80\\udfff"])
def test_a_path_with_half_a_character_is_refused(key: str) -> None:
    facts = json.dumps(FACTS | {"files": {"PATH": SUM}}).replace("PATH", key)
    with pytest.raises(Refusal, match="is half a character"):
        parse_manifest(facts.encode(), "tool.pkg")


@needs_fixtures
def test_what_a_real_package_holds() -> None:
    base = parse_manifest(members("fixture-base-1.0")["+MANIFEST"], "fixture-base")
    files = {file.path: file for file in base.files}
    assert files["usr/local/share/fixture/a name, 100% Größe"].mode == 0o644
    assert files["usr/local/share/fixture/absolute"].target == "/usr/local/share/fixture/first-name"
    assert files["usr/local/share/fixture/locked"].flags == "uchg"
    assert base.directories == (
        PackagedDirectory("usr/local/share/fixture/empty", "root", "wheel", 0o1777),
    )
    tool = parse_manifest(members("fixture-tool-1.2_1")["+MANIFEST"], "fixture-tool")
    checksum = tool.files[0].sum
    assert checksum
    assert checksum.kind is Kind.BLAKE2B
    assert tool.files[0].mode == 0o4555
    assert tool.config == ("usr/local/etc/fixture-tool.conf",)
    assert tool.messages == (Message("Read fixture-tool.conf before the first start.", "install"),)
    rival = parse_manifest(members("fixture-rival-0.9.b2")["+MANIFEST"], "fixture-rival")
    assert [(file.path, file.owner, file.mode) for file in rival.files] == [
        ("usr/local/bin/fixture-tool", None, None)
    ]
    bgpd = parse_manifest(members("openbgpd-7.7")["+MANIFEST"], "openbgpd")
    assert bgpd.scripts["pre-install"].startswith("#!/bin/sh\n")
    assert "%" in bgpd.scripts["pre-install"] or "${PKG_ROOTDIR}" in bgpd.scripts["pre-install"]
    assert set(bgpd.lua_scripts) == {"post-install", "pre-deinstall"}


def test_a_manifest_is_read_as_pkg_reads_it() -> None:
    package = read().package
    assert package.full_name == "tool-1.2_1"
    assert package.licenselogic == "or"
    assert package.desc == "100% Größe"
    assert package.deps == (Dependency("base", "misc/base", "2"),)
    assert package.options == {"DOCS": "off", "NLS": "on"}
    assert package.vital


def test_a_version_may_be_a_number() -> None:
    assert read(version=15).package.full_name == "tool-15"


def test_scripts_are_decoded_and_lua_is_not() -> None:
    manifest = read(
        scripts={"post-install": "date +%25s # %c3%a4"}, lua_scripts={"post-install": ["a %25"]}
    )
    assert manifest.scripts == {"post-install": "date +%s # ä"}
    assert manifest.lua_scripts == {"post-install": ("a %25",)}


def test_what_the_manifest_does_not_say_is_left_to_the_archive() -> None:
    (file,) = read(files={"/a": {"sum": "-", "perm": "0", "uname": ""}}).files
    assert (file.sum, file.mode, file.owner, file.group, file.mtime) == (None,) * 5


def test_directories_come_in_three_forms() -> None:
    manifest = read(directories={"/a/": "y", "/b": False, "/c": {"uname": "u", "perm": "0700"}})
    assert manifest.directories == (
        PackagedDirectory("a"),
        PackagedDirectory("b"),
        PackagedDirectory("c", "u", None, 0o700),
    )


def test_a_bad_byte_in_a_comment_is_no_reason_to_stop() -> None:
    data = json.dumps(FACTS | {"comment": "X"}).encode().replace(b"X", b"\xff\x01")
    assert parse_manifest(data, "tool.pkg").package.comment == "\N{REPLACEMENT CHARACTER}\x01"


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"name": ""}, "name is missing"),
        ({"name": "../tor"}, "'../tor' is not a package's name such as tor"),
        ({"name": "a b"}, "a package's name"),
        ({"version": "1/2"}, "a version such as"),
        ({"version": True}, "version is 'True', not a text"),
        ({"origin": "../x"}, "an origin"),
        ({"flatsize": -1}, "not a whole number"),
        ({"flatsize": 1e3}, "not a whole number"),
        ({"licenselogic": "xor"}, "not one of"),
        ({"licenses": "MIT"}, "not a list of texts"),
        ({"deps": ["base"]}, "not a JSON object"),
        ({"deps": {"../base": {}}}, "cannot be the name of a package"),
        ({"files": {"usr/bin/x": SUM}}, "is not an absolute path"),
        ({"files": {"/usr/../../x": SUM}}, "is not an absolute path"),
        ({"files": {"/usr/%2e%2e/%2e%2e/x": SUM}}, "is not an absolute path"),
        ({"files": {"/usr//x": SUM}}, "is not an absolute path"),
        ({"files": {"/": SUM}}, "is not an absolute path"),
        ({"files": {"/a%00b": SUM}}, "is not an absolute path"),
        ({"files": {"/a": "1$00"}}, "a checksum as pkg writes it"),
        ({"files": {"/a": 1}}, "a JSON object"),
        ({"files": {"/a": {"sum": SUM, "perm": "u=rwx"}}}, "a mode in octal"),
        ({"files": {"/a": {"sum": SUM, "perm": "17777"}}}, "a mode in octal"),
        ({"directories": {"/../a": "y"}}, "is not an absolute path"),
        ({"config": ["/etc/../../x"]}, "is not an absolute path"),
        ({"scripts": {"sometime": "x"}}, "not a script for one of the phases"),
        ({"scripts": {"post-install": ["x"]}}, "not a script for one of the phases"),
        ({"lua_scripts": {"post-install": [1]}}, "a list of texts"),
        ({"messages": 3}, "messages is '3', not a list"),
    ],
)
def test_what_is_malformed_is_refused_with_one_sentence(
    more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Refusal) as refused:
        read(**more)
    assert str(refused.value).startswith("tool.pkg")
    assert complaint in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"a":1,"a":2}'])
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(
        Refusal, match=r"tool\.pkg: this (cannot be read as JSON|is a \w+, not a JSON object)"
    ):
        parse_manifest(data, "tool.pkg")


def test_a_manifest_of_a_thousand_files_keeps_their_order() -> None:
    paths = [f"/f{number}" for number in range(1000, 0, -1)]
    manifest = read(files=dict.fromkeys(paths, SUM))
    assert [f"/{file.path}" for file in manifest.files] == paths
    assert BytesIO(manifest.raw).read(1) == b"{"
