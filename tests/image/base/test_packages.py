"""A base system that comes as packages is the same tree as the same base system in sets."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firstboot.core.refusal import Refusal
from image import lock, overlay
from image.base.packages import BasePackages, choose
from image.base.plant import plant_all
from image.base.source import unpack
from image.build import build
from image.inputs.base_sets import base_tree, obtain
from image.lock import Lock, Sha256
from image.overlay import Overlay
from image.packages import reviewed
from image.root import plant_base
from image.tree import Tree
from tests import sets
from tests.command import ROOT
from tests.image.base.pkgbase import SCRIPTS, changed, made, packages, write, write_sets
from tests.image.base.test_certificates import NAMES, certificate
from tests.image.packages.repository import Item, Made, Signer, make_repository, usual_signer

NOTHING = overlay.dropping([])
SHIPPED = ROOT / "image" / "hardenedbsd.lock.yaml"


"""The lock file as it is shipped: it names no key of the base's packages."""


@pytest.fixture(scope="module")
def overlays() -> list[Overlay]:
    return overlay.load_all(ROOT / "overlays")


def facts(tree: Tree) -> dict[str, tuple[Any, ...]]:
    """What a tree says of each path, with the first name of its file."""
    paths = {"": tree.root, **dict(sorted(tree.items()))}
    first = {id(one): path for path, one in reversed(paths.items())}
    return {
        path: (
            first[id(one)], one.kind, one.mode, one.uid, one.gid, one.flags, one.mtime,
            dict(one.attributes), one.content.read(), one.target,
        )
        for path, one in paths.items()
    }  # fmt: skip


def given(folder: Path, cache: Path, lock_path: Path = SHIPPED) -> BasePackages:
    found = obtain(folder, lock_path, cache)
    assert isinstance(found, BasePackages)
    return found


def repository(folder: Path, made: Sequence[Made], *signers: Signer) -> Path:
    return write(folder / "base", made, *signers).folder


@pytest.mark.parametrize("dropping", [True, False], ids=["dropping", "whole"])
@pytest.mark.parametrize(
    ("system", "kernels", "kernel"),
    [
        ("FreeBSD", ["generic", "generic-dbg", "minimal"], "FreeBSD-kernel-generic"),
        ("HardenedBSD", ["generic", "hardenedbsd"], "HardenedBSD-kernel-hardenedbsd"),
    ],
)
def test_packages_are_the_same_tree_as_sets(
    tmp_path: Path,
    cache: Path,
    overlays: list[Overlay],
    system: str,
    kernels: list[str],
    kernel: str,
    dropping: bool,
) -> None:
    drop = overlay.dropping(overlays if dropping else [])
    folder = write_sets(tmp_path / "sets")
    tree, accounts = plant_all(unpack(obtain(folder, SHIPPED, cache), *drop, cache))
    base = given(repository(tmp_path, packages(system=system, kernels=kernels)), cache)
    assert base.kernel == kernel
    again, same = plant_all(unpack(base, *drop, cache))
    assert facts(again) == facts(tree)
    assert same == accounts
    assert ("usr/bin/cc" in tree) is not dropping


def test_an_image_has_the_same_files_whatever_its_base_came_as(
    tmp_path: Path, cache: Path, overlays: list[Overlay]
) -> None:
    folders = {
        "sets": write_sets(tmp_path / "sets"),
        "packages": repository(tmp_path, packages()),
    }
    said = {}
    for name, folder in folders.items():
        base = obtain(folder, SHIPPED, cache)
        built = build(base, overlays, tmp_path / f"{name}.img", cache, time=0)
        said[name] = json.loads(built.manifest.read_text())
    assert said["packages"]["files"] == said["sets"]["files"]
    named = {one["name"]: one["sha256"] for one in said["packages"]["base"]["sets"]}
    path = folders["packages"] / "All" / "FreeBSD-runtime-15.1.s20261101.pkg"
    assert named[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    listed = json.loads((tmp_path / "packages.cdx.json").read_text())["components"]
    assert {f"base:{name}" for name in named} <= {one["bom-ref"] for one in listed}


def test_what_nobody_needs_is_neither_read_nor_named(tmp_path: Path, cache: Path) -> None:
    folder = repository(tmp_path, packages())
    (folder / "All" / "FreeBSD-src-15.1.s20261101.pkg").unlink()
    names = [one.file.removesuffix("-15.1.s20261101.pkg") for one in given(folder, cache).archives]
    assert sorted(names) == [
        *("FreeBSD-caroot", "FreeBSD-clang", "FreeBSD-kernel-generic", "FreeBSD-runtime"),
        *("FreeBSD-set-base", "FreeBSD-set-minimal", "FreeBSD-tests", "FreeBSD-utilities"),
    ]


def test_the_base_alone_has_no_kernel(tmp_path: Path, cache: Path) -> None:
    tree = base_tree(given(repository(tmp_path, packages()), cache), [], cache)
    assert "bin/sh" in tree
    assert "boot/kernel" not in tree


def test_a_directory_that_nobody_describes_is_made(tmp_path: Path, cache: Path) -> None:
    more = made("FreeBSD", "tests", [sets.Item("./opt/a/b", b"b", 0o444)])
    changing = changed(packages(), "FreeBSD-tests", items=more.items)
    tree, _ = plant_all(unpack(given(repository(tmp_path, changing), cache), *NOTHING, cache))
    assert [(tree[path].mode, tree[path].uid) for path in ("opt", "opt/a")] == [(0o755, 0)] * 2


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"/bin/sh": Item(b"another")}, "the file is in another set too"),
        (
            {"/var/empty": Item(directory=True, mode=0o777)},
            "gives this directory another mode, owner or group",
        ),
        ({"/opt": Item(b"", owner="nobody2")}, "owner or group 'nobody2' is not in master.passwd"),
    ],
)
def test_packages_that_do_not_fit_together_are_refused(
    tmp_path: Path, cache: Path, more: dict[str, Item], message: str
) -> None:
    changing = changed(packages(), "FreeBSD-tests", items=more)
    with pytest.raises(Refusal, match=message):
        plant_all(unpack(given(repository(tmp_path, changing), cache), *NOTHING, cache))


