"""Changes that undo themselves unless somebody confirms them from a new login."""

import itertools
import os
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from firstboot.box import cli, commands, confirm, login, unconfirmed
from firstboot.box.apply import prepare
from firstboot.box.confirm import MINUTES, SILENCE, carry_out
from firstboot.box.history import End
from firstboot.box.unconfirmed import PLACE
from firstboot.box.upgrade import health
from firstboot.core.refusal import Refusal
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import Box, altered, changed, example
from tests.firstboot.box.cut import at_every_step
from tests.firstboot.box.test_apply import BGP_RELOAD, PEER, Told, configured

OTHER_PORT = ("203.0.113.10/24", "203.0.113.11/24")

Clock = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Moves both clocks on by so many seconds."""
    passed = 0.0
    monotonic, of_day = time.monotonic, time.time
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + passed)
    monkeypatch.setattr(time, "time", lambda: of_day() + passed)

    def move(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    return move


@pytest.fixture
def log_in(box: Box, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has this process be in a login that began so many seconds ago: over the SSH connection with
    that port at the other end, or on a console."""

    def log_in(leader: int, *, port: int = 0, age: int = 0) -> None:
        monkeypatch.setattr(os, "getsid", lambda _: leader)
        terminal, server = ("pts/0", "sshd-session") if port else ("u0", "login")
        since = f"{age // 86400}-{age // 3600 % 24}:{age // 60 % 60:02}:{age % 60:02}"
        rows = [(os.getpid(), leader, "0:00", terminal, "python")]
        rows += [(leader, 9, since, terminal, "sh"), (9, 1, since, "-", server)]
        box.answer(" ".join(login.PS), "\n".join(" ".join(map(str, row)) for row in rows))
        if port:
            monkeypatch.setenv("SSH_CONNECTION", f"192.0.2.7 {port} 192.0.2.1 22")
        else:
            monkeypatch.delenv("SSH_CONNECTION", raising=False)

    log_in(100, port=5000, age=60)
    return log_in


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_bytes(altered(PEER))
    return path


def changing(box: Box, site: Path, minutes: int = 10) -> Told:
    told = Told()
    box.is_like(changed(PEER).value)
    commands.apply_file(str(site), box.machine, told, minutes)
    return told


def boot(box: Box) -> Told:
    """As rc.d/exitisp_site does it, without the program that renders anew."""
    told = Told()
    shutil.rmtree(box.machine.state)
    if (box.machine.cfg / PLACE).exists():
        confirm.settle(box.machine, told)
    box.restarted()
    confirm.ran(box.machine, told)
    return told


def settled(box: Box) -> Told:
    told = Told()
    confirm.settle(box.machine, told)
    return told


def end(box: Box, generation: int) -> End:
    return next(one.end for one in box.machine.history.steps() if one.generation == generation)


