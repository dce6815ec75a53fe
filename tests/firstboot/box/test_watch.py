"""Somebody is told when something becomes wrong with the box, and when it is well again."""

import re
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.box import commands, status, watch
from firstboot.box.alarms import letter, strangers
from firstboot.box.alarms import record as records
from firstboot.box.alarms.delivery import Sender
from firstboot.box.alarms.letter import Letter, Undelivered, Way
from firstboot.box.alarms.record import PLACE, TRIES, WAITING
from firstboot.box.machine import Machine
from firstboot.box.one_at_a_time import first
from firstboot.box.ports import lower
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from firstboot.site.alarms import Destination
from tests.firstboot.box.box import EXAMPLE, Box, changed, example
from tests.firstboot.box.test_apply import Told, configured
from tests.firstboot.box.test_consensus import all_listed

ALARM = """\
alarm:
  mail: {relay: mail.example.org, address: 192.0.2.25, to: [noc@example.org]}
  webhook: {url: "https://hooks.example.org/secret"}
relays:
"""
FAMILY = ("    ids: [MlKee4HVp0kUHwzAi1FxiB/TqVYsZm4l5stWPLnd7+c]\n", "")
SITE = ("relays:\n", ALARM)
BY_MAIL = ("relays:\n", re.sub(r"  webhook.*\n", "", ALARM))


