"""Releases to upgrade a box to: a good one, and several that are broken."""

import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import mock
from uuid import UUID

from image import build, disk, file_manifest, layout, overlay, ufs2
from image.download.cache import cache_folder
from image.freeze.frozen import Frozen
from image.inputs.base_sets import obtain
from image.inputs.packages import Given
from image.layout import lay_out
from image.packages import reviewed
from image.release import upgrade
from image.release_stamp import Release, read_keys, stamp_of
from image.tree import Content, Extent, Tree, directory, file
from tests.boot.conftest import ACCEPTED_VERSIONS, LOCK, ROOT, added

OLD, NEW = "1.0", "1.1"

WEIGHT = ("boot/firmware/", "usr/share/i18n/", "usr/share/misc/", "usr/share/vt/", "usr/share/man/")
"""Files that the tests leave out, because an emulated processor hashes only 10 MB a second."""

Change = Callable[[Tree], None]


BOOT_PROGRAMS = ("boot/gptboot", "boot/gptboot.efi")


def good(tree: Tree) -> None:
    """A release with other boot programs, which do what the old ones do: nobody reads their end."""
    for path in BOOT_PROGRAMS:
        if path in tree:
            put(tree, path, tree[path].content.read() + b"of the new release")


def no_kernel(tree: Tree) -> None:
    del tree["boot/kernel/kernel"]


def hanging_rc(tree: Tree) -> None:
    patient(tree, 60)
    put(tree, "conf/base/etc/rc.d/hang", HANG)


def panicking(tree: Tree) -> None:
    put(tree, "conf/base/etc/rc.d/hang", HANG.replace("sleep 100000", "sysctl debug.kdb.panic=1"))


def no_rules(tree: Tree) -> None:
    """Have every boot write a pf.conf that pfctl(8) refuses."""
    patient(tree, 400)
    put(tree, "conf/base/etc/rc.d/worse", worse("echo nonsense >/etc/pf.conf"))


def no_relays(tree: Tree) -> None:
    patient(tree, 400)
    put(tree, "conf/base/etc/rc.d/worse", worse("echo Nonsense 1 >>/etc/local/tor/torrc@relay1"))


HANG = """#!/bin/sh
# PROVIDE: hang
# REQUIRE: FILESYSTEMS
# BEFORE: NETWORKING
sleep 100000
"""


def worse(command: str) -> bytes:
    return f"""#!/bin/sh
# PROVIDE: worse
# REQUIRE: exitisp_site
# BEFORE: FILESYSTEMS
{command}
""".encode()


def patient(tree: Tree, seconds: int) -> None:
    """Let the trial of the slot last that many seconds."""
    put(tree, "boot/loader.conf.d/trial.conf", f'exitisp.trial="{seconds}"\n')


def put(tree: Tree, path: str, data: bytes | str, mode: int = 0o555) -> None:
    content = data.encode() if isinstance(data, str) else data
    tree[path] = file(content, mode, mtime=tree.root.mtime)


def make_key(folder: Path) -> Path:
    """Make a signing key, with the public key beside it."""
    key = folder / "release"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    return key


def make_releases(
    sets: Path,
    folder: Path,
    changes: Iterable[Change],
    *more: overlay.Overlay,
    packages: Given | None,
    wizard: Frozen,
) -> tuple[Path, Path]:
    """Make an image of the old release, and a disk with an upgrade to the new release for each of
    `changes`, under its name. All have the overlays `more`."""
    key = make_key(folder)
    keys = read_keys(key.with_suffix(".pub"))
    verified, cache = obtain(sets, LOCK, cache_folder()), cache_folder().parent
    overlays = [*overlay.load_all(ROOT / "overlays"), *added(sets), *more]
    read = reviewed.load(ROOT / "overlays" / "packages.yaml")
    image = folder / "old.img"
    build.build(
        verified,
        overlays,
        image,
        cache,
        packages=packages,
        reviewed=read,
        wizard=wizard,
        release=Release(OLD, keys),
        accepted_versions=ACCEPTED_VERSIONS,
    )
    release = Release(NEW, keys)
    inputs = build.Inputs(verified, overlays, packages, read, wizard, release, ACCEPTED_VERSIONS)
    carried = []
    with build.assembling(inputs, cache, None) as made:
        for change in changes:
            tree = Tree(made.tree.root)
            for path in made.tree:
                if not path.startswith(WEIGHT):
                    tree[path] = made.tree[path]
            change(tree)
            new = folder / "new.img"
            disk.write(new, lay_out(layout.SMALLEST_MIB, UUID(int=1)), tree, made.time)
            facts = {"release": stamp_of(release, tree).facts, **file_manifest.describe(tree)}
            new.with_suffix(".json").write_text(file_manifest.render(facts))
            with mock.patch.object(upgrade, "ZSTD_LEVEL", 1):
                upgrade.write(new, folder / change.__name__, key)
            new.unlink()
            carried.append(folder / change.__name__)
    return image, carry(folder / "carried.img", carried)


def carry(path: Path, files: Iterable[Path]) -> Path:
    """Make a disk that contains `files`."""
    tree = Tree(directory(mtime=1))
    for one in files:
        size = one.stat().st_size
        tree[one.name] = file(Content(size, (Extent(0, size, one),)), mtime=1)
    size = (64 << 20) + tree.content_size * 5 // 4 // 4096 * 4096
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        os.ftruncate(descriptor, size)
        ufs2.write(descriptor, 0, size, tree, time=1)
    finally:
        os.close(descriptor)
    return path
