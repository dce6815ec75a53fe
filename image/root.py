"""The root tree of a slot, from the sets, packages, the wizard and the overlays."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image import overlay, release_stamp, services, setid, toolchain
from image.accounts import Accounts
from image.base import certificates
from image.base import packages as base_packages
from image.base.plant import plant_all
from image.base.source import UnpackedBase
from image.freeze import frozen
from image.freeze.frozen import Frozen
from image.layout import SLOT_MIB, too_large
from image.overlay import Overlay
from image.packages import registration
from image.packages.contents import Contents
from image.packages.install import copy_samples, detours, install, make_homes
from image.packages.review import add_accounts, review
from image.packages.reviewed import NOTHING, Reviewed
from image.populate import incomplete
from image.release_stamp import UNRELEASED, Release
from image.tree import Entry, Tree, directory, file, parents

VERSIONS = "usr/local/share/exitisp/packages.json"
"""Which packages the image has, for the programs on the box: name -> version below `packages`."""

ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
FREEBSD_ABI = 9
X86_64 = 62
"""elf(5): EI_OSABI, e_machine."""

DATABASES = {"etc/login.conf": "etc/login.conf.db", "etc/services": "var/db/services.db"}
"""What cap_mkdb(1) and services_mkdb(8) made of a text of the base. Nothing on the target makes
them anew, and the C library reads the text where there is no database: so a database goes when
its text is replaced."""


@dataclass(frozen=True, slots=True)
class Additions:
    """What is between the base and the overlays: packages, as `reviewed` allows, and the frozen
    wizard; and which release it is."""

    packages: tuple[Contents, ...] = ()
    reviewed: Document[Reviewed] = NOTHING
    wizard: Frozen | None = None
    release: Release = UNRELEASED


def make_tree(
    base: UnpackedBase,
    overlays: list[Overlay],
    time: int,
    additions: Additions = Additions(),
) -> Tree:
    """The root tree of a slot."""
    tree, accounts = plant_base(base, additions.reviewed)
    return finish(tree, accounts, overlays, time, additions)


def plant_base(base: UnpackedBase, reviewed: Document[Reviewed] = NOTHING) -> tuple[Tree, Accounts]:
    """Return the tree of the base system alone, with its kernel, and its accounts. What the scripts
    of its packages do is done.

    Raises Refusal, also for such a script that is neither understood nor `reviewed`.
    """
    done = base_packages.review(base.packages, reviewed)
    tree, accounts = plant_all(base)
    if base_packages.CERTIFICATES in done:
        certificates.plant(tree)
    for path in ("boot/kernel/kernel", "libexec/ld-elf.so.1"):
        check_machine(tree, path)
    return tree, accounts


def finish(
    tree: Tree, accounts: Accounts, overlays: list[Overlay], time: int, additions: Additions
) -> Tree:
    """`tree`, which has the base system, with all else in it."""
    reviewed = additions.reviewed
    manifests = [one.manifest for one in additions.packages]
    outcome = review(reviewed, additions.packages)
    accounts = add_accounts(reviewed, manifests, accounts, outcome)
    ways = detours(overlays)
    texts = {text: tree.get(text) for text in DATABASES}
    packaged = install(tree, additions.packages, reviewed, accounts, ways, time)
    if additions.wizard:
        frozen.plant(tree, additions.wizard, time)
    overlay.apply(overlays, tree, accounts, time, packaged)
    make_homes(tree, outcome.homes, accounts, ways, time)
    copy_samples(tree, outcome.samples, ways, overlay.rendered(overlays))
    services.leave_out(tree, overlays, packaged)
    services.check(tree, overlays)
    register(tree, additions.packages, overlays, time)
    release_stamp.plant(tree, additions.release, time)
    for text, entry in texts.items():
        if tree.get(text) is not entry:
            tree.pop(DATABASES[text], None)
    lock_accounts(tree, accounts, overlays, time)
    setid.settle(tree, overlays, (one.path for one in reviewed.value.setuid))
    keep_in_memory(tree, overlays, time)
    toolchain.check(tree)
    if tree.content_size > SLOT_MIB << 20:
        raise too_large(f"files of {tree.content_size >> 20} MiB")
    return tree


def register(
    tree: Tree, packages: Sequence[Contents], overlays: Iterable[Overlay], time: int
) -> None:
    """Put what pkg(8) and this project's own programs know of `packages` into the tree."""
    versions = {one.manifest.package.name: one.manifest.package.version for one in packages}
    text = json.dumps({"packages": dict(sorted(versions.items()))}, indent=2) + "\n"
    files = {VERSIONS: text.encode()}
    if packages:
        asked = {
            name
            for one in overlays
            for wanted in one.recipe.value.packages
            for name in wanted.names
        }
        files[registration.PLACE] = registration.database(packages, asked, time)
    for path, data in files.items():
        for above in parents(path):
            if above not in tree:
                tree[above] = directory(mtime=time)
        tree[path] = file(data, mtime=time)


