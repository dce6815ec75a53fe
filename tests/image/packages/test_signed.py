import tarfile
from collections.abc import Sequence

import pytest

from firstboot.core import limits
from firstboot.core.limits import SIGNATURE, Unpacked
from firstboot.core.refusal import Refusal
from image.packages import signed
from tests.image.packages.repository import PACKINGS, Item, Signer, member, tar, usual_signer
from tests.image.packages.repository import signed as sign

DATA = b"the data" * 1000


def archive(names: Sequence[str], content: bytes = b"x", packing: str = "plain") -> bytes:
    return PACKINGS[packing](tar([member(name, Item(content), 0) for name in names]))


@pytest.mark.parametrize("packing", PACKINGS)
def test_data_and_signatures_come_out_however_they_are_packed(packing: str) -> None:
    stranger = Signer.rsa()
    found = signed.read(sign("data", DATA, [usual_signer(), stranger], packing), "data", "data.pkg")
    assert found.data == DATA
    assert [one.fingerprint for one in found.signatures] == [
        usual_signer().fingerprint,
        stranger.fingerprint,
    ]


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["other"], "there is no member data"),
        (["data", "data"], "there are two members data"),
        (["data", "data.sig"], r"data\.pub is missing"),
        (["data", "a.sig", "b.pub"], r"a\.pub is missing"),
        (["data", *(f"{number}.sig" for number in range(9))], "more than 8 signatures"),
    ],
)
def test_an_archive_of_other_members_is_refused(names: list[str], complaint: str) -> None:
    with pytest.raises(Refusal, match=complaint):
        signed.read(archive(names), "data", "data.pkg")


def test_a_signature_that_is_no_file_counts_for_none() -> None:
    link, _ = member("data.sig", Item(symlink="/etc/passwd"), 0)
    data = tar([(link, b""), member("data.pub", Item(b"x"), 0), member("data", Item(DATA), 0)])
    with pytest.raises(Refusal, match=r"data\.sig is missing"):
        signed.read(data, "data", "data.pkg")


def test_a_signature_that_is_too_large_is_refused() -> None:
    data = archive(["data.sig"], bytes(SIGNATURE + 1), "zstd")
    with pytest.raises(Refusal, match=f"larger than {SIGNATURE}"):
        signed.read(data, "data", "data.pkg")


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_archive_may_have_as_many_bytes_as_the_limit_and_not_one_record_more(
    packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tar(5) reads and pads in records of 10,240 bytes."""
    monkeypatch.setattr(limits, "UNPACKED_CATALOGUE", Unpacked(102 * 10_240, 1 << 40))
    content = 101 * 10_240
    signed.read(archive(["data"], bytes(content), packing), "data", "data.pkg")
    with pytest.raises(Refusal, match="decompress"):
        signed.read(archive(["data"], bytes(content + 10_240), packing), "data", "data.pkg")


def test_a_file_that_claims_to_be_sparse_is_no_data() -> None:
    """GNU's sparse format: a few bytes that stand for a terabyte of zeros."""
    info = tarfile.TarInfo("data")
    info.type = tarfile.GNUTYPE_SPARSE
    buffer = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    buffer[483:495] = b"17777777777\0"
    with pytest.raises(Refusal):
        signed.read(bytes(buffer) + bytes(1024), "data", "data.pkg")


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_archive_that_is_cut_short_is_refused(packing: str) -> None:
    data = sign("data", bytes(range(256)) * 40, [usual_signer()], packing)
    for length in range(0, len(data) - 10_240 if packing == "plain" else len(data) - 50, 97):
        with pytest.raises(Refusal, match=r"^data\.pkg"):
            signed.read(data[:length], "data", "data.pkg")


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x1f\x8b\x08" + bytes(600), bytes(2000)])
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal, match=r"a whole tar archive|no member data"):
        signed.read(data, "data", "data.pkg")
