"""Sets and overlays go in, a disk comes out: the whole pipeline, checked by independent readers."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from dissect.fat.fat import FATFS
from dissect.ffs import FFS
from dissect.util.stream import RangeStream

from firstboot.core.refusal import Refusal
from image import build, gpt, lock, overlay, root
from image.base.sets import BaseSets, open_local
from image.build import Built
from image.inputs.packages import Given
from image.layout import SMALLEST_MIB, Layout
from image.overlay import Overlay
from image.packages import reviewed
from image.tree import Kind, Tree
from tests import sets
from tests.command import ROOT, digest, exitisp
from tests.image.packages.repository import Item as Packed
from tests.image.packages.repository import Made, make_repository, trust
from tests.sets import Item

TIME = 1_650_000_000
OVERLAYS = ROOT / "overlays"
BUILD = ("build", "--packages", "none")


def given(folder: Path, **items: Any) -> BaseSets:
    return open_local(
        sets.write(folder, **items), lock.load(ROOT / "image/hardenedbsd.lock.yaml").base
    )


def without(*paths: str) -> tuple[Item, ...]:
    return tuple(item for item in sets.BASE if item.path.removeprefix("./") not in paths)


@dataclass(frozen=True)
class Disk:
    """A built image, and the tree that its slot should have."""

    path: Path
    tree: Tree

    @property
    def layout(self) -> Layout:
        return Layout(gpt.read(self.path))

    def stream(self, label: str) -> RangeStream:
        layout = self.layout
        return RangeStream(self.path.open("rb"), layout.offset(label), layout.length(label))

    def slot(self) -> FFS:
        return FFS(self.stream("rootA"))


def make(folder: Path, base: BaseSets, overlays: list[Overlay]) -> Disk:
    image = folder / "dist" / "exitisp.img"
    build.build(base, overlays, image, folder / "cache", time=TIME)
    unpacked = build.unpack(base, overlays, folder / "cache")
    return Disk(image, root.make_tree(unpacked, overlays, TIME))


@pytest.fixture(scope="module")
def overlays() -> list[Overlay]:
    return overlay.load_all(OVERLAYS)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, overlays: list[Overlay]) -> Iterator[Disk]:
    folder = tmp_path_factory.mktemp("build")
    yield make(folder, given(folder / "sets"), overlays)
    shutil.rmtree(folder)


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (package {package})")
    return found


def run(*arguments: str | Path) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


class TestPartitions:
    def test_sgdisk_finds_no_problem(self, disk: Disk) -> None:
        assert "No problems found" in run(program("sgdisk", "gdisk"), "-v", disk.path)

    @pytest.mark.parametrize(
        ("number", "label", "kind", "attributes"),
        [
            (1, "efi", "EFI system partition", 0),
            (2, "boot", "FreeBSD boot", 0),
            (3, "rootA", "FreeBSD UFS", 1 << 59),
            (4, "rootB", "FreeBSD UFS", 0),
            (5, "cfg", "FreeBSD UFS", 0),
            (6, "data", "FreeBSD UFS", 0),
            (7, "efi2", "Unknown", 0),
            (8, "boot2", "Unknown", 0),
        ],
    )
    def test_sgdisk_reads_every_partition(
        self, disk: Disk, number: int, label: str, kind: str, attributes: int
    ) -> None:
        told = run(program("sgdisk", "gdisk"), "-i", str(number), disk.path)
        assert f"Partition name: '{label}'" in told
        assert f"({kind})" in told
        assert f"Attribute flags: {attributes:016X}" in told

    def test_the_boot_programs_are_where_a_bios_looks(self, disk: Disk) -> None:
        with disk.path.open("rb") as image:
            assert image.read(440) == (b"pmbr" * 110)[:440]
        assert disk.stream("boot").read(7000) == b"gptboot" * 1000

    def test_the_image_is_as_small_as_it_can_be_and_sparse(self, disk: Disk) -> None:
        facts = disk.path.stat()
        assert facts.st_size == SMALLEST_MIB << 20
        assert facts.st_blocks * 512 < 8 << 20

    def test_the_other_file_systems_are_empty(self, disk: Disk) -> None:
        for label in ("rootB", "cfg"):
            assert set(FFS(disk.stream(label)).root.listdir()) <= {".", "..", ".snap"}
        assert disk.stream("data").read().strip(b"\0") == b""


class TestUefi:
    def boot_file(self, disk: Disk) -> bytes:
        volume = FATFS(disk.stream("efi"))
        data: bytes = volume.get("EFI/BOOT/BOOTX64.EFI").open().read()
        return data

    def test_gptboot_efi_is_what_uefi_starts(self, disk: Disk) -> None:
        assert self.boot_file(disk) == b"MZ gptboot.efi"

    def test_fsck_finds_no_problem(self, disk: Disk, tmp_path: Path) -> None:
        path = tmp_path / "efi"
        path.write_bytes(disk.stream("efi").read())
        run(program("fsck.fat", "dosfstools"), "-n", path)

    def test_an_older_base_is_started_by_its_loader(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        base = given(tmp_path / "sets", base=without("boot/gptboot.efi"))
        assert self.boot_file(make(tmp_path, base, overlays)) == b"MZ loader.efi"


class TestSlot:
    def test_it_reads_back_like_the_tree(self, disk: Disk) -> None:
        slot = disk.slot()
        nodes = {}
        for path in ["", *disk.tree]:
            entry = disk.tree[path] if path else disk.tree.root
            node = slot.get(f"/{path}")
            inode = node.inode
            read = (inode.di_mode & 0o7777, inode.di_uid, inode.di_gid, inode.di_flags)
            assert read == (entry.mode, entry.uid, entry.gid, entry.flags), path
            assert inode.di_mtime == entry.mtime, path
            if entry.kind is Kind.FILE:
                assert node.open().read() == entry.content.read(), path
            elif entry.kind is Kind.SYMLINK:
                assert node.link == entry.target, path
            else:
                names = {name for name, _ in disk.tree.children()[path]}
                assert set(node.listdir()) - {".", ".."} == names, path
            nodes[path] = node.inum
        assert nodes["bin/["] == nodes["bin/test"]
        linked = ("etc/csh.login", "etc/csh.cshrc")
        one, same = (nodes[path] for path in linked)
        copy, same_copy = (nodes[f"conf/base/{path}"] for path in linked)
        assert one == same != copy == same_copy

    @pytest.mark.parametrize(
        ("path", "mode", "uid", "gid", "flags", "mtime"),
        [
            ("bin/sh", 0o555, 0, 0, 0, 1_700_000_000),
            ("usr/bin/su", 0o555, 0, 0, 0x20800, 1_700_000_000),
            ("libexec/ld-elf.so.1", 0o555, 0, 0, 0x20000, 1_700_000_000),
            ("tmp", 0o1777, 0, 0, 0, 1_700_000_000),
            ("var/unbound", 0o755, 59, 59, 0, 1_700_000_000),
            ("boot/kernel/kernel", 0o555, 0, 0, 0, 1_700_000_000),
            ("etc/fstab", 0o644, 0, 0, 0, TIME),
            ("etc/rc.d/exitisp_storage", 0o555, 0, 0, 0, TIME),
            ("etc/master.passwd", 0o600, 0, 0, 0, TIME),
        ],
    )
    def test_a_file_has_the_facts_of_its_set_or_overlay(
        self, disk: Disk, path: str, mode: int, uid: int, gid: int, flags: int, mtime: int
    ) -> None:
        inode = disk.slot().get(f"/{path}").inode
        assert inode.di_mode & 0o7777 == mode
        assert (inode.di_uid, inode.di_gid, inode.di_flags) == (uid, gid, flags)
        assert inode.di_mtime == mtime

    def test_links_stay_links(self, disk: Disk) -> None:
        assert disk.slot().get("/sys").link == "usr/src/sys"
        assert disk.slot().get("/usr/local/etc").link == "../../etc/local"

    @pytest.mark.parametrize(
        "path", ["usr/bin/clang", "usr/bin/cc", "usr/lib/libc.a", "usr/tests", "etc/pwd.db",
                 "etc/spwd.db", "conf/base/etc/pwd.db", "conf/base/etc/spwd.db"]
    )  # fmt: skip
    def test_dropped_files_are_not_there(self, disk: Disk, path: str) -> None:
        folder, _, name = path.rpartition("/")
        assert name not in disk.slot().get(f"/{folder}").listdir()
        assert path not in disk.tree

    @pytest.mark.parametrize("etc", ["etc", "conf/base/etc"])
    def test_nobody_logs_in_without_a_password(self, disk: Disk, etc: str) -> None:
        master = disk.slot().get(f"/{etc}/master.passwd").open().read().splitlines()
        assert master[0] == b"root:*:0:0::0:0:Charlie &:/root:/bin/sh"
        assert all(line.split(b":")[1] for line in master)

    @pytest.mark.parametrize("etc", ["etc", "conf/base/etc"])
    def test_passwd_is_in_step_with_master_passwd(self, disk: Disk, etc: str) -> None:
        slot = disk.slot()
        master = slot.get(f"/{etc}/master.passwd").open().read().splitlines()
        passwd = slot.get(f"/{etc}/passwd").open().read().splitlines()
        fields = [line.split(b":") for line in master]
        assert passwd == [b":".join([one[0], b"*", *one[2:4], *one[7:]]) for one in fields]

    @pytest.mark.parametrize(("name", "mib"), [("etc", 32), ("var", 256)])
    def test_memory_file_systems_are_filled_from_conf(
        self, disk: Disk, name: str, mib: int
    ) -> None:
        slot = disk.slot()
        copied = dict(walk(slot, f"/conf/base/{name}"))
        size = copied.pop("/md_size")
        assert size == (0o644, 0, 0, 0, b"%d\n" % (mib * 2048))
        assert copied == dict(walk(slot, f"/{name}"))


def walk(slot: FFS, top: str, path: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the facts of everything from `top` on, without inode numbers."""
    node = slot.get(top + path)
    inode = node.inode
    facts = (inode.di_mode & 0o7777, inode.di_uid, inode.di_gid, inode.di_flags)
    if node.is_dir():
        yield path, facts
        for name in node.listdir():
            if name not in (".", ".."):
                yield from walk(slot, top, f"{path}/{name}")
    else:
        yield path, (*facts, node.link if node.is_symlink() else node.open().read())


