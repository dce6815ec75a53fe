"""What somebody has read before packages may have it: ``overlays/packages.yaml``.

No script of a package ever runs, neither here nor on the box. Each is listed, by its hash, with
what it does and what the build or an overlay does instead. Users, groups and programs that change
their user are listed too: numbers of users are the same in every image, and no package brings
powers of its own.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.core.values import Mode
from image.accounts import LARGEST_ID, LOCKED, Accounts, Group, User
from image.packages.contents import Contents
from image.packages.manifest import Manifest

SET_ID = 0o6000
"""The mode bits with which a program runs as its owner or group."""


TRIGGER = re.compile(r"usr/(?:local/)?share/pkg/triggers/([^/]+\.ucl)")
"""Where packages have what pkg is to run after it installed any package (pkg-triggers(8))."""


class Id(int):
    """The number of a user or group."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"[1-9][0-9]{0,9}", text) or int(text) > LARGEST_ID:
            raise ValueError(f"a number from 1 to {LARGEST_ID}, as the ports tree assigns it")
        return cls(text)


class Words(str):
    """A field of master.passwd."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if ":" in text or not text.isprintable():
            raise ValueError("text without colons and control characters")
        return cls(text)


class Sample(str):
    """A path whose last part ends with `.sample`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"[^/].*[^/]\.sample", text):
            raise ValueError("a path such as usr/local/etc/tor/torrc.sample")
        return cls(text)

    @property
    def copy(self) -> str:
        """Where its copy goes."""
        return self.removesuffix(".sample")


@dataclass(frozen=True)
class ReviewedUser:
    """A user that a package may bring; nobody can log in as one."""

    uid: Id
    group: str
    gecos: Words
    home: Words = Words("/nonexistent")  # noqa: RUF009
    shell: Words = Words("/usr/sbin/nologin")  # noqa: RUF009


@dataclass(frozen=True)
class ReviewedScript:
    """A script that was read. `script` is its phase and language, ``post-install.sh``, or the
    name of a trigger, ``gschemas.ucl``.

    `sha256` is that of its text as pkg would run it. `samples` are the files that it copies to
    their names without `.sample`, which the build does too, unless an overlay has that file.
    """

    package: str
    script: str
    sha256: str
    reviewed: str
    instead: str
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class SetId:
    """A program that may run as its owner or group."""

    package: str
    path: str
    mode: Mode
    reason: str


@dataclass(frozen=True)
class Reviewed:
    """What `packages.yaml` says."""

    groups: dict[str, Id] = field(default_factory=dict)
    users: dict[str, ReviewedUser] = field(default_factory=dict)
    scripts: tuple[ReviewedScript, ...] = ()
    setuid: tuple[SetId, ...] = ()


NOTHING = Document("packages.yaml", Reviewed(), {})


@dataclass(frozen=True, slots=True)
class Script:
    """A script of a package, `name` as in `ReviewedScript`."""

    package: str
    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()

    def __str__(self) -> str:
        """For a terminal: whole, and nothing in it acts."""
        lines = (_shown(line) for line in self.text.split("\n"))
        return "".join(f"    {line}\n" for line in lines)


def load(path: Path) -> Document[Reviewed]:
    """Read the file at `path`. Raises Refusal."""
    reviewed = document.load(path, Reviewed)
    for name, user in reviewed.value.users.items():
        if user.group not in reviewed.value.groups:
            raise Refusal(
                reviewed.where("users", name, "group"),
                f"the group '{user.group}' is not in 'groups'",
                "Add the group with the number that the ports tree gives it",
            )
    return reviewed


def scripts(contents: Contents) -> Iterator[Script]:
    """All scripts of a package, in the order in which pkg would run them: its triggers, which are
    files that pkg finds when it has installed all packages, last."""
    manifest = contents.manifest
    name = manifest.package.name
    for phase, text in manifest.scripts.items():
        yield Script(name, f"{phase}.sh", text)
    for phase, texts in manifest.lua_scripts.items():
        for text in texts:
            yield Script(name, f"{phase}.lua", text)
    for file in manifest.files:
        if trigger := TRIGGER.fullmatch(file.path):
            yield Script(
                name, trigger[1], contents.read(file.path).decode(errors="surrogateescape")
            )


