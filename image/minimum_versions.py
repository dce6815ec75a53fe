"""The oldest versions of daemons that an image may have, each with the reason.

A build that would put an older one into an image is refused, unless the user accepts that version
by name. Versions are compared as pkg-version(8) does.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from image.packages import version


@dataclass(frozen=True, slots=True)
class Minimum:
    """The oldest version of a daemon. `name` is that of its package. `in_base` is the name of the
    same daemon in `image.sbom.base_software`, if the base system has it too."""

    name: str
    version: str
    reason: str
    in_base: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """Something that goes into an image: a package, or software of the base system."""

    name: str
    version: str
    from_base: bool = False


MINIMUM = (
    Minimum(
        "unbound",
        "1.25.1",
        "before 1.25.1 an answer may let others run code in the resolver (CVE-2026-33278)",
        in_base="Unbound",
    ),
    Minimum("tor", "0.4.9.12", "0.4.9.12 fixes CVE-2026-87724"),
)


def check(
    installed: Iterable[Installed],
    accepted: Collection[str] = (),
    minimum: Iterable[Minimum] = MINIMUM,
) -> None:
    """Raises Refusal, with all of them, if something in `installed` is older than its minimum.

    `accepted` are the versions that the user accepts, as ``tor=0.4.9.11``. Software of the base
    does not count where a package of the same daemon is installed, because then that one runs.
    """
    known = list(installed)
    packages = {one.name for one in known if not one.from_base}
    problems = []
    for least in minimum:
        for one in known:
            if one.name != (least.in_base if one.from_base else least.name):
                continue
            if one.from_base and least.name in packages:
                continue
            if not one.version or version.compare(one.version, least.version) >= 0:
                continue
            choice = f"{least.name}={one.version}"
            if choice in accepted:
                continue
            where = " of the base system" if one.from_base else ""
            problems.append((choice, f"{least.name} {one.version}{where} ({least.reason})"))
    if problems:
        raise Refusal(
            "versions with known holes",
            "; ".join(problem for _, problem in problems),
            "Take a repository or a base system with newer ones. To build with these on purpose, "
            "add " + " ".join(f"--accept-version {choice}" for choice, _ in problems),
        )
