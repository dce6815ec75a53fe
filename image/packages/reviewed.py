"""What somebody has reviewed of packages: ``overlays/packages.yaml``.

No script of a package ever runs, neither here nor on the box. Most are understood by what they do
(see `image.packages.scripts`). The others are listed by their hash, with what they do and what the
build or an overlay does instead. The list also fixes the numbers of users and groups, and names
the programs that may run as their owner or group.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.core.values import Mode
from image.accounts import LARGEST_ID

SET_ID = 0o6000
"""The mode bits with which a program runs as its owner or group."""


NOLOGIN = "/usr/sbin/nologin"


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
    shell: Words = Words(NOLOGIN)  # noqa: RUF009


@dataclass(frozen=True)
class ReviewedScript:
    """A script that somebody has read; the review holds for every package with the same text.

    `package` and `script` say where it was read: `script` is its phase and language,
    ``post-install.sh``, or the name of a trigger, ``gschemas.ucl``. `sha256` is that of its text as
    pkg would run it. `samples` are the files that it copies to their names without `.sample`, which
    the build does too, unless an overlay has that file.
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