def check_machine(tree: Tree, path: str) -> None:
    """Raises Refusal unless `path` is a program for FreeBSD on amd64."""
    if path not in tree:
        raise incomplete("the base sets", path)
    head = read_head(tree[path], 20).ljust(20, b"\0")
    abi, machine = head[7], int.from_bytes(head[18:20], "little")
    if not head.startswith(ELF_64_LITTLE_ENDIAN) or (abi, machine) != (FREEBSD_ABI, X86_64):
        raise Refusal(
            f"/{path}",
            f"not a program for FreeBSD on amd64 (ELF, 64 bit, machine {X86_64}, ABI "
            f"{FREEBSD_ABI}): "
            + (f"machine {machine}, ABI {abi}" if head[:4] == b"\x7fELF" else "no ELF file"),
            "Use the sets of the amd64 architecture",
        )


def read_head(entry: Entry, length: int) -> bytes:
    for extent in entry.content.extents[:1]:
        if isinstance(extent.origin, bytes):
            return extent.origin[:length]
        with extent.origin.open("rb") as content:
            content.seek(extent.offset)
            return content.read(min(length, extent.length))
    return b""


def lock_accounts(tree: Tree, accounts: Accounts, overlays: list[Overlay], time: int) -> None:
    """Put the accounts with the overlays' locks into the tree, in all their forms.

    Raises Refusal if somebody could log in without a password.
    """
    for one in overlays:
        for at, name in enumerate(one.recipe.value.lock):
            try:
                accounts = accounts.lock(name)
            except KeyError:
                raise Refusal(
                    one.recipe.where("lock", at),
                    f"the base's etc/master.passwd has no user '{name}'",
                    "Correct the name",
                ) from None
    if open_accounts := accounts.without_password():
        raise Refusal(
            "etc/master.passwd",
            f"accounts without a password: {', '.join(open_accounts)}",
            "Add them to 'lock' in an overlay.yaml",
        )
    for path, data in (
        ("etc/master.passwd", accounts.master_passwd()),
        ("etc/passwd", accounts.passwd()),
        ("etc/group", accounts.group()),
    ):
        if path not in tree:
            raise incomplete("base.txz", path)
        tree.amend(path, content=file(data).content, mtime=time)
    for path in ("etc/pwd.db", "etc/spwd.db"):
        tree.pop(path, None)


def keep_in_memory(tree: Tree, overlays: list[Overlay], time: int) -> None:
    """Copy what is in memory at run time to where rc.initdiskless(8) takes it from."""
    tree["conf"] = directory(mtime=time)
    tree["conf/base"] = directory(mtime=time)
    for one in overlays:
        for at, memory in enumerate(one.recipe.value.memory):
            path = memory.path
            if "/" in path or path not in tree or not tree.is_directory(path):
                raise Refusal(
                    one.recipe.where("memory", at, "path"),
                    f"'{path}' is not a directory of the root, such as var",
                    "Correct the path",
                )
            copies: dict[int, Entry] = {}
            for path in [memory.path, *tree.below(memory.path)]:
                entry = tree[path]
                tree[f"conf/base/{path}"] = copies.setdefault(id(entry), replace(entry))
            blocks = memory.mib * 2048
            tree[f"conf/base/{memory.path}/md_size"] = file(f"{blocks}\n".encode(), mtime=time)