def test_the_manifest_names_what_the_image_is_made_of(disk: Disk) -> None:
    facts = json.loads(disk.path.with_suffix(".json").read_text())
    assert facts["time"] == TIME
    assert facts["overlays"] == [one.parent.name for one in sorted(OVERLAYS.glob("*/overlay.yaml"))]
    assert {one["name"]: one["trust"] for one in facts["base"]["sets"]} == {
        "base.txz": "unsigned, given with --sets",
        "kernel.txz": "unsigned, given with --sets",
    }
    table = disk.layout.table
    assert facts["disk"]["identifier"] == str(table.identifier)
    assert [
        (one["label"], one["first_block"], one["blocks"]) for one in facts["disk"]["partitions"]
    ] == [(one.label, one.first_lba, one.blocks) for one in table.partitions]


def test_the_manifest_lists_every_file_as_it_is_in_the_slot(disk: Disk) -> None:
    facts = json.loads(disk.path.with_suffix(".json").read_text())
    assert facts["files"].keys() == {"/", *(f"/{path}" for path in disk.tree)}
    for path, (mode, uid, gid, _, *content) in walk(disk.slot(), ""):
        told = facts["files"][path or "/"]
        assert (int(told["mode"], 8), told.get("owner", "0:0")) == (mode, f"{uid}:{gid}")
        if told["kind"] == "file":
            assert told["sha256"] == hashlib.sha256(content[0]).hexdigest()
    assert facts["settings"]["/boot/loader.conf"]["boot_serial"] == "YES"


