"""The root tree of the rehearsal: programs, libraries, modules, the wizard and the overlays."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from image import overlay
from image.accounts import Accounts
from image.freeze import elf, frozen
from image.freeze.frozen import Frozen
from image.overlay import Overlay
from image.rehearsal import modules
from image.rehearsal.apt import Package
from image.rehearsal.linked import closure, place
from image.rehearsal.selection import MODULES, PROGRAMS
from image.rehearsal.unpacked import MERGED, plant
from image.root import VERSIONS
from image.tree import Tree, directory, file, symlink

MASTER = b"""\
root:*:0:0::0:0:Administrator:/root:/bin/sh
daemon:*:1:1::0:0:daemons:/var/empty:/usr/sbin/nologin
sshd:*:22:22::0:0:sshd:/var/empty:/usr/sbin/nologin
unbound:*:59:59::0:0:the resolver:/var/unbound:/usr/sbin/nologin
_openbgpd:*:130:130::0:0:bgpd:/var/empty:/usr/sbin/nologin
_chrony:*:123:123::0:0:the clock:/var/empty:/usr/sbin/nologin
_tor:*:256:256::0:0:the relays:/var/empty:/usr/sbin/nologin
_rpki-client:*:270:270::0:0:the RPKI:/var/empty:/usr/sbin/nologin
nobody:*:65534:65534::0:0:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = b"""\
wheel:*:0:root
daemon:*:1:
tty:*:5:
sshd:*:22:
unbound:*:59:
_openbgpd:*:130:
_chrony:*:123:
_tor:*:256:
_rpki-client:*:270:
nogroup:*:65534:
"""
"""Users and groups in the format of FreeBSD's master.passwd(5) and group(5), with the names that
the templates use."""

FOLDERS = ("cfg", "data", "dev", "proc", "root", "sys", "tmp", "usr/local/bin", "var/empty",
           "var/log", "var/run", "etc")  # fmt: skip
LINKS = {one: f"usr/{one}" for one in MERGED} | {
    "init": "usr/bin/busybox",
    "usr/bin/sh": "dash",
    "run": "var/run",
    "usr/local/etc": "../../etc/local",
}

SHARED = (
    "overlays/bgp/files/var",
    "overlays/firstboot/files/usr/local/libexec",
    "overlays/tor/files/usr/local/libexec",
)
"""Files of overlays that both kinds of image have."""


def assemble(
    debian: Tree,
    packages: Iterable[Package],
    wizard: Frozen,
    overlays: Sequence[Overlay],
    repository: Path,
    time: int,
) -> Tree:
    """Return the root tree. `debian` is the tree of the packages; every new file is `time` old.
    Raises Refusal."""
    tree = Tree(directory(mtime=time))
    for path in FOLDERS:
        plant(tree, path, directory(0o700 if path == "root" else 0o755, mtime=time))
    tree.amend("tmp", mode=0o1777)
    for path, source in closure(debian, [*PROGRAMS, *linked(wizard, debian)]).items():
        plant(tree, path, replace(debian[source], mode=0o755))
    plant_modules(tree, debian, time)
    for path, target in LINKS.items():
        plant(tree, path, symlink(target, mtime=time))
    frozen.plant(tree, wizard, time)
    for here in (path for name in SHARED for path in sorted((repository / name).rglob("*"))):
        if here.is_file():
            path = str(here.relative_to(repository)).partition("/files/")[2]
            mode = 0o555 if os.access(here, os.X_OK) else 0o644
            plant(tree, path, file(here.read_bytes(), mode, mtime=time))
    versions = {one.chosen.name: upstream(one.chosen.version) for one in packages}
    text = json.dumps({"packages": dict(sorted(versions.items()))}, indent=2) + "\n"
    plant(tree, VERSIONS, file(text.encode(), mtime=time))
    accounts = Accounts.parse(MASTER, GROUP)
    overlay.apply(overlays, tree, accounts, time)
    for path, data, mode in account_files(accounts):
        plant(tree, path, file(data, mode, mtime=time))
    return tree


def linked(wizard: Frozen, debian: Tree) -> list[str]:
    """Return the paths in `debian` of the libraries that the wizard needs and does not bring."""
    own = {Path(path).name for path in wizard.files}
    needed = {"libc.so.6"}
    for path in wizard.files:
        here = wizard.folder / path
        with here.open("rb") as opened:
            if opened.read(4) != elf.MAGIC:
                continue
        facts = elf.read(here.read_bytes(), path)
        needed |= {name for name in (facts.needed if facts else ()) if name not in own}
    return [place(debian, name) for name in sorted(needed)]


def plant_modules(tree: Tree, debian: Tree, time: int) -> None:
    version = modules.kernel(debian)
    chosen = modules.choose(debian, version, MODULES)
    folder = f"usr/lib/modules/{version}"
    for module in chosen:
        plant(tree, f"{folder}/{module.path}", file(module.data, mtime=time))
    for name, data in modules.tables(chosen).items():
        plant(tree, f"{folder}/{name}", file(data, mtime=time))


def upstream(version: str) -> str:
    """Return the upstream part of a package's version: 4.3 of 1:4.3-2+deb12u3 (deb-version(7))."""
    without_epoch = version.rpartition(":")[2]
    return without_epoch.rpartition("-")[0] or without_epoch


def account_files(accounts: Accounts) -> list[tuple[str, bytes, int]]:
    """Return passwd(5), shadow(5) and group(5): path, content, mode of each. Every account is
    locked."""
    users = accounts.users.values()
    passwd = "".join(f"{u.name}:x:{u.uid}:{u.gid}:{u.gecos}:{u.home}:{u.shell}\n" for u in users)
    shadow = "".join(f"{u.name}:*:0:0:99999:7:::\n" for u in users)
    return [
        ("etc/passwd", passwd.encode(), 0o644),
        ("etc/shadow", shadow.encode(), 0o600),
        ("etc/group", accounts.group(), 0o644),
    ]
