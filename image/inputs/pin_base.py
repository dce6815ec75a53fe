"""Pin the newest build of the mirror, and download the pinned one; both are verified."""

import sys
from dataclasses import replace
from pathlib import Path

from firstboot.core.refusal import Refusal
from image import lock
from image.base import mirror
from image.base.sets import SET_FILES
from image.download.cache import alone_in
from image.download.connect import connect
from image.download.timeouts import PATIENCE, Patience
from image.inputs import freshness, pin_base_packages
from image.lock import Base, Lock, Pin
from image.seen import Reason
from image.ssh_signature import PublicKey, Signer

PACKAGES = "packages"
"""The folder of the cache for a base system that comes as packages."""

_WITHOUT_MIRROR = (
    "name a folder that holds MANIFEST, base.txz and kernel.txz: ./exitisp build --sets DIR"
)


def update(
    lock_path: Path,
    cache: Path,
    *,
    accept_key: str | None = None,
    allow_older: Reason | None = None,
    patience: Patience = PATIENCE,
) -> str:
    """Pin the newest build, with its sets verified in `cache`, and return what changed as text.

    The base system is pinned as packages if the lock pins it so already, or if it pins nothing, the
    mirror has no build and the repository of the base's packages is there.

    `accept_key` is the fingerprint (``SHA256:...``) of a key that may replace the one in the lock,
    `allow_older` why an older build may be pinned. Raises Refusal, and leaves the lock file as it
    was, for another key, an older build, base and kernel of different builds, other hashes under
    the same number, and a signature that has disappeared.
    """
    with alone_in(cache):
        return pin_newest(lock_path, cache, accept_key, patience, allow_older)


def pin_newest(
    lock_path: Path,
    cache: Path,
    accept_key: str | None,
    patience: Patience,
    allow_older: Reason | None = None,
) -> str:
    """Do what `update` does, for a caller that holds the lock on the cache."""
    old = lock.load(lock_path)
    if old.base.pin is None:
        if old.base.packages.pins is not None:
            if accept_key is not None:
                raise Refusal(
                    "--accept-key",
                    "the base system is pinned as packages, which this key does not sign",
                    "To accept another key of theirs, empty `key` and `pins` of base: packages: in "
                    f"{lock_path}",
                )
            return pin_base_packages.pin_newest(lock_path, cache / PACKAGES, patience, allow_older)
        client = connect(_WITHOUT_MIRROR, patience)
        if not mirror.has_builds(client, old.base.location) and pin_base_packages.are_offered(
            old.base.packages, patience
        ):
            _say(f"{old.base.location} has no builds; taking the base system as packages")
            return pin_base_packages.pin_newest(lock_path, cache / PACKAGES, patience, allow_older)
    client = connect(_WITHOUT_MIRROR, patience)
    key = mirror.read_key(client, old.base.key_location)
    _check_key(old.base, key, accept_key)
    if key != old.base.key:
        _say(f"{old.base.key_location} has the key {key.fingerprint} ({old.base.principal})")
    signer = Signer(old.base.principal, key)
    offer = mirror.find_newest(client, old.base.location, signer)
    freshness.check_number(old.base.pin, offer, allow_older)
    if old.base.pin:
        _check_unchanged(old.base.pin, offer, lock_path)
    seen = old.base.seen

    def check(base: mirror.Brought, kernel: mirror.Brought) -> None:
        nonlocal seen
        if seen is None or offer.pin != old.base.pin:
            seen = freshness.check_sets(seen, offer, base, kernel, allow_older)

    mirror.fetch(client, offer, signer, cache, check)
    new = replace(old, base=replace(old.base, key=key, pin=offer.pin, seen=seen))
    if new != old:
        lock.write(lock_path, new)
    return _summary(old, new, lock_path)


def download(base: Base, pin: Pin, lock_path: Path, cache: Path, patience: Patience) -> None:
    """Download exactly the pinned build into `cache`."""
    client = connect(_WITHOUT_MIRROR, patience)
    signer = base.signer
    assert signer
    offer = mirror.inspect(client, base.location, pin.build, signer)
    if offer is None:
        raise Refusal(
            f"{base.location}build-{pin.build}/",
            "the pinned build is gone or incomplete: mirrors remove old builds",
            "Pin the newest build: ./exitisp lock --update",
        )
    _check_same(
        pin,
        offer,
        f"Do not use it. If upstream explains the change, empty `pin` in "
        f"{lock_path} and run ./exitisp lock --update",
    )
    mirror.fetch(client, offer, signer, cache)


def _check_key(base: Base, key: PublicKey, accepted: str | None) -> None:
    if accepted is not None and key.fingerprint != accepted:
        raise Refusal(
            base.key_location,
            f"the key is {key.fingerprint}, but --accept-key says {accepted}",
            "Compare both with what the signer has announced",
        )
    if accepted is None and base.key is not None and key != base.key:
        raise Refusal(
            base.key_location,
            f"the key is {key.fingerprint}, but the lock file has {base.key.fingerprint}",
            f"Do not go on unless the signer has announced the new key. If so, run ./exitisp "
            f"lock --update --accept-key {key.fingerprint}",
        )


def _check_unchanged(pin: Pin, offer: mirror.Offer, lock_path: Path) -> None:
    """Raise Refusal for other sets under the pinned number, and for a lost signature."""
    remedy = (
        f"Keep what is pinned. If upstream explains it, empty `pin` in {lock_path} and try again"
    )
    if offer.build == pin.build:
        _check_same(pin, offer, remedy)
    for file in SET_FILES:
        if pin.sets[file].signed and not offer.pin.sets[file].signed:
            raise Refusal(
                f"{offer.folder}{file}",
                "neither the set nor its MANIFEST is signed, but the pinned build is",
                remedy,
            )


def _check_same(pin: Pin, offer: mirror.Offer, remedy: str) -> None:
    """Raise Refusal unless the mirror has the pinned sets under the pinned number."""
    for file in SET_FILES:
        pinned, offered = pin.sets[file], offer.pin.sets[file]
        for what, expected, found in (
            ("SHA-256", pinned.sha256, offered.sha256),
            ("size", pinned.size, offered.size),
        ):
            if expected != found:
                raise Refusal(
                    f"{offer.folder}{file}",
                    f"the {what} is {found}, but the lock file has {expected}",
                    remedy,
                )


def _summary(old: Lock, new: Lock, lock_path: Path) -> str:
    key, pin = new.base.key, new.base.pin
    assert key
    assert pin
    if new == old:
        return f"{lock_path}: build-{pin.build} is still the newest; nothing changed"
    before = f"before: build-{old.base.pin.build}" if old.base.pin else "the first"
    lines = [f"{lock_path}: build-{pin.build} is pinned ({before})"]
    if seen := new.base.seen:
        lines.append(f"  {seen.release} ({seen.number}), built {seen.base}")
    if key != old.base.key:
        known = (
            f"replaces {old.base.key.fingerprint}" if old.base.key else "seen for the first time"
        )
        lines.append(f"  signer's key {key.fingerprint}, {known}: compare it with another source")
    for file, one in pin.sets.items():
        trust = f"signed by {key.fingerprint}" if one.signed else "pinned on first use, unsigned"
        lines.append(f"  {file}: {one.size} bytes, SHA-256 {one.sha256}, {trust}")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
