"""Which of two versions is the later one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from firstboot.core.release_info import Stamp, order
from image.release_stamp import check_version

RISING = (
    "0.1-dev",
    "0.1",
    "2026.9",
    "2026.11-alpha",
    "2026.11-alpha.1",
    "2026.11-alpha.beta",
    "2026.11-beta",
    "2026.11-beta2",
    "2026.11-beta11",
    "2026.11-rc1",
    "2026.11-rc2",
    "2026.11-rc10",
    "2026.11",
    "2026.11.1-rc1",
    "2026.11.1",
    "2026.12-rc1",
    "2026.12",
    "2027.1",
)

RELEASES = st.lists(st.integers(0, 2030), min_size=1, max_size=4).map(
    lambda numbers: ".".join(map(str, numbers))
)
EXTRAS = st.from_regex(r"\A[A-Za-z][A-Za-z0-9]{0,6}(\.[A-Za-z0-9]{1,4}){0,2}\Z")
VERSIONS = st.one_of(RELEASES, st.builds("{}-{}".format, RELEASES, EXTRAS))


def test_versions_rise_as_people_expect() -> None:
    assert sorted(set(RISING), key=order) == list(RISING)
    for earlier, later in itertools.pairwise(RISING):
        assert order(earlier) < order(later), (earlier, later)


@pytest.mark.parametrize("version", RISING)
def test_a_release_may_have_each_of_these_versions(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize(
    "version",
    ["", "v1", "1.", "1..2", "1-", "1-1", "1rc1", "1_1", "1/2", "1-rc..1", "1+", "9" * 32],
)
def test_a_version_that_has_no_clear_order_is_no_release(version: str) -> None:
    with pytest.raises(Refusal, match=r"Name it as in 2026\.11 or"):
        check_version(version)


@pytest.mark.parametrize("odd", ["2026.11rc1", "2026.11.rc1", "2026.11_1", "2026.11-1", "2026.11b"])
def test_of_an_image_with_a_version_of_another_form_the_release_is_later(odd: str) -> None:
    assert order("2026.10") < order(odd) < order("2026.11")


@given(RELEASES, EXTRAS)
def test_every_pre_release_is_older_than_its_release(release: str, extra: str) -> None:
    assert order(f"{release}-{extra}") < order(release)
    assert order(f"{release}-{extra}") < order(f"{release}.1-{extra}")


@given(RELEASES, EXTRAS)
def test_a_build_and_zeros_at_the_end_do_not_count(release: str, extra: str) -> None:
    assert order(f"{release}+{extra}") == order(release) == order(f"{release}.0")


@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_any_three_versions_have_one_order(three: list[str]) -> None:
    one, two, three_ = map(order, three)
    assert (one < two) + (one == two) + (one > two) == 1
    if one <= two <= three_:
        assert one <= three_


@given(st.from_regex(r"\A[0-9][A-Za-z0-9._+-]{0,30}\Z"))
def test_every_version_that_an_image_may_have_can_be_compared(version: str) -> None:
    stamp = Stamp.parse({"version": version, "base": "HardenedBSD 15.1", "schema": 1})
    assert stamp.order <= order("9" * 31 + ".1")
