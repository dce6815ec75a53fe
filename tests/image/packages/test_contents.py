"""What is in a package, held against what its manifest says."""

import json
import stat
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, settings
from hypothesis import given as trying
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.archive import Member
from image.packages.checksum import Checksum, Kind
from image.packages.contents import Contents, unpack, unpack_all
from image.tree import Kind as EntryKind
from tests.image.packages.fixtures import FIXTURE_NAMES, FIXTURES, needs_fixtures
from tests.image.packages.given import fixture, given, unpacked
from tests.image.packages.repository import PACKINGS, Item, Made, compact

KEPT = {"system.hbsd.pax.nomprotect": b"1", "system.hbsd.hardening.harden_rtld": b"1"}
"""Extended attributes that a package may have."""

TOOL = Made(
    "tool",
    items={
        "/usr/local/bin/tool": Item(b"a program", 0o555),
        "/usr/local/bin/alias": Item(hardlink="/usr/local/bin/tool"),
        "/usr/local/etc/tool.conf": Item(b"", 0o600, "tool", "operator"),
        "/usr/local/lib/libtool.so": Item(symlink="libtool.so.1"),
        "/usr/local/share/100% Größe": Item(b"name"),
        "/usr/local/share/kept": Item(b"kept", 0o444, flags="schg", attributes=KEPT),
        "/var/db/tool": Item(directory=True, mode=0o700, owner="tool", group="tool"),
    },
)


def members(contents: Contents) -> dict[str, Member]:
    return {one.path: one for one in contents.members}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("kind", Kind)
def test_what_the_manifest_says_arrives(tmp_path: Path, packing: str, kind: Kind) -> None:
    contents = unpacked(tmp_path, replace(TOOL, packing=packing, kind=kind))
    found = members(contents)
    assert [f"/{path}" for path in found] == list(TOOL.items)
    assert contents.read("usr/local/bin/tool") == b"a program"
    assert contents.read("usr/local/share/100% Größe") == b"name"
    assert found["usr/local/bin/alias"].link == "usr/local/bin/tool"
    assert found["usr/local/lib/libtool.so"].target == "libtool.so.1"
    conf, folder = found["usr/local/etc/tool.conf"], found["var/db/tool"]
    assert (conf.mode, conf.owner, conf.group) == (0o600, "tool", "operator")
    assert (folder.kind, folder.mode, folder.owner) == (EntryKind.DIRECTORY, 0o700, "tool")
    kept = found["usr/local/share/kept"]
    assert (kept.flags, kept.attributes) == (0x20000, KEPT)


def test_the_manifest_goes_over_the_headers(tmp_path: Path) -> None:
    told = TOOL.manifest()
    told["files"]["/usr/local/bin/tool"] |= {
        "perm": "0750", "uname": "daemon", "gname": "operator", "fflags": "uchg,schg", "mtime": 77,
    }  # fmt: skip
    contents = unpacked(tmp_path, replace(TOOL, full={"files": told["files"]}))
    tool = members(contents)["usr/local/bin/tool"]
    assert (tool.mode, tool.owner, tool.group) == (0o750, "daemon", "operator")
    assert (tool.flags, tool.mtime) == (0x20002, 77)


def test_the_older_form_of_the_list_leaves_owners_to_the_headers(tmp_path: Path) -> None:
    contents = unpacked(tmp_path, replace(TOOL, strings=True))
    conf = members(contents)["usr/local/etc/tool.conf"]
    assert (conf.mode, conf.owner, conf.group) == (0o600, "tool", "operator")


def test_attributes_that_are_there_in_base_64_alone_are_read(tmp_path: Path) -> None:
    made = Made("one", items={"/usr/local/one": Item(b"1", attributes={"user.note": b""})})
    archive = retold(made, {"LIBARCHIVE.xattr.user.note%20b": "/wA"})
    contents = unpack(given(tmp_path / "given", made, archive), tmp_path / "cache")
    assert members(contents)["usr/local/one"].attributes == {
        "user.note": b"",
        "user.note b": b"\xff\0",
    }


def retold(made: Made, headers: Mapping[str, str]) -> bytes:
    """`made` with more pax headers for its files."""
    source = BytesIO(zstandard.ZstdDecompressor().stream_reader(made.archive()).read())
    target = BytesIO()
    with (
        tarfile.open(fileobj=source) as reader,
        tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as writer,
    ):
        for info in reader:
            content = reader.extractfile(info) if info.isreg() else None
            if info.name.startswith("/"):
                info.pax_headers = {**info.pax_headers, **headers}
            writer.addfile(info, content)
    return target.getvalue()


