"""`./exitisp lock --update`, its second half: packages for the base system that is pinned."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import lock
from image.inputs.pin_packages import update
from image.lock import Natural, Pin, SetPin, Sha256
from image.overlay import Overlay, load
from image.packages.trust import FOLDER
from tests import sets
from tests.image.base.upstream import HASTY, Keys
from tests.image.packages.asking import asking, write_lock
from tests.image.packages.repository import (
    Made,
    Signer,
    fingerprint_file,
    make_repository,
    usual_signer,
)
from tests.image.packages.serving import Server

TOR = Made("tor", facts={"shlibs_required": ["libc.so.7"]})


def base_set(*trusted: Signer) -> tuple[sets.Item, ...]:
    folders = ("usr/share", "usr/share/keys", FOLDER, f"{FOLDER}/trusted")
    keys = (
        sets.Item(f"./{FOLDER}/trusted/key{number}", fingerprint_file(signer).encode())
        for number, signer in enumerate(trusted)
    )
    libraries = (sets.folder("./lib"), sets.Item("./lib/libc.so.7", b"libc"))
    return (*sets.BASE, *(sets.folder(f"./{path}") for path in folders), *keys, *libraries)


def pin_base(lock_path: Path, cache: Path, keys: Keys, base: tuple[sets.Item, ...]) -> None:
    """Put a base system into the cache, and its pin into the lock file."""
    folder = sets.write(cache / "sets", base)
    pins = [
        SetPin(Sha256(hashlib.sha256(data).hexdigest()), Natural(len(data)), True)
        for data in ((folder / f"{name}.txz").read_bytes() for name in ("base", "kernel"))
    ]
    read = lock.load(lock_path)
    pinned = replace(read.base, key=keys.public, pin=Pin(Natural(12), *pins))
    lock.write(lock_path, replace(read, base=pinned))


@pytest.fixture
def overlays(tmp_path: Path) -> list[Overlay]:
    return [asking(tmp_path / "overlays" / "tor", "{name: tor}")]


@pytest.fixture
def lock_path(tmp_path: Path, server: Server) -> Path:
    server.offer(make_repository(tmp_path / "repository", [TOR]).folder)
    return write_lock(tmp_path / "lock.yaml", server.template)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.make(tmp_path / "builder")


def test_keys_and_libraries_are_those_of_the_pinned_base(
    lock_path: Path, cache: Path, keys: Keys, overlays: list[Overlay]
) -> None:
    pin_base(lock_path, cache, keys, base_set(usual_signer()))
    before = lock.load(lock_path).base
    assert "added     tor 1.0" in update(lock_path, overlays, cache, patience=HASTY)
    read = lock.load(lock_path)
    assert read.base == before
    assert [pin.name for pin in read.packages.pins or ()] == ["tor"]
    assert "nothing changed" in update(lock_path, overlays, cache, patience=HASTY)


def test_a_key_that_the_pinned_base_lacks_is_not_trusted(
    lock_path: Path, cache: Path, keys: Keys, overlays: list[Overlay]
) -> None:
    pin_base(lock_path, cache, keys, base_set(Signer.rsa()))
    with pytest.raises(Refusal, match=r"signed by \S+, which is not trusted; trusted: \S+"):
        update(lock_path, overlays, cache, patience=HASTY)
    assert lock.load(lock_path).packages.pins is None


def test_a_library_that_an_overlay_drops_is_none(
    lock_path: Path, cache: Path, keys: Keys, overlays: list[Overlay], tmp_path: Path
) -> None:
    pin_base(lock_path, cache, keys, base_set(usual_signer()))
    folder = tmp_path / "overlays" / "drop"
    folder.mkdir()
    (folder / "overlay.yaml").write_text(
        "description: x\ndrop: [{path: lib/libc.so.7, reason: a test}]\n"
    )
    with pytest.raises(Refusal, match=r"libc\.so\.7"):
        update(lock_path, [*overlays, load(folder)], cache, patience=HASTY)
