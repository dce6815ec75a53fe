"""A base system as packages, chosen by what the mirror offers, and pinned by content like sets."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import lock
from image.base.packages import BasePackages
from image.base.sets import BaseSets
from image.base.source import BaseSource
from image.inputs import base_sets, pin_base
from image.release.gates import check_lock
from tests.image.base.pkgbase import packages
from tests.image.base.upstream import HASTY, INSTALLER, Upstream, status
from tests.image.packages.repository import Made, Signer, make_repository, usual_signer

RUNTIME = "FreeBSD-runtime-15.1.s20261101.pkg"


@pytest.fixture
def lock_path(tmp_path: Path, upstream: Upstream) -> Path:
    return upstream.write_lock(tmp_path / "lock.yaml")


def obtain(lock_path: Path, cache: Path) -> BaseSource:
    return base_sets.obtain(None, lock_path, cache, patience=HASTY)


def update(lock_path: Path, cache: Path) -> str:
    return pin_base.update(lock_path, cache, patience=HASTY)


def offer(
    upstream: Upstream, folder: Path, *signers: Signer, made: list[Made] | None = None
) -> None:
    made = packages() if made is None else made
    repository = make_repository(folder, made, signers=signers or None)
    upstream.server.files = {
        path: data for path, data in upstream.server.files.items() if "/pkgbase/" not in path
    }
    upstream.offer_packages(repository.folder)


def newer(version: str) -> list[Made]:
    """The base system as of another version."""
    return [
        Made(
            one.name,
            version,
            one.items,
            dict.fromkeys(one.deps, version),
            one.facts,
            one.full,
        )
        for one in packages()
    ]


def refused(lock_path: Path, cache: Path) -> str:
    """What `update` says no with; the lock must be what it was."""
    before = lock_path.read_bytes()
    with pytest.raises(Refusal) as refusal:
        update(lock_path, cache)
    assert lock_path.read_bytes() == before
    return str(refusal.value)


def test_sets_are_taken_where_there_are_any(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.publish(3)
    offer(upstream, tmp_path / "repository")
    assert isinstance(obtain(lock_path, cache), BaseSets)
    assert lock.load(lock_path).base.packages.pins is None


def test_packages_are_pinned_where_there_are_no_builds(
    lock_path: Path,
    cache: Path,
    upstream: Upstream,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    offer(upstream, tmp_path / "repository")
    base = obtain(lock_path, cache)
    assert isinstance(base, BasePackages)
    told = capsys.readouterr().err
    key = usual_signer().fingerprint
    assert "has no builds; taking the base system as packages" in told
    assert f"signed by {key}, seen for the first time" in told
    read = lock.load(lock_path).base
    assert (read.pin, read.key, read.packages.key) == (None, None, key)
    assert [one.name for one in read.packages.pins or ()] == [
        one.listed.package.name for one in base.packages
    ]
    assert base.kernel == "FreeBSD-kernel-generic"
    assert {one.provenance for one in base.archives} == {
        f"signed by {key}, as a part of its catalogue"
    }
    assert "still the newest" in update(lock_path, cache)


def test_what_is_pinned_is_taken_from_the_cache_and_from_nowhere_else(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "repository")
    first = obtain(lock_path, cache)
    upstream.publish(3)
    upstream.server.requests.clear()
    again = obtain(lock_path, cache)
    assert again.archives == first.archives
    assert upstream.server.requests == []


def test_a_pinned_package_that_is_altered_is_refused(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "repository")
    obtain(lock_path, cache)
    for kept in (cache / "packages").glob("FreeBSD-runtime-*"):
        kept.unlink()
    (path,) = (name for name in upstream.server.files if name.endswith(RUNTIME))
    upstream.server.files[path] = upstream.server.files[path][:-1] + b"x"
    with pytest.raises(Refusal, match=r"the checksum is .*, but the lock file says"):
        obtain(lock_path, cache)
    del upstream.server.files[path]
    with pytest.raises(Refusal, match=r"no package FreeBSD-runtime.*lock --update"):
        obtain(lock_path, cache)


def test_an_update_goes_to_the_newest_and_never_back(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "old")
    update(lock_path, cache)
    offer(upstream, tmp_path / "new", made=newer("15.1.s20261201"))
    assert "FreeBSD-set-base 15.1.s20261201 is pinned, 8 packages (before: 8)" in update(
        lock_path, cache
    )
    offer(upstream, tmp_path / "old")
    assert "15.1.s20261101 is older than the pinned version 15.1.s20261201" in refused(
        lock_path, cache
    )


def test_another_key_is_refused(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "own")
    update(lock_path, cache)
    offer(upstream, tmp_path / "other", Signer.rsa())
    assert "which is not trusted; trusted: " + usual_signer().fingerprint in refused(
        lock_path, cache
    )


def test_pins_without_their_key_are_refused(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "own")
    update(lock_path, cache)
    text = lock_path.read_text()
    lock_path.write_text(text.replace(f"    key: {usual_signer().fingerprint}\n", "    key:\n"))
    with pytest.raises(Refusal, match=r"lock\.yaml:\d+.*the fingerprint of the repository's key"):
        obtain(lock_path, cache)


def test_where_nothing_is_offered_the_builds_are_missed(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    assert "the listing has no folder build-N" in refused(lock_path, cache)


def test_a_mirror_that_does_not_answer_is_not_an_empty_one(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "repository")
    upstream.misbehave(INSTALLER, *[status(503)] * 8)
    assert "503" in refused(lock_path, cache)


def test_a_key_of_sets_is_not_accepted_for_packages(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "repository")
    update(lock_path, cache)
    with pytest.raises(Refusal, match="--accept-key: the base system is pinned as packages"):
        pin_base.update(lock_path, cache, accept_key="SHA256:x", patience=HASTY)


def test_a_release_may_have_a_base_of_pinned_packages(
    lock_path: Path, cache: Path, upstream: Upstream, tmp_path: Path
) -> None:
    offer(upstream, tmp_path / "repository")
    with pytest.raises(Refusal, match="it pins no base system"):
        check_lock(lock_path)
    update(lock_path, cache)
    with pytest.raises(Refusal, match="it pins no packages"):
        check_lock(lock_path)