def test_a_larger_disk_is_more_room_for_data(tmp_path: Path, overlays: list[Overlay]) -> None:
    base = given(tmp_path / "sets")
    built = build.build(
        base, overlays, tmp_path / "a.img", tmp_path / "cache", size_mib=SMALLEST_MIB + 100
    )
    layout = Layout(gpt.read(built.image))
    assert layout.length("data") == (64 + 100) << 20
    assert json.loads(built.manifest.read_text())["time"] == 1_700_000_000


class TestReproducibility:
    def test_an_image_depends_only_on_its_inputs(self, tmp_path: Path) -> None:
        """Two users, machines and places, a cold and a warm cache: the same bytes."""
        ann, bob = tmp_path / "ann", tmp_path / "bob" / "far away"
        for home, where in ((ann, ann / "sets"), (bob, bob.parent / "other sets")):
            home.mkdir(parents=True)
            sets.write(where)

        def as_ann() -> None:
            result = exitisp(
                *BUILD, "--sets", "sets", folder=ann, before=lambda: os.umask(0o077),
                TZ="Asia/Kolkata", LANG="C", PYTHONHASHSEED="1",
            )  # fmt: skip
            assert result.returncode == 0, result.stderr

        def as_bob() -> None:
            for _ in range(2):
                result = exitisp(
                    *BUILD, "--sets", "../other sets", "--output", "x/y.img", folder=bob,
                    before=lambda: os.umask(0o002), TZ="America/St_Johns", LANG="de_DE.UTF-8",
                    PYTHONHASHSEED="2", PYTHONUTF8="0",
                )  # fmt: skip
                assert result.returncode == 0, result.stderr

        with ThreadPoolExecutor(2) as users:
            for done in (users.submit(as_ann), users.submit(as_bob)):
                done.result()
        assert digest(ann / "dist/exitisp.img") == digest(bob / "x/y.img")
        assert (ann / "dist/exitisp.json").read_bytes() == (bob / "x/y.json").read_bytes()

    def test_source_date_epoch_is_the_time_of_all_new_files(self, tmp_path: Path) -> None:
        sets.write(tmp_path / "sets")
        arguments = (*BUILD, "--sets", "sets", "--output", "a.img")
        result = exitisp(*arguments, folder=tmp_path, SOURCE_DATE_EPOCH="1234567890")
        assert result.returncode == 0, result.stderr
        assert json.loads((tmp_path / "a.json").read_text())["time"] == 1_234_567_890
        slot = Disk(tmp_path / "a.img", Tree()).slot()
        assert slot.get("/etc/fstab").inode.di_mtime == 1_234_567_890
        assert slot.get("/bin/sh").inode.di_mtime == 1_700_000_000


