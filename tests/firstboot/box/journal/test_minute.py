"""What the box writes into its journal as minutes pass."""

import re
import shutil
from collections.abc import Callable
from ipaddress import ip_address

import pytest

from firstboot.box import cli
from firstboot.box.host import Ran
from firstboot.box.journal import noted, store
from firstboot.box.journal.entry import Kind, Note
from firstboot.box.journal.minute import note
from firstboot.box.journal.noted import MOST, PLACE
from firstboot.box.look import Look, look
from firstboot.box.ports import lower
from firstboot.box.status import Line
from tests.firstboot.box.box import Box, changed
from tests.firstboot.box.journal.keeping import NOON, KeyedBox, with_key
from tests.firstboot.box.test_apply import PEER, Told, applied, configured
from tests.firstboot.box.test_consensus import all_listed
from tests.firstboot.box.test_metrics import NETSTAT, RELAY, STRANGERS
from tests.firstboot.box.test_watch import FAMILY

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets minutes pass, and has the clock be set."""
    now, moved = 1000.0, NOON - 1000.0

    def passed(minutes: float = 1, jump: float = 0) -> None:
        nonlocal now, moved
        now += 60 * minutes
        moved += jump

    monkeypatch.setattr("time.monotonic", lambda: now)
    monkeypatch.setattr("time.time", lambda: now + moved)
    return passed


@pytest.fixture
def well(box: Box, minute: Callable[..., None]) -> KeyedBox:
    return with_key(configured(box, changed(FAMILY)))


def looked(box: Box) -> tuple[Note, ...]:
    """What the next minute adds."""
    before = len(store.read(box.machine).chain.entries)
    told = Told()
    note(box.machine, look(box.machine), told)
    assert told == []
    found = store.read(box.machine)
    assert found.sound
    return tuple(one.note for one in found.chain.entries[before:])


def sentences(notes: tuple[Note, ...]) -> list[tuple[Kind, str]]:
    return [(one.kind, one.text) for one in notes if one.kind is not Kind.COUNTERS]


def test_a_box_that_is_well_writes_once_an_hour(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    all_listed(well)
    assert sentences(looked(well)) == [
        (Kind.START, "The box has run for 16 minutes, with generation 1."),
        (Kind.PORTS, "The transit and exchange ports are up."),
    ]
    kinds = []
    for _ in range(3):
        minute(20)
        kinds += [one.kind for one in looked(well)]
    assert kinds == [Kind.COUNTERS]


def test_what_changes_is_noted_when_it_begins_and_when_it_ends(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    looked(well)
    minute()
    well.programs.dead = {"relay3"}
    lower(well.machine, "somebody at 203.0.113.99 asked for it")
    down = "The transit and exchange ports are down: somebody at an address asked for it."
    assert set(sentences(looked(well))) == {
        (Kind.PORTS, down),
        (Kind.BEGAN, "DOWN: relay 3: it does not run"),
        (Kind.BEGAN, "DOWN: transit and exchange ports: somebody at an address asked for it"),
    }  # fmt: skip
    minute()
    well.programs.dead = set()
    assert sentences(looked(well)) == [(Kind.ENDED, "Well again: relay 3: it runs")]


def test_the_filter_the_clock_and_the_configuration_are_noted(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    looked(well)
    minute(jump=-3600)
    applied(well, PEER)
    well.answer("pfctl -s info", "Status: Disabled")
    minute()
    found = sentences(looked(well))
    assert (Kind.CLOCK, "The clock was set back by 3600 seconds.") in found
    change = "Another configuration runs: generation 2 (apply: "
    assert any(kind is Kind.CONFIGURATION and text.startswith(change) for kind, text in found)
    assert any("pf is off (the ports go down)" in text for _, text in found)


def test_what_could_leak_is_noted_although_it_is_mended_within_the_minute(
    well: KeyedBox, minute: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box loads the filter's rules anew before anybody looks what is to be noted."""
    monkeypatch.setattr(cli, "_machine", lambda _: well.machine)
    monkeypatch.setattr("signal.alarm", lambda _: 0)
    cli.main(["tend"])
    whole = well.programs.answers["pfctl -s rules"]
    well.answer("pfctl -s rules", "pass all")
    ran = well.programs.run

    def run(call: str) -> Ran:
        if call.endswith("pfctl -q -f /etc/pf.conf"):
            well.answer("pfctl -s rules", whole)
        return ran(call)

    monkeypatch.setattr(well.programs, "run", run)
    minute()
    before = len(store.read(well.machine).chain.entries)
    cli.main(["tend"])
    found = sentences(tuple(one.note for one in store.read(well.machine).chain.entries[before:]))
    assert found[:2] == [
        (Kind.PORTS, "The transit and exchange ports went down: no rule LEAK4 on ix0."),
        (Kind.PORTS, "The transit and exchange ports are up again."),
    ]
    began = [text for kind, text in found if kind is Kind.BEGAN]
    assert any(text.startswith("NOT SO: pf guards every port") for text in began)
    minute()
    before += len(found)
    cli.main(["tend"])
    found = sentences(tuple(one.note for one in store.read(well.machine).chain.entries[before:]))
    assert (Kind.ENDED, "Well again: pf guards every port towards strangers") in found