def changed(made: Made, path: str, **facts: Any) -> Made:
    """`made` whose manifest says `facts` of the file at `path`."""
    files = made.manifest()["files"]
    files[path] |= facts
    return replace(made, full={**made.full, "files": files})


def without(made: Made, path: str) -> Made:
    files = made.manifest()["files"]
    del files[path]
    return replace(made, full={**made.full, "files": files})


OTHER_SUM = str(Checksum.of(Kind.SHA256, b"something else"))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            changed(TOOL, "/usr/local/bin/tool", sum=OTHER_SUM),
            r"/usr/local/bin/tool: the checksum is",
        ),
        (
            changed(TOOL, "/usr/local/bin/alias", sum=OTHER_SUM),
            r"/usr/local/bin/alias: the checksum is",
        ),
        (
            changed(TOOL, "/usr/local/lib/libtool.so", sum=OTHER_SUM),
            r"/libtool\.so: the checksum is",
        ),
        (
            changed(TOOL, "/usr/local/lib/libtool.so", symlink_target="/etc"),
            "it is a link to 'libtool.so.1', not to '/etc'",
        ),
        (changed(TOOL, "/usr/local/bin/tool", sum="-"), "the manifest has no checksum for it"),
        (without(TOOL, "/usr/local/bin/tool"), "its manifest does not list /usr/local/bin/tool"),
        (
            replace(
                TOOL, full={"files": TOOL.manifest()["files"] | {"/etc/x": {"sum": OTHER_SUM}}}
            ),
            "/etc/x, which its manifest lists, is missing",
        ),
        (
            replace(TOOL, unlisted={"/usr/local/more": Item(b"more")}),
            "its manifest does not list /usr/local/more",
        ),
        (replace(TOOL, unlisted={"+INSTALL": Item(b"rm -r /")}), r"does not list /\+INSTALL"),
        (
            replace(TOOL, unlisted={"/usr/local/bin/tool": Item(b"another")}),
            "the path is there twice",
        ),
        (replace(TOOL, unlisted={"/+MANIFEST": Item(b"{}")}), "the path is there twice"),
        (replace(TOOL, unlisted={"/../etc/x": Item(b"")}), "the path leaves the root"),
        (replace(TOOL, unlisted={"etc/x": Item(b"")}), "a relative path, as a package never has"),
        (
            replace(TOOL, unlisted={"+a/../../b": Item(b"")}),
            "a relative path, as a package never has",
        ),
        (
            Made("bad", items={"/usr/local/x": Item(b"", attributes={"system.mac": b"1"})}),
            "the extended attribute 'system.mac'",
        ),
        (
            Made("bad", items={"/usr/local/x": Item(directory=True)}, full={"directories": {}}),
            "its manifest does not list /usr/local/x",
        ),
    ],
)
def test_what_is_not_as_the_manifest_says_is_refused(
    tmp_path: Path, made: Made, message: str
) -> None:
    with pytest.raises(Refusal, match=message):
        unpacked(tmp_path, made)
    assert [path.name for path in tmp_path.glob("cache/unpacked/*")] == []