def test_links_to_a_dropped_file_go_too_whichever_package_has_them(
    tmp_path: Path, cache: Path
) -> None:
    alias = {"/usr/bin/c++": Item(symlink="clang"), "/usr/bin/c11": Item(symlink="c++")}
    changing = changed(packages(), "FreeBSD-tests", items=alias)
    drop = overlay.dropping(overlay.load_all(ROOT / "overlays"))
    tree, _ = plant_all(unpack(given(repository(tmp_path, changing), cache), *drop, cache))
    assert not [path for path in tree if path.startswith("usr/bin/c")]


def test_all_scripts_that_are_not_understood_are_told(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"scripts": {"post-install": "pwd_mkdb -p x; rm -rf /", "post-deinstall": "anything"}}
    more = {
        "scripts": {"pre-install": "cap_mkdb $(reboot)"},
        "lua_scripts": {"post-install": ["x()"]},
    }
    changing = changed(
        changed(packages(), "FreeBSD-runtime", full=odd), "FreeBSD-utilities", full=more
    )
    unpacked = unpack(given(repository(tmp_path, changing), cache), *NOTHING, cache)
    with pytest.raises(Refusal) as refused:
        plant_base(unpacked)
    for script in ("post-install.sh", "pre-install.sh", "post-install.lua"):
        assert script in str(refused.value)
    told = capsys.readouterr().err
    assert told.count("    sha256: ") == 3
    assert "    pwd_mkdb -p x; rm -rf /\n" in told
    entries = told.partition("Entries for 'scripts'")[2].partition("\n")[2]
    (tmp_path / "packages.yaml").write_text(
        "scripts:\n" + entries.replace("reviewed:", "reviewed: x").replace("instead:", "instead: y")
    )
    tree, _ = plant_base(unpacked, reviewed.load(tmp_path / "packages.yaml"))
    assert "bin/sh" in tree


def test_certificates_are_put_where_programs_look_if_a_script_says_so(
    tmp_path: Path, cache: Path
) -> None:
    place = "/usr/share/certs/trusted"
    items = {place: Item(directory=True), f"{place}/root.pem": Item(certificate(NAMES[0]))}
    for number, full in enumerate(({}, {"scripts": {"post-install": SCRIPTS["caroot"]}})):
        changing = changed(packages(), "FreeBSD-caroot", items=items, full=full)
        folder = repository(tmp_path / str(number), changing)
        tree, _ = plant_base(unpack(given(folder, cache), *NOTHING, cache))
        assert ("etc/ssl/cert.pem" in tree) is (number == 1)


class TestTrust:
    """Whoever names a repository with --sets trusts its key, unless the lock names one."""

    def lock(self, folder: Path, key: str | None) -> Path:
        read = lock.load(SHIPPED)
        known = replace(read.base.packages, key=Sha256(key) if key else None)
        base = replace(read.base, packages=known)
        lock.write(folder / "lock.yaml", Lock(read.schema, base, read.packages))
        assert lock.load(folder / "lock.yaml").base == base
        return folder / "lock.yaml"

    def test_the_key_of_the_lock_is_the_only_one(self, tmp_path: Path, cache: Path) -> None:
        folder = repository(tmp_path, packages())
        key = usual_signer().fingerprint
        base = given(folder, cache, self.lock(tmp_path, key))
        expected = f"listed in a catalogue signed by {key}"
        assert {one.provenance for one in base.archives} == {expected}
        with pytest.raises(Refusal, match=r"signed by \S+, which is not trusted; trusted: "):
            given(folder, cache, self.lock(tmp_path, Signer.rsa().fingerprint))

    def test_without_one_the_manifest_tells_that_nobody_named_the_key(
        self, tmp_path: Path, cache: Path
    ) -> None:
        base = given(repository(tmp_path, packages()), cache, self.lock(tmp_path, None))
        told = f"signed by {usual_signer().fingerprint}, a key that the lock file does not name"
        assert all(told in one.provenance for one in base.archives)

    @pytest.mark.parametrize("harm", ["unsigned", "catalogue", "package"])
    def test_what_is_not_signed_or_altered_is_refused(
        self, tmp_path: Path, cache: Path, harm: str
    ) -> None:
        signers = [] if harm == "unsigned" else [usual_signer()]
        folder = make(tmp_path, signers)
        if harm == "catalogue":
            other = make(tmp_path / "other", [Signer.rsa()])
            mixed = (other / "packagesite.pkg").read_bytes()
            (folder / "packagesite.pkg").write_bytes(mixed[:-40] + bytes(40))
        if harm == "package":
            path = next((folder / "All").glob("FreeBSD-runtime-*"))
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(Refusal, match=r"not signed|not a whole tar archive|its checksum is"):
            given(folder, cache)


def make(folder: Path, signers: list[Signer]) -> Path:
    return make_repository(folder / "repository", packages(), signers=signers).folder


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["tor", "unbound"], "no package such as FreeBSD-set-base"),
        (["A-set-base", "B-set-base", "A-kernel-generic"], "2 base systems: A, B"),
        (["A-set-base", "A-kernel-minimal"], "no package A-kernel-.*, only A-kernel-minimal"),
        (["A-set-base", "B-kernel-generic"], "only no kernel at all"),
    ],
)
def test_a_repository_without_one_whole_base_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        choose(names, "repository")
