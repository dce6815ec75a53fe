"""A mirror that offers what was signed once as if it were new: at the base, the kernel, and the
catalogue of packages."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import lock
from image.inputs import pin_base, pin_packages
from image.inputs.freshness import newest
from image.overlay import Overlay
from image.packages.catalogue import Catalogue
from image.seen import Reason, Time
from tests.image.base.upstream import BUILT, DAY, HASTY, Upstream, base_set, kernel_set
from tests.image.packages.asking import asking, base_system, write_lock
from tests.image.packages.repository import Made, make_repository, usual_signer
from tests.image.packages.serving import Server

WEEK = 7 * DAY
OLD, OLD_KERNEL = base_set(BUILT - WEEK), kernel_set(BUILT - WEEK)
EACH = ("base.txz", "kernel.txz")
"""The sets are signed, each alone; their MANIFEST is not."""

WHY = Reason("the newest build does not boot")


@pytest.fixture
def pinned(tmp_path: Path, cache: Path, upstream: Upstream) -> Path:
    """A lock file with build-5 pinned, and the sets in the cache."""
    path = upstream.write_lock(tmp_path / "lock.yaml")
    upstream.publish(5)
    pin_base.update(path, cache, patience=HASTY)
    return path


def update(path: Path, cache: Path, allow_older: Reason | None = None) -> str:
    return pin_base.update(path, cache, allow_older=allow_older, patience=HASTY)


def refused(path: Path, cache: Path) -> str:
    """What the update says no with; it leaves lock and cache as they were."""
    before = path.read_bytes(), {one: one.read_bytes() for one in cache.iterdir()}
    with pytest.raises(Refusal) as refusal:
        update(path, cache)
    assert (path.read_bytes(), {one: one.read_bytes() for one in cache.iterdir()}) == before
    return str(refusal.value)


def test_the_lock_keeps_which_build_is_the_newest_by_what_is_inside_of_the_sets(
    pinned: Path,
) -> None:
    seen = lock.load(pinned).base.seen
    assert seen
    assert (seen.release, seen.number) == ("15.1-STABLE", 1501501)
    assert seen.base == seen.kernel == Time.of(BUILT) == "2026-09-21T14:13:20Z"
    assert seen.older is None


def test_an_old_signed_base_under_a_new_number_is_refused(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(6, base=OLD, kernel=OLD_KERNEL)
    said = refused(pinned, cache)
    assert "build-6/base.txz: it was built 2026-09-14T14:13:20Z" in said
    assert "has seen 2026-09-21T14:13:20Z: an older build under the number 6" in said
    assert "--allow-older REASON" in said


def test_a_base_with_a_lower_number_of_the_system_is_refused(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    later = BUILT + DAY
    upstream.publish(6, base=base_set(later, 1501500), kernel=kernel_set(later, 1501500))
    assert "its number is 1501500, but the lock file has seen 1501501" in refused(pinned, cache)


def test_the_kernel_of_an_old_build_beside_a_new_base_is_refused(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(6, base=base_set(BUILT + WEEK), kernel=OLD_KERNEL, signed=EACH)
    assert "base and kernel are of different builds: the base was built" in refused(pinned, cache)


def test_an_old_kernel_is_refused_even_where_the_base_was_built_on_the_same_day(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(6, base=base_set(BUILT + 60), kernel=kernel_set(BUILT - 60), signed=EACH)
    assert "build-6/kernel.txz: it was built 2026-09-21T14:12:20Z" in refused(pinned, cache)


@pytest.mark.parametrize(
    "kernel",
    [kernel_set(BUILT + DAY, 1501502), kernel_set(BUILT + DAY, release="15.2-STABLE")],
    ids=["number", "release"],
)
def test_base_and_kernel_of_different_systems_are_refused_whoever_signed_them_together(
    pinned: Path, cache: Path, upstream: Upstream, kernel: bytes
) -> None:
    upstream.publish(6, base=base_set(BUILT + DAY), kernel=kernel)
    said = refused(pinned, cache)
    assert "of different builds: the base is 15.1-STABLE (1501501), the kernel 15." in said


def test_a_patch_level_of_the_base_alone_is_no_other_build(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    later = BUILT + DAY
    upstream.publish(6, base=base_set(later, release="15.1-STABLE-p2"), kernel=kernel_set(later))
    assert "15.1-STABLE-p2 (1501501), built 2026-09-22T14:13:20Z" in update(pinned, cache)


def test_emptying_the_pin_does_not_forget_what_was_seen(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    read = lock.load(pinned)
    lock.write(pinned, replace(read, base=replace(read.base, pin=None)))
    upstream.publish(6, base=OLD, kernel=OLD_KERNEL)
    assert "an older build under the number 6" in refused(pinned, cache)


def test_an_older_build_is_pinned_for_a_reason_which_the_lock_keeps_until_a_newer_one_comes(
    pinned: Path, cache: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.publish(6, base=OLD, kernel=OLD_KERNEL)
    update(pinned, cache, WHY)
    seen = lock.load(pinned).base.seen
    assert seen
    assert (seen.base, seen.older) == (Time.of(BUILT - WEEK), WHY)
    assert f"Taken all the same: {WHY}" in capsys.readouterr().err
    assert update(pinned, cache).endswith("nothing changed")
    upstream.publish(7, base=base_set(BUILT + DAY), kernel=kernel_set(BUILT + DAY))
    update(pinned, cache)
    seen = lock.load(pinned).base.seen
    assert seen
    assert seen.older is None


@pytest.mark.parametrize(
    ("base", "complaint"),
    [
        (b"not even an archive", "not a whole tar archive compressed with xz"),
        (kernel_set(BUILT + DAY), "has no /bin/freebsd-version, so it does not tell which build"),
        (base_set(BUILT + DAY, release="15.1 STABLE"), "names no release"),
    ],
    ids=["damaged", "another", "silent"],
)
def test_a_base_that_does_not_tell_which_build_it_is_is_refused(
    pinned: Path, cache: Path, upstream: Upstream, base: bytes, complaint: str
) -> None:
    upstream.publish(6, base=base)
    assert complaint in refused(pinned, cache)


# Catalogues


def dated(name: str, built: str, version: str = "1.0") -> Made:
    return Made(name, version, facts={"annotations": {"build_timestamp": built}})


TOR, NYX = dated("tor", "2026-09-20T10:00:00+0000"), dated("nyx", "2026-09-20T12:00:00+0200")
LATER = "2026-09-27T10:00:00+0000"


class Packages:
    """A server with a repository, a lock file that pins packages of it, and an overlay."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder, self.server = folder, server
        self.base = base_system(usual_signer())
        self.overlays: list[Overlay] = [asking(folder / "overlays" / "tor", "{name: tor}")]
        self.lock = write_lock(folder / "lock.yaml", server.template)

    def publish(self, *packages: Made) -> None:
        number = len(list(self.folder.glob("repository*")))
        self.server.offer(make_repository(self.folder / f"repository{number}", packages).folder)

    def update(self, allow_older: Reason | None = None) -> str:
        cache = self.folder / "cache"
        return pin_packages.pin_newest(
            self.lock, self.overlays, self.base, cache, HASTY, allow_older
        )

    def refused(self) -> str:
        before = self.lock.read_bytes()
        with pytest.raises(Refusal) as refusal:
            self.update()
        assert self.lock.read_bytes() == before
        return str(refusal.value)


