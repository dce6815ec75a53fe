"""The root tree of a slot, from the sets and the overlays."""

from dataclasses import replace

from firstboot.refusal import Refusal
from image import overlay
from image.accounts import Accounts
from image.layout import SLOT_MIB
from image.overlay import Overlay
from image.plant import plant
from image.store import Unpacked
from image.tree import Entry, Tree, directory, file

ELF_64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
FREEBSD_ABI = 9
X86_64 = 62
"""elf(5): EI_OSABI, e_machine."""

DATABASES = {"etc/login.conf": "etc/login.conf.db", "etc/services": "var/db/services.db"}
"""What cap_mkdb(1) and services_mkdb(8) made of a text of the base. Nothing on the target makes
them anew, and the C library reads the text where there is no database: so a database goes when
its text is replaced."""


def make_tree(base: Unpacked, kernel: Unpacked, overlays: list[Overlay], time: int) -> Tree:
    """The root tree of a slot."""
    tree = Tree()
    accounts = read_accounts(base)
    plant(tree, base, accounts, "base.txz")
    plant(tree, kernel, accounts, "kernel.txz")
    for path in ("boot/kernel/kernel", "libexec/ld-elf.so.1"):
        check_machine(tree, path)
    texts = {text: tree.get(text) for text in DATABASES}
    overlay.apply(overlays, tree, accounts, time)
    for text, entry in texts.items():
        if tree.get(text) is not entry:
            tree.pop(DATABASES[text], None)
    lock_accounts(tree, accounts, overlays, time)
    keep_in_memory(tree, overlays, time)
    if tree.content_size > SLOT_MIB << 20:
        raise too_large(f"files of {tree.content_size >> 20} MiB")
    return tree


def too_large(found: str) -> Refusal:
    return Refusal(
        "the root tree",
        expected=f"one that fits a slot of {SLOT_MIB} MiB",
        found=found,
        remedy="drop more of the base in an overlay.yaml",
    )


def read_accounts(base: Unpacked) -> Accounts:
    try:
        return Accounts.parse(base.read("etc/master.passwd"), base.read("etc/group"))
    except KeyError as error:
        raise incomplete("base.txz", error.args[0]) from error


def check_machine(tree: Tree, path: str) -> None:
    """Raises Refusal unless `path` is a program for FreeBSD on amd64."""
    if path not in tree:
        raise incomplete("the base sets", path)
    head = read_head(tree[path], 20).ljust(20, b"\0")
    abi, machine = head[7], int.from_bytes(head[18:20], "little")
    if not head.startswith(ELF_64_LITTLE_ENDIAN) or (abi, machine) != (FREEBSD_ABI, X86_64):
        raise Refusal(
            f"/{path}",
            expected=f"a program for FreeBSD on amd64 (ELF, 64 bit, machine {X86_64}, "
            f"ABI {FREEBSD_ABI})",
            found=f"machine {machine}, ABI {abi}" if head[:4] == b"\x7fELF" else "no ELF file",
            remedy="use the sets of the amd64 architecture",
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
                    expected="a user of the base's etc/master.passwd",
                    found=f"'{name}'",
                    remedy="correct the name",
                ) from None
    if open_accounts := accounts.without_password():
        raise Refusal(
            "etc/master.passwd",
            expected="no account without a password",
            found=", ".join(open_accounts),
            remedy="add them to 'lock' in an overlay.yaml",
        )
    for path, data in (
        ("etc/master.passwd", accounts.master_passwd()),
        ("etc/passwd", accounts.passwd()),
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
                    expected="a directory of the root, such as var",
                    found=f"'{path}'",
                    remedy="correct the path",
                )
            copies: dict[int, Entry] = {}
            for path in [memory.path, *tree.below(memory.path)]:
                entry = tree[path]
                tree[f"conf/base/{path}"] = copies.setdefault(id(entry), replace(entry))
            blocks = memory.mib * 2048
            tree[f"conf/base/{memory.path}/md_size"] = file(f"{blocks}\n".encode(), mtime=time)


def incomplete(what: str, path: str) -> Refusal:
    """The refusal of a base in which /`path` is missing."""
    return Refusal(
        what,
        expected=f"a base system with /{path}",
        found="none",
        remedy="use the base.txz and kernel.txz of one build",
    )
