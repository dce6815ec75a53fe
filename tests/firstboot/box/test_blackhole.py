"""An address is given up for a while, and reached again."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest

from firstboot.box import blackhole, commands, tend
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from tests.firstboot.box.box import Box, changed
from tests.firstboot.box.test_apply import Told, configured

RELOAD = "/usr/local/libexec/exitisp/bgpctl -w 60 reload"


def with_blackhole() -> Document[Site]:
    """The example, whose first transit drops on request."""
    name = "  - name: upstream-a\n"
    return changed((name, f"{name}    blackhole: 65535:666\n"))


@pytest.fixture
def flooded(box: Box) -> Box:
    configured(box, with_blackhole())
    return box


@pytest.fixture
def pass_minutes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets minutes pass."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)

    def later(minutes: float) -> None:
        nonlocal now
        now += 60 * minutes

    return later


def written(box: Box) -> str:
    return (box.root / blackhole.SET).read_text()


def test_the_transit_that_declares_a_community_is_asked(flooded: Box) -> None:
    told = Told()
    blackhole.blackhole("198.51.100.11", flooded.machine, told, 60)
    assert written(flooded) == "prefix-set blackholed {\n  198.51.100.11/32\n}\n"
    assert flooded.calls == [RELOAD]
    assert told == [
        "upstream-a is asked to drop everything for 198.51.100.11 (OnionCoop1 and 7 more).",
        "It ends by itself in 60 minutes, or before: exitisp unblackhole 198.51.100.11",
    ]


def test_status_tells_and_the_end_comes_by_itself(
    flooded: Box, pass_minutes: Callable[[float], None]
) -> None:
    blackhole.blackhole("198.51.100.99", flooded.machine, Told(), 30)
    blackhole.blackhole("2001:db8:ee::99", flooded.machine, Told())
    told = Told()
    commands.status(flooded.machine, told)
    assert (
        "blackholed: 198.51.100.99 (exitisp unblackhole 198.51.100.99), by itself in 31 min" in told
    )
    assert any("2001:db8:ee::99" in line and "by itself in 121 min" in line for line in told)
    pass_minutes(29.9)
    blackhole.end_blackholes(flooded.machine, Told())
    assert len(blackhole.blackholed(flooded.machine)) == 2
    pass_minutes(0.1)
    said = Told()
    blackhole.end_blackholes(flooded.machine, said)
    assert said == ["198.51.100.99 is reached again, once the transits have heard."]
    assert blackhole.blackholed(flooded.machine) == [ip_address("2001:db8:ee::99")]
    pass_minutes(90)
    blackhole.end_blackholes(flooded.machine, said)
    assert written(flooded) == blackhole.prefix_set([])
    flooded.forget()
    blackhole.end_blackholes(flooded.machine, said)
    assert flooded.calls == []


def test_the_minute_s_run_ends_what_is_over() -> None:
    assert blackhole.end_blackholes in tend.STEPS


def test_somebody_ends_it_before(flooded: Box) -> None:
    blackhole.blackhole("2001:db8:ee::99", flooded.machine, Told())
    blackhole.unblackhole("2001:DB8:EE:0::99", flooded.machine, Told())
    assert written(flooded) == blackhole.prefix_set([])
    with pytest.raises(Refusal, match="not given up"):
        blackhole.unblackhole("2001:db8:ee::99", flooded.machine, Told())


@pytest.mark.parametrize("data", ["", "{", "null", "[]", '{"198.51.100.9": "1"}'])
def test_what_nobody_knows_the_end_of_ends(flooded: Box, data: str) -> None:
    blackhole.blackhole("198.51.100.9", flooded.machine, Told())
    (flooded.machine.state / blackhole.ENDS).write_text(data)
    told = Told()
    assert not commands.status(flooded.machine, told)
    assert any(line.startswith("UNKNOWN: which blackholes end") for line in told)
    blackhole.end_blackholes(flooded.machine, Told())
    assert blackhole.blackholed(flooded.machine) == []


def test_a_damaged_record_of_nothing_keeps_nobody_from_giving_up_an_address(flooded: Box) -> None:
    (flooded.machine.state / blackhole.ENDS).write_text("{")
    blackhole.blackhole("198.51.100.9", flooded.machine, Told())
    assert blackhole.blackholed(flooded.machine) == [ip_address("198.51.100.9")]


def test_what_bgpd_does_not_take_on_is_not_kept(flooded: Box) -> None:
    flooded.fail(RELOAD)
    with pytest.raises(Refusal, match="blackholed"):
        blackhole.blackhole("198.51.100.9", flooded.machine, Told())
    assert blackhole.blackholed(flooded.machine) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("192.0.2.1", "in none of the own scopes"),
        ("198.51.100.0/24", "it is no address"),
        ("relay1", "it is no address"),
        ("198.51.100.9\n}\nnetwork 0.0.0.0/0", "it is no address"),
    ],
)
def test_what_is_no_own_address_is_refused(flooded: Box, text: str, why: str) -> None:
    with pytest.raises(Refusal, match=why):
        blackhole.blackhole(text, flooded.machine, Told())
    assert flooded.calls == []


def test_more_than_bgpd_would_announce_is_refused(flooded: Box) -> None:
    for at in range(blackhole.MOST):
        blackhole.blackhole(f"198.51.100.{100 + at}", flooded.machine, Told())
    blackhole.blackhole("198.51.100.100", flooded.machine, Told())
    with pytest.raises(Refusal, match="given up already"):
        blackhole.blackhole("198.51.100.200", flooded.machine, Told())


def test_without_a_transit_that_drops_there_is_nobody_to_ask(box: Box) -> None:
    configured(box)
    with pytest.raises(Refusal, match="no transit that hears of its IPv4 scope declares"):
        blackhole.blackhole("198.51.100.9", box.machine, Told())
