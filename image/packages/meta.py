"""``meta.conf``: how a repository names its catalogues. UCL; source: libpkg's pkg_repo_meta.c.

This file is not signed, so it is trusted only for the names of files beside it.
"""

import re
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image.packages import ucl
from image.packages.manifest import quote

NAME = "meta.conf"

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_PACKINGS = ("tzst", "txz", "tbz", "tgz", "tar")


@dataclass(frozen=True, slots=True)
class Meta:
    """Names of the archives, without extension, and of their members; the defaults are pkg's.

    `packing` is the old extension of the archives; today it is ``pkg`` with any compression.
    """

    packing: str = "tzst"
    manifests: str = "packagesite.yaml"
    manifests_archive: str = "packagesite"
    data: str = "data"
    data_archive: str = "data"


def parse(data: bytes, where: str) -> Meta:
    """Read a ``meta.conf`` of version 1 or 2. Raises Refusal."""
    facts = ucl.parse(data, where)
    version = facts.get("version", "none")
    if version not in ("1", "2"):
        raise _refusal(where, f"version is {quote(version)}, not 1 or 2")
    packing = facts.get("packing_format", Meta().packing)
    if packing not in _PACKINGS:
        raise _refusal(
            where, f"packing_format is {quote(packing)}, not one of {', '.join(_PACKINGS)}"
        )
    for key in ("manifests", "manifests_archive", "data", "data_archive"):
        if key in facts and not _FILE.fullmatch(facts[key]):
            raise _refusal(where, f"{key} is {quote(facts[key])}, not the name of a file")
    usual = Meta()
    return Meta(
        packing,
        facts.get("manifests", usual.manifests),
        facts.get("manifests_archive", usual.manifests_archive),
        facts.get("data", usual.data),
        facts.get("data_archive", usual.data_archive),
    )


def _refusal(where: str, problem: str) -> Refusal:
    return Refusal(
        where,
        problem,
        "Use another repository, or a newer exitisp",
    )
