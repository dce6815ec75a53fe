"""What the box does once a minute: ports that have to go down, daemons that died or hang."""

import math
import os
import time
from collections.abc import Callable

import pytest

from firstboot.box import commands, remembered, restarts, tend, unconfirmed
from firstboot.box.apply import apply_site
from firstboot.box.machine import Machine, site_of
from firstboot.box.one_at_a_time import first
from firstboot.box.ports import raised
from firstboot.box.restarts import FIRST_PAUSE, LIMIT, PATIENCE
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.box.verdict import Verdict
from firstboot.core.refusal import Refusal
from tests.firstboot.box.box import BGPCTL, Box, changed, example
from tests.firstboot.box.test_apply import PEER, Told, configured

SINGLE = [one for one in SYSTEM.services if one.ready and one.each is None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds pass. Nobody waits."""
    now = 1000.0

    def passed(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(tend, "CHANGING", 0.0)
    return passed


@pytest.fixture
def well(box: Box, later: Callable[[float], None]) -> Box:
    """It runs the example, and its ports are up."""
    return configured(box)


def tended(box: Box) -> Told:
    told = Told()
    box.forget()
    tend.tend(box.machine, told)
    return told


def status(box: Box) -> tuple[bool, Told]:
    told = Told()
    return commands.status(box.machine, told), told


def foreign(box: Box) -> None:
    """A port has an address that nobody planned."""
    printed = box.programs.answers["ifconfig"]
    box.answer(
        "ifconfig", printed.replace("ix0: flags=8843<UP>", "ix0: flags=8843<UP>\n\tinet 8.8.8.8 x")
    )


def test_a_box_that_is_well_is_left_alone(well: Box) -> None:
    assert tended(well) == []
    assert not [call for call in well.calls if call.endswith((" start", " stop", " raise"))]
    assert not [call for call in well.calls if call.startswith("pkill")]
    assert status(well)[0]


@pytest.mark.parametrize("name", [one.name for one in SINGLE])
def test_a_service_that_died_is_restarted_by_its_own_script(well: Box, name: str) -> None:
    well.programs.up.discard(name)
    ((label, start),) = ((one.label, one.start) for one in SINGLE if one.name == name)
    told = tended(well)
    assert told[0] == f"Restarting the {label}: it does not run."
    assert well.started() == [name]
    assert well.calls.index(" ".join(start)) > 0
    good, said = status(well)
    assert good
    assert f"restarted: {label}, once 0 minutes ago" in said


def test_a_filter_starts_though_somebody_looks_at_it_at_that_moment() -> None:
    """rc(8) would take any pfctl(8) for a packet filter that runs."""
    (pf,) = (one for one in SINGLE if one.name == "pf")
    assert pf.start == ("service", "pf", "faststart")
    assert [one.name for one in SINGLE if "faststart" in one.start] == ["pf"]


def test_a_relay_that_died_is_restarted_alone(well: Box) -> None:
    well.programs.dead = {"relay3"}
    assert tended(well) == ["Restarting the relay 3: it does not run."]
    assert [call for call in well.calls if call.endswith((" start", " kill", "start relay3"))] == [
        "service exitisp_relays start relay3"
    ]
    assert raised(well.machine)


def started(box: Box, file: str, ahead: float) -> None:
    """The daemon with this pid file was started while the clock was so many seconds ahead."""
    path = box.root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("1\n")
    then = time.time() + ahead
    os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("file", "label", "start"),
    [
        ("var/run/tor/relay2.pid", "relay 2", "service exitisp_relays start relay2"),
        ("var/run/local_unbound.pid", "resolver", "service local_unbound start"),
    ],
)
def test_what_was_started_while_the_clock_was_ahead_is_started_again(
    well: Box, file: str, label: str, start: str
) -> None:
    started(well, file, 365 * 86400)
    good, said = status(well)
    assert not good
    assert f"DOWN: {label}: it was started while the clock was ahead" in said
    assert tended(well) == [f"Restarting the {label}: it was started while the clock was ahead."]
    assert [call for call in well.calls if call.startswith("service") and "start" in call] == [
        start
    ]
    assert raised(well.machine)


@pytest.mark.parametrize("ahead", [-365 * 86400, -1, 1800])
def test_a_clock_that_was_behind_or_little_ahead_restarts_nothing(well: Box, ahead: float) -> None:
    for file in ("tor/relay1.pid", "local_unbound.pid"):
        started(well, f"var/run/{file}", ahead)
    assert tended(well) == []
    assert status(well)[0]


def test_a_daemon_that_is_silent_for_a_while_is_killed_and_started(
    well: Box, later: Callable[[float], None]
) -> None:
    well.programs.hung = {"relay2", "openbgpd"}
    assert tended(well) == []
    later(PATIENCE)
    assert tended(well) == [
        "Restarting the relay 2: it runs and does not answer.",
        "Restarting the BGP: it runs and does not answer.",
    ]
    order = ["service exitisp_relays kill relay2", "service exitisp_relays start relay2"]
    assert [call for call in well.calls if "relay2" in call and "status" not in call] == order
    order = ["pkill -KILL -x bgpd", "service openbgpd start"]
    assert [call for call in well.calls if call in order] == order
    assert status(well)[0]


@pytest.mark.parametrize("name", ["sshd", "ntpd", "syslogd", "cron"])
def test_what_administrators_use_is_restarted_when_it_hangs(
    well: Box, later: Callable[[float], None], name: str
) -> None:
    well.programs.hung = {name}
    assert tended(well) == []
    later(PATIENCE)
    assert tended(well)[0].endswith(": it runs and does not answer.")
    assert well.calls.index(f"pkill -KILL -x {name}") < well.calls.index(f"service {name} start")
    assert status(well)[0]


def test_a_box_that_is_too_slow_to_ask_kills_nothing_for_that(
    well: Box, later: Callable[[float], None]
) -> None:
    well.programs.late = math.inf
    for _ in range(3):
        tended(well)
        later(PATIENCE)
    killed = {call.split()[-1] for call in well.calls if call.startswith("pkill")}
    assert killed.isdisjoint({"sshd", "ntpd", "syslogd", "cron"})
    assert not [call for call in well.calls if "exitisp_relays start" in call]
    good, said = status(well)
    assert not good
    assert "DOWN: log: nobody knows: the question for it was not done in 20 seconds" in said


def test_a_box_that_is_too_slow_for_all_questions_at_once_asks_again_one_by_one(well: Box) -> None:
    well.programs.late = 3
    good, said = status(well)
    assert good
    assert not [line for line in said if "nobody knows" in line]
    assert well.programs.late == 0


def test_one_that_answers_again_in_time_is_left_alone(
    well: Box, later: Callable[[float], None]
) -> None:
    well.programs.hung = {"sshd"}
    tended(well)
    well.programs.hung = set()
    later(60)
    tended(well)
    well.programs.hung = {"sshd"}
    later(PATIENCE)
    assert tended(well) == []


def test_one_that_somebody_else_restarts_meanwhile_is_left_alone(
    well: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    well.programs.up.discard("sshd")
    monkeypatch.setattr("time.sleep", lambda _: well.programs.up.add("sshd"))
    assert tended(well) == []
    assert well.started() == []


def test_what_never_comes_up_is_restarted_after_growing_pauses_and_then_only_told(
    well: Box, later: Callable[[float], None]
) -> None:
    well.fail("service sshd start", "no such key")
    well.programs.up.discard("sshd")
    starts = []
    for at in range(2**LIMIT):
        tended(well)
        if well.started():
            starts.append(at)
        later(FIRST_PAUSE)
    assert starts == [2**at - 1 for at in range(LIMIT)]
    good, said = status(well)
    assert not good
    assert any("6 times" in line and "NO MORE TODAY" in line for line in said)
    assert "DOWN: SSH on the management port: it does not run" in said
    assert raised(well.machine)


def test_the_last_restart_of_a_day_and_a_start_that_fails_are_told(
    well: Box, later: Callable[[float], None]
) -> None:
    well.fail("service sshd start", "no such key")
    well.programs.up.discard("sshd")
    history = restarts.History(LIMIT - 1, tuple(float(at) for at in range(LIMIT - 1)))
    restarts.write(well.machine.state / restarts.PLACE, {"sshd": history})
    later(FIRST_PAUSE * 2**LIMIT)
    assert tended(well) == [
        "Restarting the SSH on the management port: it does not run.",
        "That is restart 6 within a day. After the next failure somebody has to look.",
        "The SSH on the management port did not start: no such key",
    ]


def test_a_foreign_address_lowers_the_ports_and_they_come_back_without_it(
    well: Box, later: Callable[[float], None]
) -> None:
    foreign(well)
    (told,) = tended(well)
    assert told.startswith("The transit and exchange ports go down. no interface has a foreign")
    assert "service exitisp_ports stop" in well.calls
    good, said = status(well)
    assert not good
    assert "DOWN: transit and exchange ports: ix0 has 8.8.8.8" in said
    assert tended(well) == []
    assert "service exitisp_ports raise" not in well.calls
    well.is_like(example().value)
    assert tended(well) == ["The transit and exchange ports are up."]
    assert raised(well.machine)
    good, said = status(well)
    assert good
    assert "restarted: transit and exchange ports (raised again), once 0 minutes ago" in said


def test_pf_that_is_off_lowers_the_ports_and_comes_on_again(well: Box) -> None:
    well.answer("pfctl -s info", "Status: Disabled")
    well.programs.up.discard("pf")
    told = tended(well)
    assert told[0].endswith("pf guards every port towards strangers: pf is off")
    stop = well.calls.index("service exitisp_ports stop")
    assert (
        stop
        < well.calls.index("pfctl -q -f /etc/pf.conf")
        < well.calls.index("service pf faststart")
    )
    assert not raised(well.machine)


def test_ports_that_go_down_again_and_again_come_back_after_growing_pauses(
    well: Box, later: Callable[[float], None]
) -> None:
    for pause in (0.0, FIRST_PAUSE, 2 * FIRST_PAUSE):
        foreign(well)
        tended(well)
        well.is_like(example().value)
        if pause:
            later(pause - 1)
            tended(well)
            assert not raised(well.machine)
            later(1)
        tended(well)
        assert raised(well.machine)


def test_a_leak_that_a_change_of_the_configuration_ends_lowers_nothing(
    well: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign(well)
    first = tend._leaks(well.machine)
    seen = iter([first, [], []])
    monkeypatch.setattr(tend, "_leaks", lambda _: next(seen))
    assert tended(well) == []
    assert raised(well.machine)


def test_a_leak_lowers_the_ports_while_somebody_else_changes_the_box(well: Box) -> None:
    foreign(well)
    with well.machine.alone():
        tended(well)
    assert not raised(well.machine)


def test_while_somebody_else_changes_the_box_the_filter_is_theirs_to_load(well: Box) -> None:
    """Two that load rules at once disturb each other: one of them fails, and rc(8) loads the rules
    of an emergency then."""
    well.answer("pfctl -s info", "Status: Disabled")
    with well.machine.alone():
        tended(well)
    assert not raised(well.machine)
    assert "pfctl -q -f /etc/pf.conf" not in well.calls
    tended(well)
    assert "pfctl -q -f /etc/pf.conf" in well.calls


def test_a_leak_is_closed_before_anything_else_is_looked_at(well: Box) -> None:
    """What undoes a change may take minutes, as may the start of a daemon."""
    foreign(well)
    (well.machine.cfg / unconfirmed.PLACE).write_text("{")
    told = tended(well)
    lowered = next(at for at, line in enumerate(told) if "ports go down" in line)
    undone = next(at for at, line in enumerate(told) if unconfirmed.PLACE in line)
    assert lowered < undone


def test_nothing_is_restarted_while_somebody_changes_the_box(
    well: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstboot.box.machine.MEANWHILE", 0.0)
    well.programs.up.discard("sshd")
    with well.machine.alone():
        assert "another exitisp is changing it" in tended(well)[0]
    assert well.started() == []


def test_nothing_is_restarted_or_raised_while_the_box_is_not_to_be_tended(well: Box) -> None:
    mark = well.machine.state / "untended"
    mark.touch()
    well.programs.up.discard("sshd")
    foreign(well)
    assert len(tended(well)) == 1
    assert not raised(well.machine)
    well.is_like(example().value)
    assert tended(well) == []
    assert well.started() == []
    assert not raised(well.machine)
    good, said = status(well)
    assert not good
    assert any(line.startswith("UNTENDED: nothing is restarted") for line in said)
    mark.unlink()
    tended(well)
    assert well.started() == ["sshd"]
    assert raised(well.machine)


def test_ports_that_somebody_else_raises_meanwhile_are_not_counted(
    well: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = well.machine.state / "raised"
    mark.unlink()

    def raises_meanwhile(_: Machine) -> list[Verdict]:
        mark.touch()
        return []

    monkeypatch.setattr(tend, "_leaks", raises_meanwhile)
    assert tended(well) == []
    assert "service exitisp_ports raise" not in well.calls
    assert restarts.read(well.machine.state / restarts.PLACE) == {}


def test_only_one_looks_after_the_box_at_a_time(well: Box) -> None:
    well.programs.up.discard("sshd")
    with first(well.machine.state / "tend.lock") as alone:
        assert alone
        assert tended(well) == []
    assert len(tended(well)) == 1


@pytest.mark.parametrize("data", [b"", b"{", b"[]"])
def test_a_damaged_record_is_told_and_daemons_are_restarted_nevertheless(
    well: Box, data: bytes
) -> None:
    path = well.machine.state / restarts.PLACE
    path.write_bytes(data)
    good, said = status(well)
    assert not good
    assert any(line.startswith("UNKNOWN: what was restarted") for line in said)
    well.programs.up.discard("sshd")
    told = tended(well)
    assert told[0].startswith("The record of restarts is damaged: ")
    assert well.started() == ["sshd"]
    assert restarts.read(path)["sshd"].count == 1


def test_a_site_that_cannot_be_read_is_told_and_leaves_the_ports_as_they_are(well: Box) -> None:
    running = well.machine.running()
    assert running is not None
    (running.folder / "index").write_text("")
    assert all("damaged" in line for line in tended(well))
    assert raised(well.machine)


def test_bgp_is_asked_by_what_waits_until_it_has_settled(well: Box) -> None:
    tended(well)
    assert f"{BGPCTL} show" in well.calls


def test_a_box_whose_cfg_is_gone_is_looked_after_by_what_it_remembers(well: Box) -> None:
    tended(well)
    well.machine.cfg.rename(well.root / "away")
    well.programs.up.discard("ntpd")
    assert "Restarting the clock: it does not run." in tended(well)
    foreign(well)
    tended(well)
    assert not raised(well.machine)
    good, said = status(well)
    assert not good
    assert any(line.startswith("NOT MOUNTED: /cfg: what runs goes on") for line in said)
    assert "UNREADABLE: the running generation; " in "".join(said)
    assert "up: relays" in said
    (well.root / "away").rename(well.machine.cfg)


def test_a_remembered_site_is_a_secret_and_follows_what_runs(well: Box) -> None:
    tended(well)
    path = well.machine.state / remembered.PLACE
    assert path.stat().st_mode & 0o777 == 0o600
    (one,) = well.machine.generations.all()
    assert path.read_bytes() == site_of(one)
    apply_site(changed(PEER), well.machine, Told())
    tended(well)
    assert path.read_bytes() == site_of(well.machine.generations.all()[-1])
    path.write_bytes(b"")
    well.machine.cfg.rename(well.root / "away")
    with pytest.raises(Refusal, match="it is empty"):
        remembered.running(well.machine)
