"""What an image says of itself: its version, its base, the site files that it knows.

It lies in the image as `PLACE`, beside the keys whose upgrades a box with this image takes.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import RELEASE_STAMP

PLACE = "usr/local/share/exitisp/release.json"
SIGNERS = "usr/local/share/exitisp/allowed_signers"
"""As ssh-keygen(1) has it, ALLOWED SIGNERS. An image without it takes no upgrades."""

PRINCIPAL = "exitisp-release"
NAMESPACE = "exitisp-upgrade"
"""Whose signatures count, and in which namespace (PROTOCOL.sshsig): one that the same key made of
anything else is none of an upgrade."""


def allowed_signers(keys: Iterable[str]) -> bytes:
    """What is at SIGNERS in an image that takes upgrades signed by `keys` (OpenSSH)."""
    return "".join(f'{PRINCIPAL} namespaces="{NAMESPACE}" {key}\n' for key in keys).encode()


VERSION = "0.1"
"""The version of this project: what an image is called that is not built as a release."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """`base` is a system and its version, as in `FreeBSD 15.1-STABLE`; `schema` the newest version
    of the site file that the program in the image knows."""

    version: str
    base: str
    schema: int
    commit: str = ""
    """The commit of this project that the image is made of; empty if nobody said so."""

    @classmethod
    def parse(cls, told: Any) -> "Stamp":
        """From decoded JSON. Raises ValueError."""
        match told:
            case {"version": str(version), "base": str(base), "schema": int(schema)}:
                if re.fullmatch(r"[0-9][A-Za-z0-9._+-]{0,30}", version) and base.isprintable():
                    commit = told.get("commit", "")
                    known = (
                        re.fullmatch("[0-9a-f]{7,64}", commit) if isinstance(commit, str) else ""
                    )
                    return cls(version, base, schema, commit if known else "")
        raise ValueError(f"{told!r:.80} is no version, base and schema")

    @property
    def facts(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def system(self) -> str:
        """The base without its version."""
        return self.base.partition(" ")[0]

    @property
    def order(self) -> "Order":
        """Grows with the versions, see `order`."""
        return order(self.version)


Order = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]
"""Numbers, whether it is the release itself, and the words of a pre-release."""


def order(version: str) -> Order:
    """What versions are compared by.

    First the numbers that it begins with, from the left; zeros at their end do not count. Then a
    pre-release, which has more after them, is older than its release: 2026.11-rc1 < 2026.11. Words
    and numbers of two pre-releases are compared from the left, numbers as numbers: alpha < beta <
    rc1 < rc2 < rc10; a number is older than a word, and what ends earlier is older. What comes
    after a plus does not count.
    """
    whole = version.partition("+")[0]
    begin = re.match(r"[0-9]+(\.[0-9]+)*", whole)
    assert begin is not None
    numbers = [int(one) for one in begin[0].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    rest = whole[begin.end() :]
    words = tuple(
        (one.isalpha(), 0 if one.isalpha() else int(one), one if one.isalpha() else "")
        for one in re.findall("[0-9]+|[A-Za-z]+", rest)
    )
    return tuple(numbers), not rest, words


def render(stamp: Stamp) -> bytes:
    return (json.dumps(stamp.facts, indent=2) + "\n").encode()


def read(root: Path) -> Stamp | None:
    """That of the system whose root is the folder `root`; None if it has none."""
    try:
        with (root / PLACE).open("rb") as file:
            return Stamp.parse(bounded_json.read(file.read(RELEASE_STAMP.size), RELEASE_STAMP))
    except (OSError, ValueError):
        return None