def test_stale_password_databases_are_removed(tmp_path: Path) -> None:
    """The databases that the target looks users up in are made at its boot, from master.passwd."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/overlay.yaml").write_text(
        "description: only this\nlock: [root]\nsetid: [{path: usr/bin/su, reason: nobody}]\n"
        "drop: [{path: usr/bin/clang, reason: compiler}]\n"
    )
    tree = make(tmp_path, given(tmp_path / "sets"), [overlay.load(tmp_path / "locks")]).tree
    assert "usr/bin/su" in tree
    assert not {"usr/bin/clang", "usr/bin/cc"} & set(tree)
    assert not {"etc/pwd.db", "etc/spwd.db"} & set(tree)


def test_an_account_without_a_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="accounts without a password: root"):
        make(tmp_path, given(tmp_path / "sets"), [])


class TestCache:
    def test_damage_is_reported_even_if_it_cannot_be_removed(
        self, tmp_path: Path, overlays: list[Overlay], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        base = given(tmp_path / "sets")
        make(tmp_path, base, overlays)
        monkeypatch.setattr("image.store.shutil.rmtree", lambda *_, **__: None)
        for contents in tmp_path.glob("cache/unpacked/*/contents"):
            with contents.open("ab") as file:
                file.write(b"more")
        with pytest.raises(Refusal, match="the cache was damaged"):
            make(tmp_path, base, overlays)

    @pytest.mark.parametrize("at", [0, -1])
    def test_damage_is_reported_removed_and_repaired_by_the_next_build(
        self, tmp_path: Path, overlays: list[Overlay], at: int
    ) -> None:
        base = given(tmp_path / "sets")
        good = make(tmp_path, base, overlays)
        before = digest(good.path)
        contents = max(
            tmp_path.glob("cache/unpacked/*/contents"), key=lambda one: one.stat().st_size
        )
        data = bytearray(contents.read_bytes())
        data[at] ^= 1
        contents.write_bytes(data)
        with pytest.raises(Refusal, match="the cache was damaged"):
            make(tmp_path, base, overlays)
        assert digest(good.path) == before
        assert sorted(path.name for path in good.path.parent.iterdir()) == [
            "exitisp.cdx.json",
            "exitisp.img",
            "exitisp.json",
        ]
        assert digest(make(tmp_path, base, overlays).path) == before


def test_a_database_goes_when_its_text_is_replaced(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "files/etc").mkdir(parents=True)
    (mine / "files/etc/login.conf").write_text("default:\\\n\t:umask=027:\n")
    (mine / "overlay.yaml").write_text(
        "description: My classes.\nfiles:\n- {path: etc/login.conf, replaces: yes}\n"
    )
    base = given(tmp_path / "sets", base=(*sets.BASE, Item("./etc/login.conf.db", b"database")))
    stock = overlay.load_all(OVERLAYS)
    assert "etc/login.conf.db" in make(tmp_path, base, stock).tree
    assert "etc/login.conf.db" not in make(tmp_path, base, [*stock, overlay.load(mine)]).tree


def test_disks_of_other_content_have_other_identifiers(
    tmp_path: Path, overlays: list[Overlay]
) -> None:
    base = given(tmp_path / "sets")
    identifier = make(tmp_path, base, overlays).layout.table.identifier
    more = [*overlays, overlay.load(ROOT / "examples/overlay")]
    assert make(tmp_path, base, more).layout.table.identifier != identifier
    assert make(tmp_path, base, overlays).layout.table.identifier == identifier


def test_images_with_another_reviewed_list_have_other_identities(
    tmp_path: Path, overlays: list[Overlay]
) -> None:
    """The list decides owners and files of packages, so disks that differ in it alone must not
    share their partitions' identifiers."""
    inputs = build.Inputs(given(tmp_path / "sets"), overlays)
    nobody = reviewed.NOTHING
    somebody = replace(nobody, value=reviewed.Reviewed(groups={"_tor": reviewed.Id(256)}))
    with build.assembling(inputs, tmp_path / "cache", TIME) as made:
        one, other = (
            build.identity(replace(inputs, reviewed=listed), made, 1024)
            for listed in (nobody, somebody)
        )
    assert one != other


