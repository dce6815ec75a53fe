import fcntl
import os
import re
import socket
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import lock, progress
from image.base.sets import BaseSets, Trust
from image.download.cache import cache_folder
from image.inputs import base_sets, pin_base
from tests.image.base.upstream import (
    BASE,
    BUILT,
    HASTY,
    KERNEL,
    Keys,
    Upstream,
    base_set,
    drop_after,
    instead,
    manifest_of,
    status,
)

NEWER = base_set(BUILT + 3600)
"""Of a build an hour later."""


@pytest.fixture
def lock_path(tmp_path: Path, upstream: Upstream) -> Path:
    return upstream.write_lock(tmp_path / "lock.yaml")


def obtain(lock_path: Path, cache: Path, sets: Path | None = None) -> BaseSets:
    found = base_sets.obtain(sets, lock_path, cache, patience=HASTY)
    assert isinstance(found, BaseSets)
    return found


def update(lock_path: Path, cache: Path, accept_key: str | None = None) -> str:
    return pin_base.update(lock_path, cache, accept_key=accept_key, patience=HASTY)


def refused(lock_path: Path, cache: Path, accept_key: str | None = None) -> str:
    """What `update` says no with; the lock must be what it was."""
    before = lock_path.read_bytes()
    with pytest.raises(Refusal) as refusal:
        update(lock_path, cache, accept_key)
    assert lock_path.read_bytes() == before
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


# The first build