@pytest.fixture
def packages(tmp_path: Path, server: Server) -> Packages:
    packages = Packages(tmp_path, server)
    packages.publish(TOR, NYX)
    packages.update()
    return packages


def test_the_date_of_a_catalogue_is_that_of_its_youngest_package(packages: Packages) -> None:
    seen = lock.load(packages.lock).packages.seen
    assert seen
    assert seen.built == "2026-09-20T10:00:00Z"


def test_a_catalogue_without_dates_has_none() -> None:
    assert newest(Catalogue(())) is None


def test_an_old_signed_catalogue_is_refused_although_no_pinned_package_is_older(
    packages: Packages,
) -> None:
    packages.publish(TOR, dated("nyx", LATER))
    packages.update()
    packages.publish(TOR, NYX)
    said = packages.refused()
    assert "the catalogue is of 2026-09-20T10:00:00Z, but the lock file has seen one of" in said
    packages.update(WHY)
    seen = lock.load(packages.lock).packages.seen
    assert seen
    assert (seen.built, seen.older) == ("2026-09-20T10:00:00Z", WHY)


def test_a_catalogue_that_has_lost_its_dates_is_refused(packages: Packages) -> None:
    packages.publish(Made("tor"), Made("nyx"))
    assert "the catalogue is without a date" in packages.refused()


def test_a_catalogue_that_has_lost_packages_or_lowered_versions_is_refused_with_a_list(
    packages: Packages, capsys: pytest.CaptureFixture[str]
) -> None:
    packages.overlays = [
        asking(packages.folder / "overlays" / "more", "{name: tor}", "{name: nyx}")
    ]
    packages.update()
    packages.overlays = [asking(packages.folder / "overlays" / "less", "{name: tor}")]
    packages.publish(dated("tor", LATER, "0.9"))
    capsys.readouterr()
    said = packages.refused()
    assert "nyx, pinned in version 1.0, is gone, and 1 more are gone or older" in said
    told = re.findall(r"(?m)^  (gone|older) +(.*)$", capsys.readouterr().err)
    assert told == [("gone", "nyx 1.0"), ("older", "tor 1.0 -> 0.9")]
    packages.update(WHY)
    read = lock.load(packages.lock).packages
    assert [(one.name, one.version) for one in read.pins or ()] == [("tor", "0.9")]
    assert read.seen
    assert read.seen.older == WHY


@pytest.mark.parametrize("reason", ["", "  ", "a\nb", 'a "b"', "x" * 201])
def test_a_reason_is_one_line_that_a_file_can_keep(reason: str) -> None:
    with pytest.raises(ValueError, match="a reason"):
        Reason.parse(reason)
