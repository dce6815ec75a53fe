"""What an image says of itself: its version, its base, the site files that it knows.

It lies in the image as `PLACE`, beside the keys whose upgrades a box with this image takes.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PLACE = "usr/local/share/exitisp/release.json"
SIGNERS = "usr/local/share/exitisp/allowed_signers"
"""As ssh-keygen(1) has it, ALLOWED SIGNERS. An image without it takes no upgrades."""

PRINCIPAL = "exitisp-release"
NAMESPACE = "exitisp-upgrade"
"""Whose signatures count, and in which namespace (PROTOCOL.sshsig): one that the same key made of
anything else is none of an upgrade."""

VERSION = "0.1"
"""The version of this project: what an image is called that is not built as a release."""

LARGEST = 1 << 16


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
    def order(self) -> tuple[int, ...]:
        """Grows with the versions: (2026, 11) of 2026.11 and of 2026.11-rc1."""
        numbers = re.match(r"[0-9]+(\.[0-9]+)*", self.version)
        assert numbers is not None
        found = [int(one) for one in numbers[0].split(".")]
        while found and not found[-1]:
            found.pop()
        return tuple(found)


def render(stamp: Stamp) -> bytes:
    return (json.dumps(stamp.facts, indent=2) + "\n").encode()


def read(root: Path) -> Stamp | None:
    """That of the system whose root is the folder `root`; None if it has none."""
    try:
        with (root / PLACE).open("rb") as file:
            return Stamp.parse(json.loads(file.read(LARGEST)))
    except (OSError, ValueError, RecursionError):
        return None
