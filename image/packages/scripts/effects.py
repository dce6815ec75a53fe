"""What a script of a package does to a system."""

from dataclasses import dataclass


class NotUnderstood(Exception):
    """The script does something that has no name here; the text says what."""


@dataclass(frozen=True, slots=True)
class AddGroup:
    name: str
    gid: int


@dataclass(frozen=True, slots=True)
class AddUser:
    """The fields of master.passwd(5) that pw(8) is given."""

    name: str
    uid: int
    gid: int
    gecos: str
    home: str
    shell: str


@dataclass(frozen=True, slots=True)
class AddMember:
    """`user` becomes a member of `group`."""

    group: str
    user: str


@dataclass(frozen=True, slots=True)
class MakeHome:
    """A directory that belongs to a user, mode 0755. `path` is absolute."""

    path: str
    owner: str
    group: str


@dataclass(frozen=True, slots=True)
class CopySample:
    """The file `source` is copied to `target` unless that is there. Both are absolute paths."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class FindLibraries:
    """The run-time linker's list of libraries is made anew, as rc.d/ldconfig does at each boot."""


Effect = AddGroup | AddUser | AddMember | MakeHome | CopySample | FindLibraries
