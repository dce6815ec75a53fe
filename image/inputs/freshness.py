"""Nothing older than what was seen before, unless somebody says why.

Whoever controls a mirror cannot make what a builder signed, but can offer an old build under a new
number, the kernel of one build with the base of another, or last year's catalogue. What is signed
tells when it was made, and the lock file has the newest that was seen.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from operator import attrgetter

from firstboot.core.refusal import Refusal
from image.base import build_identity
from image.base.mirror import Brought, Offer
from image.base.sets import SET_FILES
from image.lock import PackagePin, Pin
from image.packages import version
from image.packages.catalogue import Catalogue
from image.seen import Reason, SeenBase, SeenCatalogue, Time

APART = 24 * 3600
"""Seconds between base and kernel of one build, at most. HardenedBSD's servers make both in one
run, of some hours."""

_BUILT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", re.ASCII)

_BACK = "Keep what is pinned. To go back on purpose: ./exitisp lock --update --allow-older REASON"


def check_number(pin: Pin | None, offer: Offer, allowed: Reason | None) -> None:
    """Raise Refusal for a mirror whose newest build has a lower number than the pinned one."""
    if pin and offer.build < pin.build:
        _refuse_older(
            str(offer.folder),
            f"the newest build is build-{offer.build}, older than the pinned build-{pin.build}",
            allowed,
        )


def check_sets(
    seen: SeenBase | None, offer: Offer, base: Brought, kernel: Brought, allowed: Reason | None
) -> SeenBase:
    """Return what is the newest now that `offer` has these sets, which are verified.

    Raises Refusal for sets of different builds, and for those that are older than `seen` unless
    that is `allowed`.
    """
    ours, theirs = build_identity.of_sets(base, kernel)
    if not offer.signed_together and abs(ours.built - theirs.built) > APART:
        raise Refusal(
            str(offer.folder),
            f"base and kernel are of different builds: the base was built {Time.of(ours.built)}, "
            f"the kernel {Time.of(theirs.built)}, and no signature is over both",
            "Do not use it. Try again later, or use another mirror",
        )
    found = SeenBase(ours.release, ours.number, Time.of(ours.built), Time.of(theirs.built))
    if seen is None:
        return found
    older = None
    for file, fact, now, before in (
        (SET_FILES[0], "its number is", found.number, seen.number),
        (SET_FILES[0], "it was built", found.base, seen.base),
        (SET_FILES[1], "it was built", found.kernel, seen.kernel),
    ):
        if now < before:  # type: ignore[operator]
            _refuse_older(
                f"{offer.folder}{file}",
                f"{fact} {now}, but the lock file has seen {before}: an older build under the "
                f"number {offer.build}",
                allowed,
            )
            older = allowed
    return SeenBase(found.release, found.number, found.base, found.kernel, older)


def check_catalogue(
    pins: Sequence[PackagePin],
    seen: SeenCatalogue | None,
    catalogue: Catalogue,
    where: str,
    allowed: Reason | None,
) -> SeenCatalogue:
    """Return what is the newest now that the repository `where` has this catalogue.

    Raises Refusal for a catalogue that is older than `seen`, that lacks a pinned package, or has
    it in an older version only, unless that is `allowed`. Standard error lists such packages.
    """
    older = None
    built = newest(catalogue)
    if seen and seen.built and (built is None or built < seen.built):
        said = f"of {built}" if built else "without a date"
        _refuse_older(
            where,
            f"the catalogue is {said}, but the lock file has seen one of {seen.built}",
            allowed,
        )
        older = allowed
    worse = list(_worse(pins, catalogue))
    if worse:
        for line, _ in worse:
            print(line, file=sys.stderr)
        more = f", and {len(worse) - 1} more are gone or older" if worse[1:] else ""
        _refuse_older(where, f"{worse[0][1]}{more}", allowed)
        older = allowed
    return SeenCatalogue(built, older)


def newest(catalogue: Catalogue) -> Time | None:
    """Return when the youngest package of a catalogue was built; None if no package tells.

    Poudriere writes the annotation ``build_timestamp``, such as 2026-09-10T10:38:51+0000, into each
    package, and so into the catalogue, which is signed.
    """
    said = (one.package.annotations.get("build_timestamp", "") for one in catalogue.listed)
    times = [int(seconds) for text in said if (seconds := _seconds(text)) is not None]
    return Time.of(max(times)) if times else None


def _seconds(text: str) -> float | None:
    if not _BUILT.fullmatch(text):
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None


def _worse(pins: Sequence[PackagePin], catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Yield for each pinned package that is gone or older now: a line of a table, a sentence."""
    for pin in sorted(pins, key=attrgetter("name")):
        offered = [one.package.version for one in catalogue.by_name(pin.name)]
        if not offered:
            line = f"  gone      {pin.name} {pin.version}"
            yield line, f"{pin.name}, pinned in version {pin.version}, is gone"
            continue
        best = max(offered, key=version.key)
        if version.compare(best, pin.version) < 0:
            line = f"  older     {pin.name} {pin.version} -> {best}"
            yield line, f"{pin.name} {best} is older than the pinned version {pin.version}"


def _refuse_older(where: str, problem: str, allowed: Reason | None) -> None:
    if allowed is None:
        raise Refusal(where, problem, _BACK)
    print(f"{where}: {problem}. Taken all the same: {allowed}", file=sys.stderr)
