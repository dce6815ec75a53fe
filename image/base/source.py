"""Which base system goes into an image: given by hand, cached, or downloaded; always verified."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from firstboot.refusal import Refusal
from image.base import lock, mirror
from image.base.download import PATIENCE, Client, Patience
from image.base.lock import Base, Lock, Pin
from image.base.sets import SET_FILES, BaseSets, open_local, open_pinned
from image.base.signature import PublicKey, Signer
from image.base.writing import writing

_WITHOUT_MIRROR = (
    "name a folder that holds MANIFEST, base.txz and kernel.txz: ./exitisp build --sets DIR"
)


def cache_folder() -> Path:
    """Where downloaded sets are kept, as the XDG Base Directory Specification has it."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "exitisp" / "sets"


def obtain(
    sets: Path | None, lock_path: Path, cache: Path, *, patience: Patience = PATIENCE
) -> BaseSets:
    """The base system to build from: `sets` if given, else what the lock pins.

    What is pinned is taken from `cache`, or else downloaded into it. A lock without a pin is
    updated first, and standard error says so. Raises Refusal.
    """
    base = lock.load(lock_path).base
    if sets is not None:
        return open_local(sets, base)
    with _alone_in(cache):
        if base.pin is None:
            _say(f"{lock_path} pins no base system yet; pinning the newest build")
            _say(_update(lock_path, cache, None, patience))
            base = lock.load(lock_path).base
            assert base.pin
        found = open_pinned(cache, base.pin, base)
        if found is None:
            _download(base, base.pin, lock_path, cache, patience)
            found = open_pinned(cache, base.pin, base)
            assert found
        return found


def update(
    lock_path: Path, cache: Path, *, accept_key: str | None = None, patience: Patience = PATIENCE
) -> str:
    """Pin the newest build in the lock file, its sets verified in `cache`; say what changed.

    `accept_key` is the fingerprint (``SHA256:...``) of a key that may replace the one in the
    lock. Raises Refusal, and then the lock file is what it was: for another key, an older build,
    other hashes under the same number, and a signature that was there and is no more.
    """
    with _alone_in(cache):
        return _update(lock_path, cache, accept_key, patience)


def _update(lock_path: Path, cache: Path, accept_key: str | None, patience: Patience) -> str:
    old = lock.load(lock_path)
    client = Client(_WITHOUT_MIRROR, patience)
    key = mirror.read_key(client, old.base.key_location)
    _check_key(old.base, key, accept_key)
    if key != old.base.key:
        _say(f"{old.base.key_location} has the key {key.fingerprint} ({old.base.principal})")
    signer = Signer(old.base.principal, key)
    offer = mirror.find_newest(client, old.base.location, signer)
    if old.base.pin:
        _check_newer(old.base.pin, offer, lock_path)
    mirror.fetch(client, offer, signer, cache)
    new = replace(old, base=replace(old.base, key=key, pin=offer.pin))
    if new != old:
        lock.write(lock_path, new)
    return _summary(old, new, lock_path)


def _download(base: Base, pin: Pin, lock_path: Path, cache: Path, patience: Patience) -> None:
    """Bring exactly what is pinned into `cache`."""
    client = Client(_WITHOUT_MIRROR, patience)
    signer = base.signer
    assert signer
    offer = mirror.inspect(client, base.location, pin.build, signer)
    if offer is None:
        raise Refusal(
            f"{base.location}build-{pin.build}/",
            expected="the build that is pinned",
            found="nothing, or not all of it: mirrors remove old builds",
            remedy="pin the newest build: ./exitisp lock --update",
        )
    _check_same(
        pin,
        offer,
        f"do not use it; if upstream explains the change, empty `pin` in "
        f"{lock_path} and run ./exitisp lock --update",
    )
    mirror.fetch(client, offer, signer, cache)


def _check_key(base: Base, key: PublicKey, accepted: str | None) -> None:
    if accepted is not None and key.fingerprint != accepted:
        raise Refusal(
            base.key_location,
            expected=f"the key {accepted}, as --accept-key says",
            found=key.fingerprint,
            remedy="compare both with what the signer has announced",
        )
    if accepted is None and base.key is not None and key != base.key:
        raise Refusal(
            base.key_location,
            expected=f"the key {base.key.fingerprint}, as the lock file has it",
            found=key.fingerprint,
            remedy="do not go on unless the signer has announced that key; then: "
            f"./exitisp lock --update --accept-key {key.fingerprint}",
        )


def _check_newer(pin: Pin, offer: mirror.Offer, lock_path: Path) -> None:
    remedy = (
        f"keep what is pinned; if upstream explains it, empty `pin` in {lock_path} and try again"
    )
    if offer.build < pin.build:
        raise Refusal(
            offer.folder,
            expected=f"build-{pin.build}, which is pinned, or a newer one",
            found=f"build-{offer.build} as the newest",
            remedy=remedy,
        )
    if offer.build == pin.build:
        _check_same(pin, offer, remedy)
    for file in SET_FILES:
        if pin.sets[file].signed and not offer.pin.sets[file].signed:
            raise Refusal(
                f"{offer.folder}{file}",
                expected="a signature, as the pinned build has one",
                found="none, nor one of its MANIFEST",
                remedy=remedy,
            )


def _check_same(pin: Pin, offer: mirror.Offer, remedy: str) -> None:
    """What the mirror has under the pinned number must be what is pinned."""
    for file in SET_FILES:
        pinned, offered = pin.sets[file], offer.pin.sets[file]
        for what, expected, found in (
            ("SHA-256", pinned.sha256, offered.sha256),
            ("size", pinned.size, offered.size),
        ):
            if expected != found:
                raise Refusal(
                    f"{offer.folder}{file}",
                    expected=f"the {what} {expected}, as the lock file has it",
                    found=f"{found}",
                    remedy=remedy,
                )


def _summary(old: Lock, new: Lock, lock_path: Path) -> str:
    key, pin = new.base.key, new.base.pin
    assert key
    assert pin
    if new == old:
        return f"{lock_path}: build-{pin.build} is still the newest; nothing changed"
    before = f"before: build-{old.base.pin.build}" if old.base.pin else "the first"
    lines = [f"{lock_path}: build-{pin.build} is pinned ({before})"]
    if key != old.base.key:
        known = (
            f"replaces {old.base.key.fingerprint}" if old.base.key else "seen for the first time"
        )
        lines.append(f"  signer's key {key.fingerprint}, {known}: compare it with another source")
    for file, one in pin.sets.items():
        trust = f"signed by {key.fingerprint}" if one.signed else "pinned on first use, unsigned"
        lines.append(f"  {file}: {one.size} bytes, SHA-256 {one.sha256}, {trust}")
    return "\n".join(lines)


@contextmanager
def _alone_in(cache: Path) -> Iterator[None]:
    """Keep other builds out of the cache folder, which is made if need be."""
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
        folder = os.open(cache, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refusal(
                cache,
                expected="a folder that no other exitisp is writing to",
                found="one that is in use",
                remedy="wait until the other one has ended, and start again",
            ) from error
        yield
    finally:
        os.close(folder)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
