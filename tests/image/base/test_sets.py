import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import digest
from image.base.sets import Trust, open_local, open_pinned
from image.download.url import Folder, Url
from image.lock import Base, Natural, Pin, SetPin, Sha256
from tests.image.base.upstream import BASE, KERNEL, PRINCIPAL, Keys, manifest_of

LOCATION = Folder("https://mirror.example.org/pub/")
UNPINNED = Base(LOCATION, Url(f"{LOCATION}key"), PRINCIPAL)


def keyed(keys: Keys) -> Base:
    return Base(LOCATION, Url(f"{LOCATION}key"), PRINCIPAL, keys.public)


def pin_of(folder: Path, *, base_signed: bool = True, kernel_signed: bool = True) -> Pin:
    def pinned(file: str, signed: bool) -> SetPin:
        path = folder / file
        with path.open("rb", buffering=0) as opened:
            sha256 = Sha256(digest.sha256({path: opened})[path])
        return SetPin(sha256, Natural(path.stat().st_size), signed)

    return Pin(Natural(7), pinned("base.txz", base_signed), pinned("kernel.txz", kernel_signed))


def test_local_sets_are_what_their_manifest_says(folder: Path) -> None:
    sets = open_local(folder, UNPINNED)
    assert (sets.base.name, sets.kernel.name, sets.build) == ("base", "kernel", None)
    assert (sets.base.size, sets.kernel.size) == (len(BASE), len(KERNEL))
    assert sets.base.trust is sets.kernel.trust is Trust.LOCAL_UNSIGNED
    assert sets.base.provenance == "unsigned, given with --sets"
    with sets.kernel.open() as file:
        assert file.read() == KERNEL


def test_all_missing_files_are_named_at_once(folder: Path) -> None:
    (folder / "MANIFEST").unlink()
    (folder / "kernel.txz").unlink()
    with pytest.raises(Refusal, match=r"missing files: MANIFEST, kernel\.txz"):
        open_local(folder, UNPINNED)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="nowhere: no such folder"):
        open_local(tmp_path / "nowhere", UNPINNED)


@pytest.mark.parametrize(
    "spoiled",
    [BASE[:-1], BASE[:5000] + b"x" + BASE[5001:], b"", KERNEL],
    ids=lambda data: len(data),
)
def test_a_truncated_or_altered_set_is_refused(spoiled: bytes, folder: Path) -> None:
    (folder / "base.txz").write_bytes(spoiled)
    with pytest.raises(Refusal, match=rf"base\.txz: its SHA-256 is .* \({len(spoiled)} bytes\)"):
        open_local(folder, UNPINNED)


def test_a_manifest_that_leads_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "MANIFEST").write_bytes(manifest_of({"../base.txz": BASE, "kernel.txz": KERNEL}))
    with pytest.raises(Refusal, match=r"MANIFEST:1: .* is not a file name such as base\.txz"):
        open_local(folder, UNPINNED)


def test_a_manifest_without_the_kernel_is_refused(folder: Path) -> None:
    (folder / "MANIFEST").write_bytes(manifest_of({"base.txz": BASE}))
    with pytest.raises(Refusal, match=r"no line for kernel\.txz, only for base\.txz"):
        open_local(folder, UNPINNED)


def test_a_huge_manifest_is_not_read(folder: Path) -> None:
    with (folder / "MANIFEST").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Refusal, match="larger than 1048576 bytes"):
        open_local(folder, UNPINNED)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused(make: Callable[[Path], None], folder: Path) -> None:
    (folder / "base.txz").unlink()
    make(folder / "base.txz")
    with pytest.raises(Refusal, match=r"base\.txz: cannot be read"):
        open_local(folder, UNPINNED)


def test_a_signed_manifest_vouches_for_both_sets(folder: Path, keys: Keys) -> None:
    (folder / "MANIFEST.sig").write_bytes(keys.sign((folder / "MANIFEST").read_bytes()))
    sets = open_local(folder, keyed(keys))
    assert sets.base.trust is sets.kernel.trust is Trust.SIGNED
    assert sets.base.provenance == f"signed by {keys.public.fingerprint}"