def test_a_change_is_kept_once_a_new_login_confirms_it(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    assert changing(box, site)[-1] == "exitisp confirm"
    told = Told()
    assert commands.status(box.machine, told) is False
    assert (
        "NOT CONFIRMED: generation 2 goes back to generation 1 in 10 minutes: log in"
        in "\n".join(told)
    )
    later(60)
    log_in(200, port=5001)
    confirm.confirm(box.machine, Told())
    later(3600)
    assert settled(box) == []
    assert (box.machine.generations.current(), end(box, 2)) == (2, End.CONFIRMED)
    assert not (box.machine.cfg / PLACE).exists()


@pytest.mark.parametrize(
    ("leader", "port", "age", "why"),
    [
        (100, 5000, 120, "the login that made the change"),
        (101, 5000, 1, "the login that made the change"),
        (102, 5002, 120, "this login is older than the change"),
        (103, 5002, 61, "this login is older than the change"),
    ],
)
def test_a_login_that_proves_nothing_confirms_nothing(
    box: Box,
    site: Path,
    log_in: Callable[..., None],
    later: Clock,
    leader: int,
    port: int,
    age: int,
    why: str,
) -> None:
    """The shell that made it; another one over the same connection; one that was there before."""
    configured(box)
    changing(box, site)
    later(60)
    log_in(leader, port=port, age=age)
    with pytest.raises(Refusal, match=why):
        confirm.confirm(box.machine, Told())
    assert (box.machine.cfg / PLACE).exists()


def test_somebody_at_a_console_can_confirm(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    changing(box, site)
    log_in(300, age=100_000)
    confirm.confirm(box.machine, Told())
    assert end(box, 2) is End.CONFIRMED


def test_without_confirmation_the_box_goes_back(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    before = box.files()
    changing(box, site)
    later(599)
    assert settled(box) == []
    later(2)
    assert settled(box)[0] == "Nobody confirmed generation 2: back to generation 1."
    assert box.files() == before
    assert box.machine.generations.current() == 1
    assert end(box, 2) is End.REVERTED
    with pytest.raises(Refusal, match="nothing waits to be confirmed"):
        confirm.confirm(box.machine, Told())


def test_a_restart_in_time_goes_on_with_the_time_that_is_left(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    changing(box, site)
    later(300)
    boot(box)
    assert box.machine.generations.current() == 2
    assert end(box, 2) is End.WAITS
    later(280)
    assert settled(box) == []
    later(30)
    settled(box)
    assert box.machine.generations.current() == 1


@pytest.mark.parametrize("off", [700, -7200], ids=["too late", "with a clock that is behind"])
def test_a_boot_whose_time_is_over_never_runs_the_change(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock, off: float
) -> None:
    configured(box)
    before = box.files()
    changing(box, site)
    later(off)
    told = boot(box)
    assert told[0] == "Nobody confirmed generation 2: back to generation 1."
    assert box.files() == before
    assert (box.machine.generations.current(), end(box, 2)) == (1, End.REVERTED)


def test_any_login_after_a_restart_is_new(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    changing(box, site)
    boot(box)
    later(30)
    log_in(100, port=5000, age=5)
    confirm.confirm(box.machine, Told())
    assert end(box, 2) is End.CONFIRMED


def test_other_ports_wait_for_the_restart_and_go_back_with_another(
    box: Box, tmp_path: Path, log_in: Callable[..., None], later: Clock
) -> None:
    """An administrator who is locked out by another management network sees the box come back."""
    configured(box)
    path = tmp_path / "site.yaml"
    path.write_bytes(altered(OTHER_PORT))
    commands.apply_file(str(path), box.machine, Told(), 10)
    later(3600)
    assert settled(box) == []
    with pytest.raises(Refusal, match="it does not run yet"):
        confirm.confirm(box.machine, Told())
    box.is_like(changed(OTHER_PORT).value)
    boot(box)
    later(590)
    assert settled(box) == []
    later(20)
    box.forget()
    settled(box)
    assert box.machine.generations.current() == 1
    assert box.calls[-1] == "shutdown -r now"
    box.is_like(example().value)
    boot(box)
    running = box.machine.running()
    assert running is not None
    assert running.number == 1


def test_a_change_that_fails_is_undone_at_once(
    box: Box, site: Path, log_in: Callable[..., None]
) -> None:
    configured(box)
    before = box.files()
    box.fail(BGP_RELOAD)
    with pytest.raises(Refusal, match="the change failed and was undone"):
        changing(box, site)
    assert box.files() == before
    assert (box.machine.generations.current(), end(box, 2)) == (1, End.FAILED)
    assert not (box.machine.cfg / PLACE).exists()


def test_what_worked_before_and_stays_away_leads_back(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    changing(box, site)
    box.programs.up.discard("ntpd")
    assert settled(box) == []
    later(SILENCE - 60)
    box.programs.up.add("ntpd")
    settled(box)
    box.programs.up.discard("ntpd")
    later(60)
    assert settled(box) == []
    later(SILENCE + 1)
    assert settled(box)[0] == "No longer so: there is the clock: back to generation 1."


def test_what_the_change_takes_away_is_not_missed(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    gone = {"relay 250 has reached the network", "BGP with nobody is established", "ix77 is up"}
    found = health.signs
    with monkeypatch.context() as before:
        before.setattr(health, "signs", lambda machine: found(machine) | gone)
        changing(box, site)
    settled(box)
    later(SILENCE + 1)
    assert settled(box) == []


def test_a_change_on_top_of_another_leads_back_to_where_that_does(
    box: Box, site: Path, log_in: Callable[..., None], later: Clock
) -> None:
    configured(box)
    changing(box, site)
    site.write_bytes(altered(PEER) + b"# again\n")
    changing(box, site)
    later(601)
    settled(box)
    assert box.machine.generations.current() == 1
    with pytest.raises(Refusal, match="nothing that was well ran before it"):
        commands.rollback(None, box.machine, Told())


def test_a_rollback_to_what_was_confirmed_needs_no_confirmation(
    box: Box, site: Path, log_in: Callable[..., None]
) -> None:
    configured(box)
    changing(box, site)
    commands.rollback(None, box.machine, Told(), 10)
    assert box.machine.generations.current() == 1
    assert not (box.machine.cfg / PLACE).exists()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"generation": 2}'])
def test_a_damaged_record_is_not_confirmed_and_leads_back(
    box: Box, site: Path, log_in: Callable[..., None], data: bytes
) -> None:
    configured(box)
    changing(box, site)
    (box.machine.cfg / PLACE).write_bytes(data)
    log_in(200)
    with pytest.raises(Refusal, match="a change counts as not confirmed"):
        confirm.confirm(box.machine, Told())
    settled(box)
    assert box.machine.generations.current() == 1
    assert not (box.machine.cfg / PLACE).exists()


def test_a_power_cut_at_any_step_leads_back_to_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: Clock
) -> None:
    """Nobody can confirm after it: whatever the cut left, a late boot runs what ran before."""
    places = (tmp_path / str(number) for number in itertools.count())
    model = configured(boxes.make(tmp_path / "model", example().value))
    prepare(changed(PEER), model.machine, Told())
    before = model.files()

    def copy() -> Box:
        box = Box(next(places), model.programs)
        shutil.copytree(model.root, box.root, symlinks=True)
        box.is_like(changed(PEER).value)
        call = f"/bin/sh {box.root}/{boxes.SCRIPT} -r {box.root} identity"
        box.answer(call, f"{'1d' * 32}\n")
        return box

    def change(box: Box) -> None:
        carry_out(box.machine.generations.find(2), box.machine, Told(), "apply", 10)

    later(0)
    count = 0
    for box in at_every_step(copy, change):
        later(700)
        boot(box)
        assert box.machine.generations.current() == 1, count
        # A part of a file is in memory, which a real cut empties.
        assert box.files().items() >= before.items()
        count += 1
        shutil.rmtree(box.root)
    assert count > 20


def test_a_power_cut_before_the_switch_leaves_what_ran_as_well_as_it_was(
    box: Box, site: Path, later: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    well = end(box, 1)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(confirm, "take_on", cut)
    with pytest.raises(KeyboardInterrupt):
        changing(box, site)
    assert (box.machine.cfg / PLACE).exists()
    assert boot(box) == ["The change to generation 2 was cut off before the box ran it."]
    assert not (box.machine.cfg / PLACE).exists()
    assert end(box, 1) is well
    assert well.well


def test_a_change_on_an_unconfirmed_one_that_was_cut_off_leaves_that_one_unconfirmed(
    box: Box, site: Path, later: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    changing(box, site)

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    back = prepare(example(), box.machine, Told())
    with monkeypatch.context() as patch:
        patch.setattr(confirm, "take_on", cut)
        with pytest.raises(KeyboardInterrupt):
            carry_out(back, box.machine, Told(), "apply", 10)
    record = unconfirmed.read(box.machine)
    assert record is not None
    assert (record.generation, record.former) == (3, 1)
    boot(box)
    assert end(box, 2) is End.WAITS
    later(700)
    settled(box)
    assert box.machine.generations.current() == 1


def test_a_change_that_cannot_be_undone_is_undone_later(
    box: Box, site: Path, later: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    changing(box, site)
    later(700)

    def full(*_: object) -> None:
        raise Refusal("/cfg", "there is no room", "Remove something")

    with monkeypatch.context() as patch:
        patch.setattr(confirm, "take_on", full)
        with pytest.raises(Refusal, match="there is no room"):
            settled(box)
    assert box.machine.generations.current() == 2
    assert settled(box)[0] == "Nobody confirmed generation 2: back to generation 1."
    assert box.machine.generations.current() == 1
    assert not (box.machine.cfg / PLACE).exists()


def test_over_ssh_changes_have_to_be_confirmed_and_on_a_console_not(
    box: Box, site: Path, log_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
    configured(box)
    box.is_like(changed(PEER).value)

    def minutes(*words: str) -> int | None:
        assert cli.main(["apply", *words, str(site)]) == 0
        record = unconfirmed.read(box.machine)
        commands.rollback(1, box.machine, Told())
        return record.minutes if record else None

    assert minutes() == MINUTES
    assert minutes("--confirm", "3") == 3
    assert minutes("--no-confirm") is None
    log_in(300)
    assert minutes() is None
    assert minutes("--confirm=3") == 3


def test_no_upgrade_starts_while_a_change_waits(
    box: Box,
    site: Path,
    log_in: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
    configured(box)
    changing(box, site)
    for line in (["upgrade", "x.upgrade"], ["rollback", "--slot"]):
        assert cli.main(line) == 1
        assert re.search("waits to be confirmed", capsys.readouterr().err)


def test_a_dry_run_says_what_would_happen_and_nothing_does(
    box: Box, site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
    configured(box)
    before = box.files()

    def told(*changes: tuple[str, str]) -> str:
        site.write_bytes(altered(*changes))
        assert cli.main(["apply", "--dry-run", str(site)]) == 0
        said = capsys.readouterr().out
        return said[said.index("Nothing has changed.") :]

    said = told(PEER)
    peer = changed(PEER).value.peers[4]
    assert f"Other parts of the site: peers ({peer.name})." in said
    assert "Changes as it runs: BGP (/etc/local/bgpd.conf)." in said
    assert f"Ends and begins anew: BGP with {peer.name} (" in said
    assert re.search(r"Stays as it is: .*clock.*, relays", said)
    assert "the box has to restart" in told(OTHER_PORT)
    assert "No file would change" in told()
    site.write_bytes(altered(("asn: 65536", "asn: x")))
    assert cli.main(["apply", "--dry-run", str(site)]) == 1
    assert box.files() == before
    assert [one.number for one in box.machine.generations.all()] == [1]
    assert not box.started()
    assert len(box.machine.history.steps()) == 1
