"""Daemons with known holes are refused, all at once, unless the user accepts them by name."""

import pytest

from firstboot.core.refusal import Refusal
from image.minimum_versions import MINIMUM, Installed, check

OLD_TOR = Installed("tor", "0.4.9.11_1")
OLD_BASE = Installed("Unbound", "1.24.1", from_base=True)


@pytest.mark.parametrize(
    "installed",
    [
        [],
        [Installed("tor", "0.4.9.12")],
        [Installed("tor", "0.4.10.1,1")],
        [Installed("unbound", "1.25.1_2"), Installed("Unbound", "1.25.1", from_base=True)],
        [Installed("torsocks", "0.1")],
        [Installed("Unbound", "", from_base=True)],
    ],
)
def test_new_and_other_software_is_accepted(installed: list[Installed]) -> None:
    check(installed)


def test_all_old_daemons_are_named_with_reason_and_remedy() -> None:
    with pytest.raises(Refusal) as refused:
        check([OLD_TOR, OLD_BASE])
    told = str(refused.value)
    for minimum in MINIMUM:
        assert minimum.reason in told
    assert "unbound 1.24.1 of the base system" in told
    assert "--accept-version unbound=1.24.1 --accept-version tor=0.4.9.11_1." in told


def test_accepted_versions_are_accepted_and_no_others() -> None:
    check([OLD_TOR, OLD_BASE], ["tor=0.4.9.11_1", "unbound=1.24.1"])
    with pytest.raises(Refusal, match=r"unbound 1\.24\.1"):
        check([OLD_TOR, OLD_BASE], ["tor=0.4.9.11_1", "unbound=1.24.0"])


def test_the_bases_resolver_does_not_count_where_a_package_replaces_it() -> None:
    check([OLD_BASE, Installed("unbound", "1.26.2")])
    with pytest.raises(Refusal, match=r"unbound 1\.20\.0 "):
        check([OLD_BASE, Installed("unbound", "1.20.0")])
