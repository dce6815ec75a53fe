"""A peer is drained and used again."""

import pytest

from firstboot.box import commands, drain
from firstboot.core import document
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from tests.firstboot.box.box import EXAMPLE, Box, changed
from tests.firstboot.box.test_apply import Told, configured

TWO_EDGES = EXAMPLE.with_stem("two-edges-a")

RULES = """\
match to 192.0.2.1 set community GRACEFUL_SHUTDOWN
match from 192.0.2.1 set localpref 0
match to 2001:db8:100::1 set community GRACEFUL_SHUTDOWN
match from 2001:db8:100::1 set localpref 0
"""


def rules(box: Box) -> str:
    return (box.root / drain.RULES).read_text()


def test_every_session_of_a_peer_is_drained(box: Box) -> None:
    configured(box)
    box.forget()
    told = Told()
    drain.drain("upstream-a", box.machine, told)
    assert rules(box) == RULES
    assert box.calls == ["/usr/local/libexec/exitisp/bgpctl -w 60 reload"]
    assert "192.0.2.1 and 2001:db8:100::1" in told[0]


def test_peers_are_drained_and_used_again_one_by_one(box: Box) -> None:
    configured(box)
    for name in ("upstream-a", "root-server", "upstream-a"):
        drain.drain(name, box.machine, Told())
    assert drain.drained(box.machine) == ["upstream-a", "root-server"]
    assert rules(box).count("match") == 6
    drain.undrain("root-server", box.machine, Told())
    assert rules(box) == RULES
    drain.undrain("upstream-a", box.machine, Told())
    assert rules(box) == drain.NOBODY
    assert drain.drained(box.machine) == []


def test_an_upgrade_drains_all_peers_but_the_twin(box: Box) -> None:
    configured(box, document.load(TWO_EDGES, Site))
    drain.drain_all(box.machine)
    assert drain.drained(box.machine) == ["upstream-a", "route-server"]
    assert "10.64.0.2" not in rules(box)


def test_a_drain_says_that_a_static_default_route_stays(box: Box) -> None:
    limit = "    max_prefix: 1400000"
    configured(box, changed((limit, f"{limit}\n    routes: static")))
    told = Told()
    drain.drain("upstream-b", box.machine, told)
    assert "What leaves the box still goes by upstream-b" in told[1]
    drain.drain("upstream-a", box.machine, told)
    assert not any("still goes by upstream-a" in line for line in told)


def test_status_tells_who_is_drained(box: Box) -> None:
    configured(box)
    drain.drain("upstream-b", box.machine, Told())
    told = Told()
    commands.status(box.machine, told)
    assert "drained: upstream-b (exitisp undrain upstream-b)" in told


def test_a_drain_with_an_end_comes_to_it_by_itself(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    drain.drain("upstream-a", box.machine, Told(), 30)
    drain.drain("root-server", box.machine, Told())
    told = Told()
    commands.status(box.machine, told)
    assert "drained: upstream-a (exitisp undrain upstream-a), by itself in 31 min" in told
    assert "drained: root-server (exitisp undrain root-server)" in told
    now += 30 * 60 - 1
    drain.end_drains(box.machine, told)
    assert drain.drained(box.machine) == ["upstream-a", "root-server"]
    now += 1
    told.clear()
    drain.end_drains(box.machine, told)
    assert told == ["upstream-a is used again."]
    assert drain.drained(box.machine) == ["root-server"]
    box.forget()
    drain.end_drains(box.machine, told)
    assert box.calls == []


def test_the_end_of_a_drain_is_moved_and_taken_away(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    drain.drain("upstream-a", box.machine, Told(), 5)
    drain.drain("upstream-a", box.machine, Told())
    now += 600
    drain.end_drains(box.machine, Told())
    assert drain.drained(box.machine) == ["upstream-a"]


def test_an_end_that_bgpd_refuses_is_tried_again(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    configured(box)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    drain.drain("upstream-a", box.machine, Told(), 1)
    now += 60
    box.fail("/usr/local/libexec/exitisp/bgpctl -w 60 reload")
    with pytest.raises(Refusal):
        drain.end_drains(box.machine, Told())
    assert drain.drained(box.machine) == ["upstream-a"]
    box.programs.failures.clear()
    drain.end_drains(box.machine, Told())
    assert drain.drained(box.machine) == []


@pytest.mark.parametrize("data", ["", "{", "null", "[]", '{"upstream-a": "1"}', '{"a": true}'])
def test_a_damaged_record_of_ends_leaves_peers_drained_until_somebody_says_so(
    box: Box, data: str
) -> None:
    configured(box)
    drain.drain("upstream-a", box.machine, Told(), 1)
    (box.machine.state / drain.ENDS).write_text(data)
    with pytest.raises(Refusal, match=drain.ENDS.replace(".", r"\.")):
        drain.end_drains(box.machine, Told())
    assert drain.drained(box.machine) == ["upstream-a"]
    told = Told()
    assert not commands.status(box.machine, told)
    at = next(i for i, line in enumerate(told) if line.startswith("UNKNOWN: which drains end"))
    assert any(line.startswith("holds: ") for line in told[at:])
    drain.undrain("upstream-a", box.machine, Told())
    assert drain.drained(box.machine) == []
    drain.end_drains(box.machine, Told())


def test_a_name_that_nobody_has_is_refused_with_those_that_there_are(box: Box) -> None:
    configured(box)
    with pytest.raises(Refusal, match="Name one of upstream-a, upstream-b, route-server-1"):
        drain.drain("upstream-c", box.machine, Told())
    assert not (box.root / drain.RULES).exists()


def test_a_bgpd_that_refuses_keeps_the_rules_it_had(box: Box) -> None:
    configured(box)
    drain.drain("upstream-a", box.machine, Told())
    box.fail("/usr/local/libexec/exitisp/bgpctl -w 60 reload", "no bgpd there")
    with pytest.raises(Refusal, match="no bgpd there"):
        drain.drain("upstream-b", box.machine, Told())
    assert rules(box) == RULES
    with pytest.raises(Refusal):
        drain.undrain("upstream-a", box.machine, Told())
    assert rules(box) == RULES
