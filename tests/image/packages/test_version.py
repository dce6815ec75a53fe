"""Versions are put into the order that pkg has, and it is an order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image.packages.version import compare, key

CHARACTERS = st.sampled_from("0129abZ..-_,+*:")
WORDS = st.sampled_from(("10", "pl", "alpha", "beta", "pre", "rc", "snap", "dev", "RC"))
VERSIONS = st.lists(CHARACTERS | WORDS, max_size=7).map("".join)

RISING = (
    # pkg's own tests (tests/frontend/version.sh)
    ("1", "2", "1,1"),
    ("1.pl1", "1.snap1"),
    ("1.pl1", "1.alpha1", "1.beta1", "1.pre1", "1.rc1", "1"),
    ("5", "5.20", "5.20_3", "6"),
    # the comments of libpkg/pkg_version.c
    ("10", "10a", "10b"),
    ("a", "0"),
    ("10.a", "10"),
    ("10alpha", "10", "10a"),
    ("pl11", "alpha3", "0.1beta2", "0.1"),
    ("2.*", "2pl1", "2alpha3", "2.9f7", "3.*"),
    ("1.0.1:2003.09.16", "1.0:2003.09.16"),
    # the Porter's Handbook, 5.2.3 and 5.2.4
    ("0.10", "0.1234"),
    ("0.1234", "0.10,1"),
    ("1.2.p4", "1.2", "1.2p4"),
    ("1.9,1", "1.1,2"),
    ("1.0_9", "1.0_10"),
    ("1.0", "1.0+1", "1.0.1"),
    # what the project meets
    ("0.4.8.12", "0.4.9.11", "0.4.9.11_1"),
    ("7.7", "8.0", "8.9", "9.0"),
    ("9.p1", "9.0"),
)

EQUAL = (
    ("2", "2"),
    ("10", "10.0", "10.0.0"),
    ("10..1", "10.1"),
    ("10a1b2", "10a1.b2"),
    ("10alpha", "10.a"),
    ("0.1beta2", "0.1.b2"),
    ("1.d2", "1.dev2", "1.Development2"),
    ("1.0:2003.09.16", "1.0.2003.09.16"),
    ("1.0_0", "1.0", "1.0,0"),
    ("1.0", "1.0+0"),
    ("tor-0.4.9.11", "0.4.9.11"),
)


@pytest.mark.parametrize("rising", RISING, ids="<".join)
def test_known_versions_are_in_their_order(rising: tuple[str, ...]) -> None:
    for at, older in enumerate(rising):
        for newer in rising[at + 1 :]:
            assert compare(older, newer) == -1
            assert compare(newer, older) == 1


@pytest.mark.parametrize("same", EQUAL, ids="=".join)
def test_versions_that_are_written_differently_are_the_same(same: tuple[str, ...]) -> None:
    assert {compare(a, b) for a in same for b in same} == {0}


@given(VERSIONS, VERSIONS)
def test_the_order_of_two_does_not_depend_on_which_is_asked_about(a: str, b: str) -> None:
    assert compare(a, b) == -compare(b, a)


@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_the_order_is_one(versions: list[str]) -> None:
    first, middle, last = sorted(versions, key=key)
    assert compare(first, middle) <= 0
    assert compare(middle, last) <= 0
    assert compare(first, last) <= 0
    assert compare(first, last) != 0 or compare(first, middle) == compare(middle, last) == 0


@given(VERSIONS, st.integers(0, 99), st.integers(0, 99))
def test_the_revision_counts_only_within_a_version(version: str, one: int, other: int) -> None:
    plain = version.replace("_", ".").replace(",", ".")
    assert compare(f"{plain}_{one}", f"{plain}_{other}") == (one > other) - (one < other)
    assert compare(f"{plain}_{one},2", f"{plain}.9_{other},1") == 1


@given(st.text(max_size=40))
def test_whatever_is_read_is_the_same_as_itself(text: str) -> None:
    assert compare(text, text) == 0


def test_numbers_too_large_for_pkg_are_all_the_same() -> None:
    assert compare("9" * 30, "9" * 5000) == 0
    assert compare("0" * 5000 + "7", "7") == 0