def test_a_sets_own_signature_vouches_for_that_set_alone(folder: Path, keys: Keys) -> None:
    (folder / "base.txz.sig").write_bytes(keys.sign(BASE))
    sets = open_local(folder, keyed(keys))
    assert (sets.base.trust, sets.kernel.trust) == (Trust.SIGNED, Trust.LOCAL_UNSIGNED)
    assert sets.kernel.signer is None


@pytest.mark.parametrize("name", ["MANIFEST", "base.txz", "kernel.txz"])
def test_a_bad_signature_is_refused_whichever_it_is(name: str, folder: Path, keys: Keys) -> None:
    (folder / f"{name}.sig").write_bytes(keys.sign(b"something else"))
    with pytest.raises(Refusal, match=rf"{name}: the signature by SHA256:"):
        open_local(folder, keyed(keys))


def test_a_strangers_signature_is_refused(folder: Path, keys: Keys, strangers_keys: Keys) -> None:
    (folder / "base.txz.sig").write_bytes(strangers_keys.sign(BASE))
    with pytest.raises(Refusal, match=re.escape(f"signed by {strangers_keys.public.fingerprint}")):
        open_local(folder, keyed(keys))


def test_signatures_that_no_key_can_verify_count_for_nothing_and_are_told(
    folder: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "base.txz.sig").write_bytes(keys.sign(BASE))
    assert open_local(folder, UNPINNED).base.trust is Trust.LOCAL_UNSIGNED
    assert "base.txz.sig cannot be verified" in capsys.readouterr().err


def test_local_sets_that_are_the_pinned_ones_are_trusted_like_them(
    folder: Path, keys: Keys
) -> None:
    pin = pin_of(folder, kernel_signed=False)
    known = Base(LOCATION, Url(f"{LOCATION}key"), PRINCIPAL, keys.public, pin)
    sets = open_local(folder, known)
    assert (sets.base.trust, sets.kernel.trust) == (Trust.SIGNED, Trust.PINNED_UNSIGNED)


def test_pinned_sets_are_trusted_as_the_lock_says(folder: Path, keys: Keys) -> None:
    sets = open_pinned(folder, pin_of(folder, kernel_signed=False), keyed(keys))
    assert sets
    assert sets.build == 7
    assert sets.base.provenance == f"signed by {keys.public.fingerprint}"
    assert sets.kernel.provenance == "pinned on first use, unsigned"


@pytest.mark.parametrize("spoiled", [KERNEL + b"x", bytes(len(KERNEL))], ids=["size", "hash"])
def test_cached_sets_that_are_not_the_pinned_ones_are_not_used(
    spoiled: bytes, folder: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    pin = pin_of(folder)
    (folder / "kernel.txz").write_bytes(spoiled)
    assert open_pinned(folder, pin, keyed(keys)) is None
    assert "kernel.txz is not that of build-7" in capsys.readouterr().err


def test_an_incomplete_cache_is_passed_over(folder: Path, keys: Keys) -> None:
    pin = pin_of(folder)
    (folder / "base.txz").unlink()
    assert open_pinned(folder, pin, keyed(keys)) is None


def test_a_set_that_was_replaced_after_it_was_verified_is_not_opened(folder: Path) -> None:
    sets = open_local(folder, UNPINNED)
    shutil.copy2(folder / "base.txz", folder / "other")
    (folder / "other").replace(folder / "base.txz")
    with pytest.raises(
        Refusal, match="the file was changed or replaced after it had been verified"
    ):
        sets.base.open()


def test_a_set_that_was_overwritten_after_it_was_verified_is_not_opened(folder: Path) -> None:
    path = folder / "base.txz"
    before = path.stat()
    sets = open_local(folder, UNPINNED)
    path.write_bytes(bytes(len(BASE)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 1))
    with pytest.raises(
        Refusal, match="the file was changed or replaced after it had been verified"
    ):
        sets.base.open()


def test_a_set_that_changes_while_it_is_hashed_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hash_all = digest.sha256

    def meddle(files: dict[Path, object]) -> dict[Path, str]:
        found = hash_all(files)  # type: ignore[arg-type]
        with (folder / "base.txz").open("ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr(digest, "sha256", meddle)
    with pytest.raises(Refusal, match="the file changed while it was being verified"):
        open_local(folder, UNPINNED)