class Servers:
    """The servers of the site, in the place of `Sender.deliver`. Those in `away` take nothing."""

    def __init__(self) -> None:
        self.got: list[tuple[str, Letter]] = []
        self.away: set[str] = set()
        self.ways: list[tuple[Way, ...]] = []

    def deliver(
        self, sender: Sender, message: Letter, to: Destination, ways: tuple[Way, ...] = tuple(Way)
    ) -> Way:
        self.ways.append(tuple(ways))
        if to.channel in self.away:
            raise Undelivered("it answers 554, ask 203.0.113.99")
        self.got.append((to.channel, message))
        return ways[0]

    def texts(self, channel: str = "mail") -> list[str]:
        """What a channel got, and forget it."""
        found = [message.text.split("\n\n")[0] for to, message in self.got if to == channel]
        self.got = [one for one in self.got if one[0] != channel]
        return found


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets minutes pass."""
    now = 1000.0

    def passed(minutes: float = 1) -> None:
        nonlocal now
        now += 60 * minutes

    monkeypatch.setattr("time.monotonic", lambda: now)
    return passed


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    found = Servers()
    monkeypatch.setattr(Sender, "deliver", lambda *of, **more: Servers.deliver(found, *of, **more))
    return found


@pytest.fixture
def well(box: Box, minute: Callable[..., None], servers: Servers) -> Box:
    return all_listed(configured(box, changed(SITE, FAMILY)))


def looked(box: Box, minute: Callable[..., None], minutes: int = 1) -> Told:
    told = Told()
    for _ in range(minutes):
        minute()
        watch.watch(box.machine, told)
    return told


def test_a_box_that_is_well_tells_nothing_and_writes_nothing(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    assert looked(well, minute, 3) == []
    assert servers.got == []
    assert not (well.machine.state / PLACE).exists()


def test_both_are_told_what_died_and_that_it_lives(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    well.programs.dead = {"relay3"}
    looked(well, minute)
    assert servers.got == []
    looked(well, minute, 5)
    assert servers.texts() == ["DOWN: relay 3: it does not run"]
    ((_, message),) = servers.got
    assert message.document["box"] == "AS65550 (198.51.100.1)"
    assert message.document["sentences"] == [
        {"cause": "relay 3: it runs", "text": "DOWN: relay 3: it does not run", "wrong": True}
    ]
    well.programs.dead = set()
    looked(well, minute, 3)
    assert servers.texts() == ["Well again, after 6 minutes: relay 3: it runs"]
    assert message.subject == "exitisp, AS65550 (198.51.100.1): 1 alarm"


def test_what_is_wrong_at_once_goes_out_in_one_message(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    well.programs.up -= {"ntpd", "sshd"}
    lower(well.machine, "somebody asked for it")
    well.answer("pfctl -s info", "Status: Disabled")
    looked(well, minute, 2)
    (text,) = servers.texts()
    assert text.splitlines() == [
        "DOWN: clock: it does not run",
        "DOWN: SSH on the management port: it does not run",
        "DOWN: transit and exchange ports: somebody asked for it",
        "NOT SO: pf guards every port towards strangers: pf is off (the ports go down)",
    ]


@pytest.mark.parametrize(
    "spoils",
    [
        lambda box: box.answer("/usr/local/libexec/exitisp/bgpctl -j show neighbor", "none"),
        lambda box: (box.machine.state / "untended").touch(),
        lambda box: (box.machine.state / "restarts.json").write_text("{"),
        lambda box: (box.machine.state / "drains.json").write_text("{"),
    ],
)
def test_so_is_everything_else_that_status_finds_wrong(
    spoils: Callable[[Box], None], well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    spoils(well)
    assert not commands.status(well.machine, Told())
    looked(well, minute, 2)
    assert len(servers.texts()) == 1


def test_a_session_that_the_neighbour_has_down_is_told_though_the_box_is_well(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    well.speaks(changed(SITE, FAMILY).value, state="Active")
    assert commands.status(well.machine, Told())
    looked(well, minute, 2)
    (text,) = servers.texts()
    assert text.splitlines() == ["DOWN: BGP with upstream-a (192.0.2.1): it is down (Active)"]


def test_that_status_itself_fails_is_told(
    well: Box, minute: Callable[..., None], servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Machine) -> Iterator[status.Line]:
        yield status.Line("running: generation 1")
        raise Refusal("/etc", "it is gone", "Look for it")

    monkeypatch.setattr("firstboot.box.look.lines", fails)
    looked(well, minute)
    (text,) = servers.texts()
    assert text.startswith("UNKNOWN: how the box is: /etc: it is gone")


def test_a_message_waits_for_the_server_that_is_away_and_for_no_other(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    servers.away = {"mail"}
    well.programs.dead = {"relay3"}
    looked(well, minute, 2)
    assert servers.texts("webhook") == ["DOWN: relay 3: it does not run"]
    assert servers.texts("mail") == []
    told = Told()
    assert not commands.status(well.machine, told)
    assert "NOT DELIVERED: alarms by mail: it answers 554, ask an address (1 waiting)" in told
    looked(well, minute, 2)
    assert servers.texts("webhook") == [
        "NOT DELIVERED: alarms by mail: it answers 554, ask an address (1 waiting)"
    ]
    servers.away = set()
    looked(well, minute, 5)
    first, second, *_ = servers.texts("mail")
    assert first == "DOWN: relay 3: it does not run"
    assert second.startswith("NOT DELIVERED: alarms by mail")
    assert servers.texts("webhook")[0].endswith(": alarms go out by mail")
    well.programs.dead = set()
    assert commands.status(well.machine, Told())


def test_it_is_tried_at_growing_pauses_and_then_given_up(
    box: Box, minute: Callable[..., None], servers: Servers
) -> None:
    configured(box, changed(BY_MAIL, FAMILY))
    servers.away = {"mail"}
    box.programs.dead = {"relay3"}
    told = looked(box, minute, 20)
    assert 3 < len(servers.ways) < 7
    for _ in range(TRIES):
        minute(60)
        watch.watch(box.machine, told)
    assert told == [f"An alarm is given up after {TRIES} tries: DOWN: relay 3: it does not run"]
    record = records.read(box.machine.state / PLACE)
    assert (record.messages, record.lost) == ((), 1)
    said = Told()
    assert not commands.status(box.machine, said)
    assert any("(0 waiting, 1 given up)" in line for line in said)


def test_no_more_messages_wait_than_fit(
    box: Box, minute: Callable[..., None], servers: Servers
) -> None:
    configured(box, changed(BY_MAIL, FAMILY))
    servers.away = {"mail"}
    for number in range(1, 17):
        box.programs.dead = {f"relay{number}"}
        looked(box, minute, 2)
    record = records.read(box.machine.state / PLACE)
    assert len(record.messages) == WAITING
    assert record.lost > 0


def test_a_site_that_names_nobody_costs_nothing(
    box: Box, minute: Callable[..., None], servers: Servers
) -> None:
    configured(box)
    box.programs.dead = {"relay3"}
    assert looked(box, minute, 3) == []
    assert box.calls == []
    for command in (watch.test, watch.show):
        with pytest.raises(Refusal, match="names nobody who is told"):
            command(box.machine, Told())


def test_an_unconfigured_box_is_left_alone(box: Box, servers: Servers) -> None:
    watch.watch(box.machine, Told())
    assert servers.got == []


def test_a_program_without_tls_says_so(
    well: Box, minute: Callable[..., None], servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "firstboot.box.alarms.delivery", None)
    well.programs.dead = {"relay3"}
    looked(well, minute, 2)
    told = Told()
    assert not commands.status(well.machine, told)
    (line, _) = (one for one in told if one.startswith("NOT DELIVERED"))
    assert "this program has no TLS" in line
    with pytest.raises(Refusal, match="no TLS"):
        watch.test(well.machine, told)


def test_two_looks_at_once_are_one(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    well.programs.dead = {"relay3"}
    with first(well.machine.state / "watch.lock") as alone:
        assert alone
        looked(well, minute, 3)
    assert servers.got == []


def test_a_damaged_record_begins_anew_and_that_is_told(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    well.machine.state.joinpath(PLACE).write_text("[]")
    assert "The record of alarms is damaged" in looked(well, minute)[0]
    well.machine.state.joinpath(PLACE).write_text("[]")
    told = Told()
    assert not commands.status(well.machine, told)
    assert any(line.startswith("UNKNOWN: which alarms were sent") for line in told)


def test_a_test_goes_each_way_and_says_what_came_of_it(well: Box, servers: Servers) -> None:
    told = Told()
    servers.away = {"webhook"}
    assert watch.test(well.machine, told) is False
    assert told == [
        "mail, from the router's address: mail.example.org has taken it",
        "mail, over the management port: mail.example.org has taken it",
        "webhook, from the router's address: NOT SENT: it answers 554, ask 203.0.113.99",
        "webhook, over the management port: NOT SENT: it answers 554, ask 203.0.113.99",
    ]
    assert servers.ways == [(Way.ROUTER,), (Way.MANAGEMENT,)] * 2
    assert servers.got[0][1].subject == "exitisp, AS65550 (198.51.100.1): a test"
    assert "This is a test, sent from the router's address." in servers.got[0][1].text
    servers.away = set()
    assert watch.test(well.machine, told)


def test_who_is_told_and_what_they_were_told_is_shown(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    told = Told()
    assert watch.show(well.machine, told)
    assert told == [
        "mail: by mail.example.org, port 587 to noc@example.org",
        "webhook: by hooks.example.org, port 443",
        "Nothing is wrong.",
    ]
    well.programs.dead = {"relay3"}
    servers.away = {"mail"}
    looked(well, minute, 3)
    told = Told()
    assert not watch.show(well.machine, told)
    assert "told, since 2 minutes: DOWN: relay 3: it does not run" in told
    assert not any("secret" in line for line in told)


def test_nothing_that_leaves_has_an_address_that_is_not_the_site_s(
    well: Box, minute: Callable[..., None], servers: Servers
) -> None:
    """Whatever programs say: here, each of them speaks of somebody's address."""
    foreign = ("8.8.4.4", "2606:4700::1111", "198.51.100.77", "[2a00:1450::5]:443", "9.9.9.9:53")
    text = f"who talks to {', '.join(foreign)}, at 10:30:55"
    for call in (
        "ifconfig", "sockstat -46lqw", "setfib 0 netstat -rn", "pfctl -s info", "pfctl -s rules",
        "/usr/local/libexec/exitisp/bgpctl -j show neighbor",
        "ntpq -n -c sysinfo -c rv 0 offset",
    ):  # fmt: skip
        before = well.programs.answers.get(call, "")
        well.answer(
            call, f"{before}\ninet 8.8.4.4 {text}\nroot tor 1 2 tcp4 8.8.4.4:443 9.9.9.9:5\n"
        )
    lower(well.machine, text)
    servers.away = {"webhook"}
    looked(well, minute, 20)
    site = changed(SITE, FAMILY).value
    own = {str(one) for one in strangers.known(site)}
    sent = "\n".join(str((one.subject, one.text, one.document)) for _, one in servers.got)
    record = (well.machine.state / PLACE).read_text()
    assert sent.count("who talks to an address, an address") >= 1
    for said in (sent, record):
        for word in re.findall(r"[0-9A-Fa-f:.]{3,}", said):
            with pytest.MonkeyPatch.context():
                try:
                    address = str(ip_address(word.strip(".")))
                except ValueError:
                    continue
                assert address in own, word


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("from 8.8.8.8 to 198.51.100.1", "from an address to 198.51.100.1"),
        ("[2606:4700::1]:443", "[an address]:443"),
        ("::ffff:8.8.8.8", "an address"),
        ("8.8.8.8:53 and 8.8.8.8.", "an address:53 and an address."),
        ("at 10:30:55, 1.2.3, Tor 0.4.9.11, fe80::1%ix0", None),
        ("neighbour 192.0.2.1, 203.0.113.10", "neighbour 192.0.2.1, 203.0.113.10"),
        ("127.0.0.1 and ::1 and *:9001", "127.0.0.1 and ::1 and *:9001"),
    ],
)
def test_addresses_of_strangers_are_replaced(text: str, kept: str | None) -> None:
    site = example().value
    said = strangers.without(text, site)
    if kept is None:
        assert said.startswith("at 10:30:55, 1.2.3, Tor ")
        assert "fe80" not in said
    else:
        assert said == kept


def test_all_of_the_site_s_own_addresses_are_known() -> None:
    site = example().value
    assert {*allot(site).addresses} <= strangers.known(site)
    assert {one for peer in site.peers for one in peer.addresses} <= strangers.known(site)


def test_a_letter_of_many_sentences_is_cut(tmp_path: Path) -> None:
    many = tuple(records.Sentence(f"{n}", f"DOWN: relay {n}", wrong=True) for n in range(64))
    site = example().value
    found = letter.written(records.Message(0, many, ()), site)
    assert "... and 34 more: exitisp status" in found.text
    assert found.subject.endswith(": 64 alarms")
    assert EXAMPLE.exists()
