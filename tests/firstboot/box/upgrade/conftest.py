"""Two releases of a small image, the upgrade to the second one, and boxes that run the first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from firstboot.core import release_info
from firstboot.core.release_info import Stamp
from firstboot.core.upgrade_file import Manifest, parse, read_head
from firstboot.site.model import SCHEMA
from image import file_manifest, ufs2
from image.release import upgrade
from image.release_stamp import Release, plant
from image.tree import Tree, file
from tests.firstboot.box.upgrade.disk import Disk, unpack
from tests.image.base.upstream import Keys
from tests.image.flash.images import WHEN, make

SYSTEM = "FreeBSD 15.1-STABLE"


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "release")


@dataclass(frozen=True)
class Made:
    """A release: the content of its slot, and its upgrade."""

    slot: bytes
    upgrade: Path

    @property
    def manifest(self) -> Manifest:
        data = self.upgrade.read_bytes()
        head = read_head(data)
        assert head is not None
        return parse(data[head.length : head.length + head.manifest])

    @property
    def files(self) -> Mapping[str, str]:
        return self.manifest.files


Releases = Callable[..., Made]


@pytest.fixture(scope="session")
def release(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Makes a release of some version; other facts of its stamp, and the key, may be others."""

    def make_release(version: str, key: Path = keys.private, **facts: object) -> Made:
        folder = tmp_path_factory.mktemp("release")
        small = make(folder / "exitisp.img")
        tree = Tree(small.tree.root)
        for path in small.tree:
            tree[path] = small.tree[path]
        plant(tree, Release(version, (keys.public,)), WHEN)
        told = replace(Stamp(version, SYSTEM, SCHEMA), **facts)  # type: ignore[arg-type]
        tree[release_info.PLACE] = file(release_info.render(told), mtime=WHEN)
        # Far from each other on the disk.
        for path in ("a", "z"):
            tree[path] = file(version.encode() * 5000, mtime=WHEN)
        at, length = small.layout.offset("rootA"), small.layout.length("rootA")
        with small.path.open("r+b") as image:
            image.seek(at)
            image.write(bytes(length))
            image.flush()
            ufs2.write(image.fileno(), at, length, tree, time=WHEN)
            image.seek(at)
            slot = image.read(length)
        facts_of = {"release": told.facts, **file_manifest.describe(tree)}
        (folder / "exitisp.json").write_text(file_manifest.render(facts_of))
        made = folder / f"exitisp-{version}.upgrade"
        upgrade.write(small.path, made, key)
        return Made(slot, made)

    return make_release


@pytest.fixture(scope="session")
def old(release: Releases) -> Made:
    return release("1.0")


@pytest.fixture(scope="session")
def new(release: Releases) -> Made:
    return release("1.1")


@pytest.fixture
def box(old: Made, tmp_path: Path) -> Disk:
    """It runs the old release; its other slot is empty."""
    return running(old, tmp_path / "box")


def running(old: Made, root: Path) -> Disk:
    disk = Disk(root)
    for label in ("rootA", "rootB"):
        disk.part(label).parent.mkdir(parents=True, exist_ok=True)
    disk.part("rootA").write_bytes(old.slot)
    disk.part("rootB").write_bytes(bytes(len(old.slot)))
    for folder in ("cfg", "data", "var/run"):
        (root / folder).mkdir(parents=True)
    unpack(disk.read("rootA"), root)
    return disk