TOOL = Made(
    "tor",
    "0.4.9.12",
    items={
        "/usr/local/bin/tor": Packed(b"a program", 0o555),
        "/usr/local/etc/tor/torrc.sample": Packed(b"Nickname"),
        "/var/db/tor": Packed(directory=True, mode=0o700, owner="_tor", group="_tor"),
    },
    facts={"users": ["_tor"], "groups": ["_tor"]},
    full={"scripts": {"post-install": "cp torrc.sample torrc"}},
)
RC = b'#!/bin/sh\nname=openbgpd\nrcvar=openbgpd_enable\n: ${openbgpd_enable:="NO"}\n'
BGP = Made(
    "openbgpd8",
    "8.8",
    items={
        "/usr/local/sbin/bgpd": Packed(b"bgpd", 0o555),
        "/usr/local/etc/rc.d/openbgpd": Packed(RC, 0o555),
        "/usr/local/etc/rc.d/openbgplgd": Packed(b"#!/bin/sh\n", 0o555),
    },
)
NEWER = replace(BGP, version="8.9")
REVIEWED = f"""\
groups: {{_tor: 256, _rpki-client: 270}}
users:
  _rpki-client: {{uid: 270, group: _rpki-client, gecos: rpki-client user}}
  _tor: {{uid: 256, group: _tor, gecos: Tor}}
scripts:
  - package: tor
    script: post-install.sh
    sha256: {hashlib.sha256(b"cp torrc.sample torrc").hexdigest()}
    reviewed: Copies a file.
    instead: So does the build.
    samples: [usr/local/etc/tor/torrc.sample]
"""


