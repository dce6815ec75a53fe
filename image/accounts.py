"""The accounts of the tree: its own master.passwd and group, never the build host's.

Sources: passwd(5), group(5). The target looks users up in `pwd.db` and `spwd.db`, which only
pwd_mkdb(8) writes; nothing rebuilds them at a normal boot. Stale ones would keep an old password
alive, so the image has none: `rc.d/exitisp_accounts` makes them at every boot from the
master.passwd that is then in /etc, before anything asks for a user.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from firstboot.core.refusal import Refusal

LOCKED = "*"
"""A hash that no password has."""

LARGEST_ID = 0xFFFFFFFF
"""The largest uid or gid: file systems keep them in 32 bits."""


@dataclass(frozen=True, slots=True)
class User:
    """A line of master.passwd; times are in seconds since 1970, 0 for never."""

    name: str
    password: str
    uid: int
    gid: int
    login_class: str
    change: int
    expire: int
    gecos: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class Group:
    """A line of group."""

    name: str
    password: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accounts:
    """All users and groups by name, in the order of the files."""

    users: dict[str, User]
    groups: dict[str, Group]

    @classmethod
    def parse(cls, master: bytes, group: bytes) -> "Accounts":
        """Read master.passwd and group. Raises Refusal with the line."""
        users = {}
        for where, fields in _lines(master, "etc/master.passwd", 10):
            name, password, uid, gid, login_class, change, expire, gecos, home, shell = fields
            users[name] = User(
                name,
                password,
                _number(where, uid),
                _number(where, gid),
                login_class,
                _number(where, change or "0"),
                _number(where, expire or "0"),
                gecos,
                home,
                shell,
            )
        groups = {}
        for where, (name, password, gid, members) in _lines(group, "etc/group", 4):
            people = tuple(filter(None, members.split(",")))
            groups[name] = Group(name, password, _number(where, gid), people)
        return cls(users, groups)

    def uid(self, name: str) -> int:
        """Return the uid of a user given by name or number. Raises KeyError."""
        return _id(name) if name.isdecimal() else self.users[name].uid

    def gid(self, name: str) -> int:
        """Return the gid of a group given by name or number. Raises KeyError."""
        return _id(name) if name.isdecimal() else self.groups[name].gid

    def lock(self, name: str) -> "Accounts":
        """Return the same accounts with the password of `name` locked. Raises KeyError."""
        users = self.users | {name: replace(self.users[name], password=LOCKED)}
        return replace(self, users=users)

    def with_group(self, group: Group) -> "Accounts":
        """Add `group`. Raises ValueError if its name or number is taken."""
        for other in self.groups.values():
            if other.name == group.name or other.gid == group.gid:
                raise ValueError(
                    f"the group {other.name} has that name or number ({other.gid}) already"
                )
        return replace(self, groups={**self.groups, group.name: group})

    def with_user(self, user: User) -> "Accounts":
        """Add `user`. Raises ValueError if its name or number is taken."""
        for other in self.users.values():
            if other.name == user.name or other.uid == user.uid:
                raise ValueError(
                    f"the user {other.name} has that name or number ({other.uid}) already"
                )
        return replace(self, users={**self.users, user.name: user})

    def without_password(self) -> list[str]:
        """Return the names of the users who could log in without a password."""
        return [user.name for user in self.users.values() if not user.password]

    def master_passwd(self) -> bytes:
        return _text(
            f"{u.name}:{u.password}:{u.uid}:{u.gid}:{u.login_class}:{u.change}:{u.expire}:"
            f"{u.gecos}:{u.home}:{u.shell}"
            for u in self.users.values()
        )

    def group(self) -> bytes:
        return _text(
            f"{one.name}:{one.password}:{one.gid}:{','.join(one.members)}"
            for one in self.groups.values()
        )

    def passwd(self) -> bytes:
        """Return passwd as pwd_mkdb(8) -p makes it: without hashes, classes and times."""
        return _text(
            f"{u.name}:*:{u.uid}:{u.gid}:{u.gecos}:{u.home}:{u.shell}" for u in self.users.values()
        )


def _text(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _lines(data: bytes, name: str, count: int) -> list[tuple[str, list[str]]]:
    found = []
    for number, line in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        fields = line.split(":")
        if len(fields) != count:
            raise Refusal(
                f"{name}:{number}",
                f"{len(fields)} fields instead of {count}, separated by colons",
                "Correct the line or use another base set",
            )
        found.append((f"{name}:{number}", fields))
    return found


def _id(text: str) -> int:
    """Return an id. Raises KeyError if it has more than the 32 bits of file systems."""
    if len(text) > 10 or int(text) > LARGEST_ID:
        raise KeyError(text)
    return int(text)


def _number(where: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > LARGEST_ID:
        raise Refusal(
            where,
            f"{text!r} is not a number from 0 to {LARGEST_ID}",
            "Correct the line or use another base set",
        )
    return int(text)