def test_the_first_build_pins_the_newest_and_says_so(
    lock_path: Path, cache: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.publish(3)
    upstream.publish(12)
    sets = obtain(lock_path, cache)
    base = lock.load(lock_path).base
    assert base.key == upstream.keys.public
    assert base.pin
    assert base.pin.build == sets.build == 12
    assert base.pin.sets["base.txz"].size == len(BASE)
    assert sets.base.provenance == f"signed by {upstream.keys.public.fingerprint}"
    with sets.base.open() as file:
        assert file.read() == BASE
    told = capsys.readouterr().err
    assert "pins no base system yet" in told
    assert f"{upstream.keys.public.fingerprint}, seen for the first time" in told


def test_the_cache_is_a_folder_as_sets_takes_it_with_nothing_else_in_it(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(1)
    obtain(lock_path, cache)
    names = ["MANIFEST", "base.txz", "kernel.txz"]
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        [*names, *(f"{name}.sig" for name in names)]
    )
    assert obtain(lock_path, cache, sets=cache).base.trust is Trust.SIGNED


def test_the_second_build_needs_no_mirror(lock_path: Path, cache: Path, upstream: Upstream) -> None:
    upstream.publish(1)
    obtain(lock_path, cache)
    upstream.server.requests.clear()
    assert obtain(lock_path, cache).build == 1
    assert upstream.server.requests == []


def test_unsigned_sets_are_pinned_on_first_use(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(1, signed=())
    sets = obtain(lock_path, cache)
    assert sets.base.provenance == sets.kernel.provenance == "pinned on first use, unsigned"


@pytest.mark.parametrize(
    ("signed", "trust"),
    [
        (("MANIFEST",), (Trust.SIGNED, Trust.SIGNED)),
        (("base.txz",), (Trust.SIGNED, Trust.PINNED_UNSIGNED)),
        (("base.txz", "kernel.txz"), (Trust.SIGNED, Trust.SIGNED)),
    ],
)
def test_each_set_is_trusted_by_what_vouches_for_it(
    signed: tuple[str, ...],
    trust: tuple[Trust, Trust],
    lock_path: Path,
    cache: Path,
    upstream: Upstream,
) -> None:
    upstream.publish(1, signed=signed)
    sets = obtain(lock_path, cache)
    assert (sets.base.trust, sets.kernel.trust) == trust


@pytest.mark.parametrize("signed", ["MANIFEST", "base.txz", "kernel.txz"])
def test_a_strangers_signature_is_refused(
    signed: str, lock_path: Path, cache: Path, upstream: Upstream, strangers_keys: Keys
) -> None:
    upstream.publish(1, signed=(signed,), by=strangers_keys)
    said = refused(lock_path, cache)
    assert f"signed by {strangers_keys.public.fingerprint}" in said
    assert not (cache / "base.txz").exists()


@pytest.mark.parametrize("name", ["MANIFEST", "base.txz", "kernel.txz"])
def test_a_signature_of_something_else_is_refused(
    name: str, lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(1, signed=())
    upstream.server.files[upstream.path(1, f"{name}.sig")] = upstream.keys.sign(b"other")
    assert f"{name}: the signature by SHA256:" in refused(lock_path, cache)
    assert not (cache / "base.txz").exists()


@pytest.mark.parametrize("file", ["base.txz", "kernel.txz"])
def test_an_altered_set_is_refused_and_the_next_run_fetches_it_afresh(
    file: str, lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(1, signed=("MANIFEST",))
    path = upstream.path(1, file)
    honest = upstream.server.files[path]
    upstream.server.files[path] = honest[:-1] + b"x"
    assert f"{file}: its SHA-256" in refused(lock_path, cache)
    assert not list(cache.glob("*.txz"))
    upstream.server.files[path] = honest
    assert "is pinned" in update(lock_path, cache)


def test_a_truncated_set_is_refused(lock_path: Path, cache: Path, upstream: Upstream) -> None:
    upstream.publish(1)
    upstream.server.files[upstream.path(1, "kernel.txz")] = KERNEL[:-1]
    assert "kernel.txz: its SHA-256" in refused(lock_path, cache)


def test_a_manifest_that_names_other_paths_is_refused(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(1, signed=())
    hostile = manifest_of({"../../base.txz": BASE, "kernel.txz": KERNEL})
    upstream.server.files[upstream.path(1, "MANIFEST")] = hostile
    assert "is not a file name such as base.txz" in refused(lock_path, cache)


def test_a_manifest_altered_after_it_was_signed_is_refused(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(1)
    upstream.server.files[upstream.path(1, "MANIFEST")] += b"\n"
    assert "MANIFEST: the signature by SHA256:" in refused(lock_path, cache)


def test_an_interrupted_first_build_goes_on_where_it_was(
    lock_path: Path, cache: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.publish(1)
    unpinned = lock_path.read_bytes()

    def interrupt(title: str, total: int | None, began: float) -> progress.Advance:
        def advance(amount: int) -> None:
            if amount and title.startswith("download kernel"):
                raise KeyboardInterrupt

        return advance

    with monkeypatch.context() as patch:
        patch.setattr(progress, "_plain", interrupt)
        with pytest.raises(KeyboardInterrupt):
            obtain(lock_path, cache)
    assert lock_path.read_bytes() == unpinned
    assert not list(cache.glob("*.txz"))
    upstream.server.requests.clear()
    assert obtain(lock_path, cache).build == 1
    assert not upstream.requests(upstream.path(1, "base.txz"))
    (request,) = upstream.requests(upstream.path(1, "kernel.txz"))
    assert 0 < request.sent < len(KERNEL)


def test_a_mirror_out_of_reach_is_told_with_what_to_do(tmp_path: Path, cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = tmp_path / "lock.yaml"
    shipped = Path(lock.__file__).with_name("hardenedbsd.lock.yaml")
    path.write_text(
        shipped.read_text().replace(
            "https://installers.hardenedbsd.org", f"http://127.0.0.1:{port}"
        )
    )
    with pytest.raises(Refusal) as refusal:
        obtain(path, cache)
    assert str(refusal.value) == (
        f"127.0.0.1:{port}: the server cannot be reached within 10 s (Connection refused). Check "
        "this machine's way to the Internet (or the proxy in HTTPS_PROXY), or name a folder that "
        "holds MANIFEST, base.txz and kernel.txz: ./exitisp build --sets DIR."
    )


def test_given_sets_need_neither_mirror_nor_pin(
    lock_path: Path, cache: Path, folder: Path, upstream: Upstream
) -> None:
    sets = obtain(lock_path, cache, sets=folder)
    assert sets.base.trust is Trust.LOCAL_UNSIGNED
    assert upstream.server.requests == []
    assert not cache.exists()


def test_unpinned_sets_in_the_cache_are_not_used(
    lock_path: Path, folder: Path, upstream: Upstream
) -> None:
    with pytest.raises(Refusal, match="the listing has no folder build-N"):
        obtain(lock_path, folder)


# A pinned build


@pytest.fixture
def pinned(lock_path: Path, cache: Path, upstream: Upstream) -> Path:
    upstream.publish(5)
    update(lock_path, cache)
    upstream.server.requests.clear()
    return lock_path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The cache of another machine, empty."""
    return tmp_path / "elsewhere"


def test_the_pinned_build_is_downloaded_even_if_there_is_a_newer_one(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    upstream.publish(6, base=NEWER)
    sets = obtain(pinned, elsewhere)
    assert sets.build == 5
    assert sets.base.trust is Trust.SIGNED
    with sets.base.open() as file:
        assert file.read() == BASE


def test_a_download_that_drops_is_gone_on_with(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    path = upstream.path(5, "base.txz")
    upstream.misbehave(path, drop_after(200_000))
    obtain(pinned, elsewhere)
    seen = upstream.requests(path)
    assert seen[1].headers["Range"] == "bytes=200000-"
    assert sum(request.sent for request in seen) == len(BASE)


def test_another_hash_in_the_manifest_is_refused_before_a_set_is_downloaded(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    upstream.publish(5, kernel=KERNEL[::-1])
    with pytest.raises(
        Refusal, match=r"kernel\.txz: the SHA-256 is \S+, but the lock file has \S+"
    ):
        obtain(pinned, elsewhere)
    assert not upstream.requests(upstream.path(5, "base.txz"))


def test_another_size_is_refused_before_a_set_is_downloaded(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    upstream.server.files[upstream.path(5, "base.txz")] += b"x"
    with pytest.raises(Refusal, match=rf"base\.txz: the size is .* the lock file has {len(BASE)}"):
        obtain(pinned, elsewhere)


def test_other_bytes_under_the_pinned_hash_are_refused(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    upstream.misbehave(upstream.path(5, "base.txz"), instead(BASE[::-1]))
    with pytest.raises(Refusal, match=r"base\.txz: its SHA-256 is \S+, but MANIFEST says \S+"):
        obtain(pinned, elsewhere)
    assert list(elsewhere.iterdir()) == []


def test_a_pinned_build_that_is_gone_is_named_with_what_to_do(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    upstream.remove(5, "MANIFEST")
    with pytest.raises(Refusal, match=r"build-5/: .*\./exitisp lock --update"):
        obtain(pinned, elsewhere)


def test_a_vanished_signature_leaves_the_hash_to_decide(
    pinned: Path, elsewhere: Path, upstream: Upstream
) -> None:
    for name in ("MANIFEST", "base.txz", "kernel.txz"):
        upstream.remove(5, f"{name}.sig")
    assert obtain(pinned, elsewhere).base.trust is Trust.SIGNED


def test_a_strangers_signature_beside_pinned_sets_is_refused(
    pinned: Path, elsewhere: Path, upstream: Upstream, strangers_keys: Keys
) -> None:
    upstream.publish(5, by=strangers_keys)
    with pytest.raises(Refusal, match=re.escape(f"signed by {strangers_keys.public.fingerprint}")):
        obtain(pinned, elsewhere)


def test_a_damaged_cache_is_told_and_downloaded_again(
    pinned: Path, cache: Path, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    (cache / "kernel.txz").write_bytes(KERNEL[:1000])
    with obtain(pinned, cache).kernel.open() as file:
        assert file.read() == KERNEL
    assert "kernel.txz is not that of build-5" in capsys.readouterr().err
    assert not upstream.requests(upstream.path(5, "base.txz"))


def test_a_damaged_cache_stays_if_the_download_fails(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    (cache / "kernel.txz").write_bytes(b"mine")
    upstream.misbehave(upstream.path(5, "kernel.txz"), *[status(503)] * 4)
    with pytest.raises(Refusal, match="HTTP 503"):
        obtain(pinned, cache)
    assert (cache / "kernel.txz").read_bytes() == b"mine"


def test_two_builds_do_not_write_into_one_cache(pinned: Path, cache: Path) -> None:
    folder = os.open(cache, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        with pytest.raises(Refusal, match="another exitisp is writing to this folder"):
            obtain(pinned, cache)
    finally:
        os.close(folder)
    assert obtain(pinned, cache).build == 5


# Updates


def test_an_update_pins_the_newer_build(pinned: Path, cache: Path, upstream: Upstream) -> None:
    upstream.publish(10, base=NEWER)
    said = update(pinned, cache)
    assert "build-10 is pinned (before: build-5)" in said
    pin = lock.load(pinned).base.pin
    assert pin
    assert f"base.txz: {len(NEWER)} bytes, SHA-256 {pin.base.sha256}, signed by" in said
    assert not upstream.requests(upstream.path(10, "kernel.txz"))
    assert obtain(pinned, cache).build == 10


def test_an_update_without_news_changes_nothing(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    before = pinned.stat()
    assert update(pinned, cache).endswith("build-5 is still the newest; nothing changed")
    assert pinned.stat() == before
    assert not upstream.requests(upstream.path(5, "base.txz"))


def test_another_key_is_refused_until_it_is_accepted(
    pinned: Path, cache: Path, upstream: Upstream, strangers_keys: Keys
) -> None:
    upstream.offer_key(strangers_keys.public)
    upstream.publish(6, by=strangers_keys)
    said = refused(pinned, cache)
    assert upstream.keys.public.fingerprint in said
    assert f"--accept-key {strangers_keys.public.fingerprint}" in said
    said = update(pinned, cache, accept_key=strangers_keys.public.fingerprint)
    assert f"replaces {upstream.keys.public.fingerprint}" in said
    assert lock.load(pinned).base.key == strangers_keys.public


@pytest.mark.parametrize("first", [True, False])
def test_only_the_accepted_key_is_taken(
    first: bool, pinned: Path, cache: Path, upstream: Upstream, strangers_keys: Keys
) -> None:
    if first:
        upstream.write_lock(pinned)
    said = refused(pinned, cache, accept_key=strangers_keys.public.fingerprint)
    assert f"the key is {upstream.keys.public.fingerprint}" in said


def test_an_older_build_is_refused(pinned: Path, cache: Path, upstream: Upstream) -> None:
    upstream.remove(5, "MANIFEST")
    upstream.publish(4)
    assert "build-4, older than the pinned build-5" in refused(pinned, cache)


def test_other_hashes_under_the_same_number_are_refused(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(5, base=BASE[::-1])
    assert "base.txz: the SHA-256 is" in refused(pinned, cache)


@pytest.mark.parametrize("signed", [(), ("base.txz",)])
def test_a_signature_that_was_there_and_is_no_more_is_refused(
    signed: tuple[str, ...], pinned: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(6, signed=signed)
    said = refused(pinned, cache)
    assert "neither the set nor its MANIFEST is signed" in said
    assert "empty `pin`" in said


def test_with_an_emptied_pin_unsigned_and_older_builds_are_taken_again(
    pinned: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.remove(5, "MANIFEST")
    upstream.publish(4, signed=())
    upstream.write_lock(pinned, key=upstream.keys.public)
    assert "pinned on first use, unsigned" in update(pinned, cache)


def test_signatures_that_appear_are_recorded(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(5, signed=())
    update(lock_path, cache)
    upstream.publish(5)
    assert "signed by" in update(lock_path, cache)
    assert obtain(lock_path, cache).base.trust is Trust.SIGNED


def test_signatures_of_an_earlier_build_do_not_stay_in_the_cache(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(5, signed=("base.txz", "kernel.txz"))
    update(lock_path, cache)
    upstream.publish(6, base=NEWER, signed=("MANIFEST",))
    update(lock_path, cache)
    assert sorted(path.name for path in cache.glob("*.sig")) == ["MANIFEST.sig"]


def test_the_cache_is_where_the_desktop_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "exitisp" / "sets"
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        monkeypatch.setenv("HOME", "/home/ann")
        assert cache_folder() == Path("/home/ann/.cache/exitisp/sets")