class TestPackages:
    """An image with packages of a repository."""

    def given(self, folder: Path, packages: Sequence[Made] = (TOOL, BGP)) -> Given:
        repository = make_repository(folder / "repository", packages)
        return Given(str(repository.folder), trust(folder / "keys", repository.signer))

    def build(
        self,
        folder: Path,
        packages: Given,
        overlays: list[Overlay],
        accepted_versions: tuple[str, ...] = (),
    ) -> Built:
        (folder / "packages.yaml").write_text(REVIEWED)
        return build.build(
            given(folder / "sets"),
            overlays,
            folder / "dist" / "exitisp.img",
            folder / "cache",
            packages=packages,
            reviewed=reviewed.load(folder / "packages.yaml"),
            accepted_versions=accepted_versions,
            time=TIME,
        )

    def test_they_are_in_the_slot_registered_and_described(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        built = self.build(tmp_path, self.given(tmp_path), overlays)
        slot = Disk(built.image, Tree()).slot()
        assert slot.get("/usr/local/bin/tor").open().read() == b"a program"
        assert slot.get("/etc/local/tor/torrc").open().read() == b"Nickname"
        kept = slot.get("/conf/base/var/db/tor").inode
        assert (kept.di_mode & 0o7777, kept.di_uid, kept.di_gid) == (0o700, 256, 256)
        for name, line in (
            ("master.passwd", b"_tor:*:256:256::0:0:Tor:/nonexistent:/usr/sbin/nologin\n"),
            ("passwd", b"_tor:*:256:256:Tor:/nonexistent:/usr/sbin/nologin\n"),
            ("group", b"_tor:*:256:\n"),
        ):
            assert slot.get(f"/conf/base/etc/{name}").open().read().endswith(line)
        versions = json.loads(slot.get("/usr/local/share/exitisp/packages.json").open().read())
        assert versions == {"packages": {"openbgpd8": "8.8", "tor": "0.4.9.12"}}
        assert slot.get("/conf/base/var/db/pkg/local.sqlite").open().read(6) == b"SQLite"

        facts = json.loads(built.manifest.read_text())
        assert [(one["name"], one["version"]) for one in facts["packages"]] == [
            ("openbgpd8", "8.8"),
            ("tor", "0.4.9.12"),
        ]
        sha256 = hashlib.sha256(TOOL.archive()).hexdigest()
        assert facts["packages"][1]["sha256"] == sha256
        assert facts["packages"][1]["trust"].startswith("given with --packages, listed in ")
        missing = [one["names"] for one in facts["missing_packages"]]
        assert missing == [["pkg"], ["rpki-client"], ["unbound"]]
        left_out = {"package": "openbgpd8-8.8", "service": "openbgplgd"}
        assert facts["services_left_out"] == [left_out]
        assert set(slot.get("/etc/local/rc.d").listdir()) == {".", "..", "openbgpd"}
        sbom = json.loads(built.sbom.read_text())
        assert {"base:base.txz", "package:tor-0.4.9.12", "package:openbgpd8-8.8", "overlay:pf"} <= {
            one["bom-ref"] for one in sbom["components"]
        }

    def test_the_package_s_resolver_comes_with_its_script_which_is_off(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        script = RC.replace(b"openbgpd", b"unbound")
        unbound = Made(
            "unbound",
            "1.26.2",
            items={
                "/usr/local/sbin/unbound": Packed(b"unbound", 0o555),
                "/usr/local/etc/rc.d/unbound": Packed(script, 0o555),
            },
        )
        built = self.build(tmp_path, self.given(tmp_path, (TOOL, BGP, unbound)), overlays)
        slot = Disk(built.image, Tree()).slot()
        assert slot.get("/usr/local/sbin/unbound").open().read() == b"unbound"
        assert set(slot.get("/etc/local/rc.d").listdir()) == {".", "..", "openbgpd", "unbound"}

    def test_validated_origins_are_for_rpki_client_to_write(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        user = "_rpki-client"
        rpki = Made(
            "rpki-client",
            items={"/var/db/rpki-client": Packed(directory=True, owner=user, mode=0o755)},
            facts={"users": [user], "groups": [user]},
        )
        built = self.build(tmp_path, self.given(tmp_path, (TOOL, BGP, rpki)), overlays)
        folder = Disk(built.image, Tree()).slot().get("/conf/base/var/db/rpki-client")
        assert folder.inode.di_uid == 270
        assert "openbgpd" in folder.listdir()

    def test_the_same_packages_make_the_same_image_and_others_another(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        made = []
        for name, packages in (("a", (TOOL, BGP)), ("b", (BGP, TOOL)), ("c", (TOOL, NEWER))):
            folder = tmp_path / name
            folder.mkdir()
            built = self.build(folder, self.given(folder, packages), overlays)
            made.append(digest(built.image))
        assert made[0] == made[1] != made[2]

    def test_a_daemon_with_known_holes_leaves_no_image_unless_it_is_accepted(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        old = (replace(TOOL, version="0.4.9.11"), BGP)
        with pytest.raises(Refusal, match=r"CVE-2026-87724.*--accept-version tor=0\.4\.9\.11"):
            self.build(tmp_path, self.given(tmp_path, old), overlays)
        assert list((tmp_path / "dist").iterdir()) == []
        built = self.build(
            tmp_path,
            Given(str(tmp_path / "repository"), tmp_path / "keys"),
            overlays,
            accepted_versions=("tor=0.4.9.11",),
        )
        manifest = json.loads(built.manifest.read_text())
        assert manifest["accepted_versions"] == ["tor=0.4.9.11"]

    def test_an_unreviewed_script_leaves_no_image(
        self, tmp_path: Path, overlays: list[Overlay]
    ) -> None:
        bad = replace(BGP, full={"scripts": {"install": "reboot"}})
        with pytest.raises(Refusal, match=r"openbgpd8-8\.8: install\.sh\."):
            self.build(tmp_path, self.given(tmp_path, (TOOL, bad)), overlays)
        assert not list((tmp_path / "dist").iterdir())

    def test_damage_of_an_unpacked_package_is_reported(
        self, tmp_path: Path, overlays: list[Overlay], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        packages = self.given(tmp_path)
        self.build(tmp_path, packages, overlays)
        monkeypatch.setattr("image.store.shutil.rmtree", lambda *_, **__: None)
        for contents in tmp_path.glob("cache/unpacked/*/contents"):
            data = contents.read_bytes()
            if b"a program" in data:
                contents.write_bytes(data.replace(b"a program", b"another..."[:9]))
        with pytest.raises(Refusal, match="the cache was damaged"):
            self.build(tmp_path, packages, overlays)
