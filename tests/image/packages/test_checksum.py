import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.packages.checksum import Checksum, Kind

EMPTY = hashlib.sha256(b"").hexdigest()


@given(st.binary(max_size=200))
def test_every_form_reads_back_as_what_was_written(data: bytes) -> None:
    for kind in Kind:
        made = Checksum.of(kind, data)
        assert Checksum.parse(str(made)) == made
        assert made.matches(data)
        assert not made.matches(data + b"\0")


def test_bare_hexadecimal_is_sha256() -> None:
    assert Checksum.parse(EMPTY) == Checksum.parse(f"1${EMPTY}") == Checksum.of(Kind.SHA256, b"")


def test_blake2_is_in_pkgs_own_base_32() -> None:
    """What pkg 2.8 wrote for a package file of these tests' shared fixtures."""
    text = (
        "2$u3z1ibh1kgmy5g97p7anzwaaqhmk5a3j95xi5fubps15xb951m7ykhwoz3fxxbxg1p1w45x6g87kqjpn7u4w"
        "dqt3oot6e66bhes3q3y"
    )
    assert str(Checksum.parse(text)) == text
    assert Checksum.parse(text).kind is Kind.BLAKE2B


def test_a_link_is_hashed_as_pkg_does() -> None:
    relative = Checksum.of_link(Kind.SHA256, "first-name")
    assert str(relative) == "1$2362fd789a6cf72daba76b44263c95f6923e99590df3b3430d7c123a3af1b842"
    absolute = Checksum.of_link(Kind.SHA256, "/usr/local/share/fixture/first-name")
    assert str(absolute) == "1$8dbc561afc128ebcff6eb5d24746f6b8bae1f13b17fbc5f67d924139acf224e1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        EMPTY[:-1],
        EMPTY.upper(),
        f"2${EMPTY}",
        f"3${EMPTY}",
        f"1$1${EMPTY}",
        f"${EMPTY}",
        "2$" + "y" * 102,
        "2$" + "y" * 104,
        "2$" + "y" * 102 + "9",
        "2$" + "y" * 102 + "l",
    ],
)
def test_what_is_no_checksum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="checksum"):
        Checksum.parse(text)
