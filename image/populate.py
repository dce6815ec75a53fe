"""Turn members of a set into entries of a tree."""

from collections.abc import Sequence
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.accounts import Accounts
from image.archive import Member
from image.store import Unpacked
from image.tree import NOTHING, Content, Entry, Extent, Kind, Tree


def plant(tree: Tree, unpacked: Unpacked, accounts: Accounts, name: str) -> None:
    """Put the members of the set `name` into `tree`; `accounts` gives the numbers of their owners.

    Raises Refusal for an unknown owner, a hard link to a missing file, a path below something that
    is not a directory, and a path that the tree already has, unless both are directories.
    """
    uids: dict[str, int] = {}
    gids: dict[str, int] = {}
    for member in unpacked.members:
        path = member.path
        if member.link:
            if member.link not in tree or tree.is_directory(member.link):
                raise Refusal(
                    f"{name}: /{path}",
                    f"a hard link to /{member.link}, which does not come before it",
                    "Fetch the set again",
                )
            tree[path] = tree[member.link]
            continue
        try:
            if member.owner not in uids:
                uids[member.owner] = accounts.uid(member.owner)
            if member.group not in gids:
                gids[member.group] = accounts.gid(member.group)
        except KeyError as error:
            raise Refusal(
                f"{name}: /{path}",
                f"its owner or group {error.args[0]!r} is not in master.passwd and group of "
                f"the base",
                "Use a kernel and a base of one build",
            ) from error
        entry = entry_of(member, unpacked.contents, uids[member.owner], gids[member.group])
        if not path:
            tree.root = entry
            continue
        if path in tree and not (entry.kind is Kind.DIRECTORY and tree.is_directory(path)):
            raise Refusal(
                f"{name}: /{path}",
                "the file is in another set too",
                "Use a kernel and a base of one build",
            )
        tree[path] = entry


def entry_of(member: Member, contents: Path, uid: int, gid: int) -> Entry:
    """Return the entry of `member`, no hard link, with its content in the file `contents`."""
    content = NOTHING
    if member.size:
        content = Content(member.size, (Extent(0, member.size, contents, member.offset),))
    return Entry(
        member.kind,
        member.mode,
        uid,
        gid,
        member.flags,
        member.mtime,
        member.attributes,
        content,
        member.target,
    )


def read_accounts(parts: Sequence[Unpacked], name: str) -> Accounts:
    """Return the accounts of the base system `name`. Raises Refusal if it has none."""
    files = ("etc/master.passwd", "etc/group")
    return Accounts.parse(*(_read(parts, path, name) for path in files))


def _read(parts: Sequence[Unpacked], path: str, name: str) -> bytes:
    for part in parts:
        try:
            return part.read(path)
        except KeyError:
            continue
    raise incomplete(name, path)


def incomplete(what: str, path: str) -> Refusal:
    """Return the refusal of a base in which /`path` is missing."""
    return Refusal(
        what,
        f"/{path} is missing from the base system",
        "Use the base.txz and kernel.txz of one build",
    )