def test_packets_that_the_filter_stopped_are_noted_with_their_number(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    well.stopped(2)
    looked(well)
    minute()
    well.stopped(7)
    (leak,) = (one for one in looked(well) if one.kind is Kind.LEAK)
    assert leak.values["packets"] == 5
    minute()
    assert [one for one in looked(well) if one.kind is Kind.LEAK] == []


def test_the_counters_of_an_hour_are_of_the_box_as_a_whole(well: KeyedBox) -> None:
    for number in range(1, 17):
        place = f"http://127.0.0.2:{9100 + number}/metrics"
        written = 'tor_relay_traffic_bytes{direction="written"} 5000000\n'
        well.answer(f"fetch -q -T 5 -o - {place}", RELAY + written)
    well.answer("netstat -ibn", NETSTAT)
    well.stopped(3)
    (found,) = (one for one in looked(well) if one.kind is Kind.COUNTERS)
    assert found.values["relays"] == 16
    assert found.values["relayed"] == 80
    assert found.values["pf.LEAK4"] == 3
    assert found.values["in.ix0"] == 244
    assert found.values["prefixes.upstream-a/4"] == 1000


def test_no_address_of_a_stranger_is_on_the_disk(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    """While every program speaks of strangers, and ends in all kinds of ways."""
    looked(well)
    for call, answer in [*well.programs.answers.items()]:
        if not call.startswith(("/bin/sh", "ifconfig")):
            well.answer(call, f"{answer}\n{STRANGERS}from 203.0.113.99 port 443, 2001:db8:f::99\n")
    well.fail("pfctl -s info", "no: 203.0.113.99:443 2001:db8:f::99")
    well.fail("service sshd", "203.0.113.99 said no")
    printed = well.programs.answers["ifconfig"]
    foreign = "ix0: flags=8843<UP>\n\tinet 203.0.113.99 x"
    well.answer("ifconfig", printed.replace("ix0: flags=8843<UP>", foreign))
    lower(well.machine, "2001:db8:f::99 is strange")
    for _ in range(3):
        minute(31)
        note(well.machine, look(well.machine), Told())
    written = b"".join(one.read_bytes() for one in (well.root / "data").rglob("*") if one.is_file())
    assert b"an address" in written
    for word in re.findall(rb"[0-9A-Fa-f:.]{6,}", written):
        assert not word.startswith((b"203.0.113.99", b"2001:db8:f", b"8.8.4.4", b"2606:4700"))
    own = {str(one) for one in _own(well)}
    for word in re.findall(r"(?<![\w.])\d+\.\d+\.\d+\.\d+", written.decode()):
        assert word in own or ip_address(word).is_loopback


def _own(box: Box) -> frozenset[object]:
    from firstboot.box.alarms.strangers import known
    from firstboot.box.remembered import running

    return frozenset(known(running(box.machine).site))


def test_a_session_that_comes_and_goes_does_not_fill_the_journal(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    lines = [Line(f"DOWN: {number}", f"daemon {number} runs") for number in range(2 * MOST)]
    note(well.machine, Look(tuple(lines)), Told())
    for number in range(5):
        minute()
        note(well.machine, Look(tuple(lines[:number])), Told())
    entries = store.read(well.machine).chain.entries
    assert MOST <= len(entries) <= MOST + 5
    assert any("are left out" in one.note.text for one in entries)


def test_a_damaged_record_of_what_was_noted_is_told_and_begins_anew(
    well: KeyedBox, minute: Callable[..., None]
) -> None:
    looked(well)
    (well.machine.state / PLACE).write_text("{}")
    told = Told()
    note(well.machine, look(well.machine), told)
    assert told[0].startswith("The record of what was noted is damaged")
    assert noted.read(well.machine.state / PLACE)


def test_the_minute_s_run_writes_it_and_goes_on_without_its_disk(
    well: KeyedBox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: well.machine)
    monkeypatch.setattr("signal.alarm", lambda _: 0)
    assert cli.main(["tend"]) == 0
    assert store.read(well.machine).sound
    (well.root / "data").rename(well.root / "gone")
    assert cli.main(["tend"]) == 0
    assert "The journal is not written: /data" in capsys.readouterr().out