def test_nothing_that_was_refused_is_believed_the_next_time(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(Refusal, match="the checksum is"):
            unpacked(tmp_path, changed(TOOL, "/usr/local/bin/tool", sum=OTHER_SUM))


@pytest.mark.parametrize("link", ["/etc/master.passwd", "/usr/local/lib/libtool.so"])
def test_a_hard_link_stays_within_the_files_of_its_package(tmp_path: Path, link: str) -> None:
    total = str(Checksum.of(Kind.SHA256, b""))
    files = TOOL.manifest()["files"] | {"/usr/local/z": {"sum": total}}
    made = replace(TOOL, full={"files": files}, unlisted={"/usr/local/z": Item(hardlink=link)})
    with pytest.raises(Refusal, match=f"a hard link to {link}, which is not a file of the package"):
        unpacked(tmp_path, made)


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("/dev/x")
        info.type, info.mode = kind, stat.S_IRUSR
        archive.addfile(info)
    with pytest.raises(Refusal, match="neither a file, a directory nor a link"):
        unpack(given(tmp_path / "given", TOOL, buffer.getvalue()), tmp_path / "cache")


def test_a_package_that_says_it_is_another_is_refused(tmp_path: Path) -> None:
    package = given(tmp_path / "given", replace(TOOL, version="2.0"), TOOL.archive())
    with pytest.raises(Refusal, match=r"the manifest is of tool-1\.0, and tool-2\.0 is listed"):
        unpack(package, tmp_path / "cache")


def test_a_package_without_a_manifest_is_refused(tmp_path: Path) -> None:
    buffer = BytesIO()
    tarfile.open(fileobj=buffer, mode="w").close()
    with pytest.raises(Refusal, match=r"\+MANIFEST: the package has no manifest"):
        unpack(given(tmp_path / "given", TOOL, buffer.getvalue()), tmp_path / "cache")


@pytest.mark.parametrize("packing", PACKINGS)
def test_one_that_is_cut_short_is_refused(tmp_path: Path, packing: str) -> None:
    whole = replace(TOOL, packing=packing).archive()
    # tar(5) ends with many zeros, and needs only some.
    almost = len(whole.rstrip(b"\0")) + 500 if packing == "plain" else len(whole) - 1
    for number, length in enumerate((0, 1, len(whole) // 2, almost)):
        package = given(tmp_path / str(number), TOOL, whole[:length])
        with pytest.raises(Refusal, match=r"tool-1\.0\.pkg: .*(damaged|whole tar|\+MANIFEST)"):
            unpack(package, tmp_path / "cache")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@trying(st.data())
def test_damage_is_refused_or_changes_nothing(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(replace(TOOL, packing="plain").archive())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        contents = unpack(given(tmp_path / "given", TOOL, bytes(whole)), tmp_path / "cache")
    except Refusal:
        return
    assert [f"/{one.path}" for one in contents.members] == list(TOOL.items)
    assert contents.read("usr/local/bin/tool") == b"a program"


def test_what_is_in_the_cache_is_not_unpacked_again(tmp_path: Path) -> None:
    first, second = unpacked(tmp_path, TOOL), unpacked(tmp_path, TOOL)
    assert first.unpacked.fresh
    assert not second.unpacked.fresh
    assert second.members == first.members
    assert second.manifest.raw == compact(TOOL.manifest())


def test_a_bad_package_ends_the_unpacking_of_all(tmp_path: Path) -> None:
    bad = changed(TOOL, "/usr/local/bin/tool", sum=OTHER_SUM)
    packages = [given(tmp_path / "a", Made("fine")), given(tmp_path / "b", bad)]
    with pytest.raises(Refusal, match="the checksum is"):
        unpack_all(packages, tmp_path / "cache")


@needs_fixtures
@pytest.mark.parametrize("name", FIXTURE_NAMES)
def test_packages_that_pkg_takes_are_taken(tmp_path: Path, name: str) -> None:
    contents = unpack(fixture(FIXTURES / "All" / f"{name}.pkg"), tmp_path)
    manifest = json.loads(contents.manifest.raw)
    total = len(manifest["files"]) + len(manifest.get("directories", {}))
    assert len(contents.members) == total
    if name == "fixture-pax-2.0,1":
        attributes = {one.path: one.attributes for one in contents.members}
        assert b"1" in {
            value
            for found in attributes.values()
            for key, value in found.items()
            if key == "system.hbsd.pax.nomprotect"
        }


def test_holes_of_a_file_are_zeros(tmp_path: Path) -> None:
    """libarchive stores what a file system says is a hole as GNU tar does."""
    data = b"start".ljust(1 << 20, b"\0") + b"end".ljust(1 << 20, b"\0")
    made = Made("one", items={"/usr/local/one": Item(data)})
    (tmp_path / "+MANIFEST").write_bytes(compact(made.manifest()))
    (tmp_path / "usr/local").mkdir(parents=True)
    with (tmp_path / "usr/local/one").open("wb") as file:
        file.write(b"start")
        file.seek(1 << 20)
        file.write(b"end")
        file.truncate(2 << 20)
    archive = tmp_path / "one.tar"
    arguments = ["--sparse", "--format=pax", "--absolute-names", "--transform=s,^usr,/usr,"]
    subprocess.run(
        ["tar", "-cf", archive, *arguments, "+MANIFEST", "usr/local/one"], cwd=tmp_path, check=True
    )
    if archive.stat().st_size > 1 << 20:
        pytest.skip("this file system has no holes")
    contents = unpack(given(tmp_path / "given", made, archive.read_bytes()), tmp_path / "cache")
    assert contents.read("usr/local/one") == data