def review(
    reviewed: Document[Reviewed], packages: Iterable[Contents]
) -> tuple[ReviewedScript, ...]:
    """What was said of each script of the packages. Raises Refusal if one was not reviewed, and
    then all of those are printed on standard error."""
    known = {(one.package, one.script, one.sha256): one for one in reviewed.value.scripts}
    found, unread = [], []
    for contents in packages:
        for script in scripts(contents):
            said = known.get((script.package, script.name, script.sha256))
            if said is None:
                unread.append((contents.name, script))
            else:
                found.append(said)
    for package, script in unread:
        print(f"{package}: {script.name}, SHA-256 {script.sha256}:\n{script}", file=sys.stderr)
    if unread:
        package, script = unread[0]
        more = f" (and {len(unread) - 1} more)" if len(unread) > 1 else ""
        raise Refusal(
            f"{package}: {script.name}",
            expected=f"a script that is listed in {reviewed.name}",
            found=f"one with the SHA-256 {script.sha256}, printed above{more}",
            remedy="read it, do what it does in an overlay, and list it",
        )
    return tuple(found)


def check_set_id(
    reviewed: Document[Reviewed], package: str, path: str, mode: int, where: str
) -> None:
    """Raises Refusal for a program of `package` that changes its user or group unasked."""
    if mode & SET_ID and not any(
        (one.package, one.path, one.mode) == (package, path, mode) for one in reviewed.value.setuid
    ):
        raise Refusal(
            where,
            f"the mode is {mode:04o}: the program would run as its owner or group, and "
            f"{reviewed.name} does not list it",
            "List it under 'setuid' with the reason, or do without the package",
        )


def add_accounts(
    reviewed: Document[Reviewed], manifests: Iterable[Manifest], accounts: Accounts
) -> Accounts:
    """`accounts` with the users and groups of the packages, locked. Those that base has stay as
    they are. Raises Refusal for one that was not reviewed, and for a number that is taken."""
    for manifest in manifests:
        package = manifest.package
        users = [name for name in package.users if name not in accounts.users]
        for name in users:
            if name not in reviewed.value.users:
                raise _unknown(reviewed, package.full_name, "user", name)
        primary = [reviewed.value.users[name].group for name in users]
        for name in dict.fromkeys((*package.groups, *primary)):
            if name not in accounts.groups:
                accounts = _add_group(reviewed, package.full_name, name, accounts)
        for name in users:
            accounts = _add_user(reviewed, name, accounts)
    return accounts


def _add_group(
    reviewed: Document[Reviewed], package: str, name: str, accounts: Accounts
) -> Accounts:
    if name not in reviewed.value.groups:
        raise _unknown(reviewed, package, "group", name)
    try:
        return accounts.with_group(Group(name, LOCKED, reviewed.value.groups[name], ()))
    except ValueError as error:
        raise _taken(reviewed.where("groups", name), error) from None


def _add_user(reviewed: Document[Reviewed], name: str, accounts: Accounts) -> Accounts:
    said = reviewed.value.users[name]
    gid = accounts.gid(said.group)
    user = User(name, LOCKED, said.uid, gid, "", 0, 0, said.gecos, said.home, said.shell)
    try:
        return accounts.with_user(user)
    except ValueError as error:
        raise _taken(reviewed.where("users", name), error) from None


def _unknown(reviewed: Document[Reviewed], package: str, what: str, name: str) -> Refusal:
    return Refusal(
        package,
        f"the {what} '{name}' is neither in the base nor in {reviewed.name}",
        "List it with the number that the ports tree gives it",
    )


def _taken(where: str, error: ValueError) -> Refusal:
    return Refusal(where, str(error), "Take the numbers that the ports tree assigns")


def _shown(line: str) -> str:
    return "".join(
        char
        if char.isprintable()
        else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in line.expandtabs()
    )
