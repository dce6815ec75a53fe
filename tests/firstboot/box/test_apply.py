"""From a site to a box that runs it: in order, stopping at the first no, gently the next time."""

import copy
import itertools
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.box import apply, machine
from firstboot.box.apply import apply_site, take_on, whole
from firstboot.box.commands import rollback, status
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site import check
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding
from firstboot.site.writer import compose
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import EXAMPLE, Box, changed, example
from tests.firstboot.box.cut import PowerCut, at_every_step, power_cut

BGP_RELOAD = "/usr/local/libexec/exitisp/bgpctl -w 60 reload"

GUARDS = [service.name for service in SYSTEM.services if service.guards]
OTHERS = [service.name for service in SYSTEM.services if not service.guards]

PEER = ("asn: 65536", "asn: 65538")
MANY = (PEER, ("count: 16", "count: 15"), ("nickname: OnionCoop{n}", "nickname: Onion{n}"))
SECRET = ("EKpCMmMTM7gbv4W4jvLnhxnA", "T9vTn5zQm2LwXc8RbYpKd4Hs")


class Told(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def configured(box: Box, site: Document[Site] | None = None) -> Box:
    """The box after a first boot with the example; what it did is forgotten."""
    site = site or example()
    box.is_like(site.value)
    apply_site(site, box.machine, Told())
    box.forget()
    return box


def applied(box: Box, *changes: tuple[str, str]) -> Told:
    """Apply the example with `changes`, on a box whose network is then as it says."""
    told = Told()
    site = changed(*changes)
    box.is_like(site.value)
    apply_site(site, box.machine, told)
    return told


def test_services_come_up_in_order_and_the_ports_last(box: Box) -> None:
    told = Told()
    apply_site(example(), box.machine, told)
    assert box.started() == [service.name for service in SYSTEM.services]
    order = ["netif", "pf", "exitisp_ports", "local_unbound", "exitisp_relays", "openbgpd"]
    assert [name for name in box.started() if name in order] == order
    assert box.calls[-1] == "service exitisp_ports raise"
    assert told[-1] == "The transit and exchange ports are up."


def test_what_is_said_while_the_ports_go_up_is_told(box: Box) -> None:
    """As that the other box of two did not answer."""
    box.answer("service exitisp_ports raise", "WARNING: no route to the other box\n")
    told = Told()
    apply_site(example(), box.machine, told)
    assert told[-2:] == [
        "WARNING: no route to the other box",
        "The transit and exchange ports are up.",
    ]


def test_the_rules_look_at_a_changed_site_once_and_at_the_one_before_once(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Site] = []

    def looking(site: Site) -> Iterator[Finding]:
        seen.append(site)
        return iter(())

    configured(box)
    monkeypatch.setattr(check, "RULES", (looking,))
    check._examined.cache_clear()
    data = compose(changed(PEER).value).encode()
    new = whole(check.examine_text(data, "new.yaml"))
    box.is_like(new.value)
    apply_site(new, box.machine, Told(), data=data)
    assert seen == [new.value, example().value]


def test_an_old_tor_is_told_with_what_becomes_of_the_family(box: Box) -> None:
    recorded = box.root / "usr/local/share/exitisp/packages.json"
    recorded.parent.mkdir(parents=True, exist_ok=True)
    for version, told in (("0.4.8.21", 1), ("0.4.9.12", 0)):
        recorded.write_text(json.dumps({"packages": {"tor": version}}))
        said = Told()
        apply_site(example(), box.machine, said)
        lines = [one for one in said if "knows no family keys, so the ids have no effect" in one]
        assert len(lines) == told


def test_every_checker_is_asked_before_anything_is_written_or_started(box: Box) -> None:
    apply_site(example(), box.machine, Told())
    calls = [call.split() for call in box.calls]
    names = [words[0].rpartition("/")[2] for words in calls]
    first = next(at for at, words in enumerate(calls) if words[0] == "service")
    for name, count in (("pfctl", 2), ("local-unbound-checkconf", 1), ("bgpd", 1), ("sshd", 1)):
        assert names[:first].count(name) == count, name
    assert names[:first].count("tor") == example().value.relays.count
    assert not any("AAAA" in call or "EKpC" in call for call in box.calls)


def test_the_box_has_what_was_rendered(box: Box) -> None:
    configured(box)
    running = box.machine.running()
    assert running is not None
    assert running.number == box.machine.generations.current() == 1
    for file in running.read().files:
        path = box.root / file.path
        assert path.read_text() == file.text
        assert path.stat().st_mode & 0o7777 == file.mode
    left = {file.path for file in running.read().files} ^ box.files().keys()
    assert left == set()


@pytest.mark.parametrize(
    ("program", "says", "place", "answer"),
    [
        (
            "/sbin/pfctl -nf",
            "{}/etc/pf.conf:LINE: syntax error",
            ("etc/pf.conf", "203.0.113.20 port 179"),
            "peers[4].addresses[0] (",
        ),
        (
            "/usr/local/sbin/bgpd -n",
            "{}/etc/local/bgpd.conf:LINE: unknown host",
            ("etc/local/bgpd.conf", "remote-as 64499"),
            "peers[1].asn (",
        ),
        (
            "/usr/local/sbin/bgpd -n",
            "{}/etc/local/bgpd.conf:LINE: bad password FzD6q0welCLSUmuuYK8KHleE",
            ("etc/local/bgpd.conf", "FzD6q0welCLSUmuuYK8KHleE"),
            "peers[1].md5 (",
        ),
        (
            "/usr/sbin/local-unbound-checkconf",
            "{}/var/unbound/unbound.conf:LINE: error: unknown keyword",
            ("var/unbound/unbound.conf", "outgoing-interface: 198.51.100.2"),
            "",
        ),
        (
            "/usr/sbin/sshd -t",
            "{}/etc/ssh/sshd_config line LINE: Bad configuration option",
            ("etc/ssh/sshd_config", "ListenAddress 192.0.2.194"),
            "ports[3].addresses[0] (",
        ),
        (
            "/usr/local/bin/tor",
            "[warn] Failed to parse/validate config: Nickname 'OnionCoop1' is wrong",
            ("etc/local/tor/torrc@relay1", "Nickname OnionCoop1"),
            "relays.nickname (",
        ),
    ],
)
def test_what_a_daemon_refuses_is_told_with_line_and_answer(
    box: Box, program: str, says: str, place: tuple[str, str], answer: str
) -> None:
    configured(box)
    before, path = box.files(), place[0]
    line = _line(box, *place)
    box.fail(program, says.replace("{}", "/tmp/x").replace("LINE", str(line)))
    with pytest.raises(Refusal) as refused:
        apply_site(changed(PEER), box.machine, Told())
    assert str(refused.value).startswith(
        f"/{path}:{line}: {program.split()[0].rpartition('/')[2]} refuses it: "
    )
    assert answer in str(refused.value)
    assert "FzD6" not in str(refused.value)
    assert box.files() == before
    assert box.machine.generations.current() == 1
    assert len(box.machine.generations.all()) == 1
    assert not any(call.startswith("service ") for call in box.calls)


def _line(box: Box, path: str, part: str) -> int:
    lines = (box.root / path).read_text().splitlines()
    return next(at for at, line in enumerate(lines, 1) if part in line)


def test_a_device_that_is_not_there_is_refused_with_those_that_are(box: Box) -> None:
    with pytest.raises(Refusal, match=r"^site\.yaml:24: .*'ix7'; it has ix0, ix1, ix2, igb0\."):
        apply_site(changed(("device: ix0", "device: ix7")), box.machine, Told())


@pytest.mark.parametrize("printed", ["", "lo0: flags=1\n\tinet 127.0.0.1 netmask 0xff000000\n"])
def test_no_site_is_applied_on_a_box_without_network_cards(box: Box, printed: str) -> None:
    box.answer("ifconfig -a", printed)
    with pytest.raises(Refusal, match="'ix0'; it has none at all"):
        apply_site(example(), box.machine, Told())
    assert box.machine.generations.all() == []
    assert box.files() == {}


@pytest.mark.parametrize("service", GUARDS)
def test_without_what_holds_packets_back_it_stops_there_with_the_ports_down(
    box: Box, service: str
) -> None:
    (start,) = (one.start for one in box.machine.system.services if one.name == service)
    box.fail(" ".join(start), "it does not work")
    with pytest.raises(
        Refusal, match=rf"service {service} \(.*: it does not work.*ports stay down"
    ):
        apply_site(example(), box.machine, Told())
    assert box.started()[-1] == service
    assert box.calls[-1] == "service exitisp_ports stop"
    assert "service exitisp_ports raise" not in box.calls


@pytest.mark.parametrize("service", OTHERS)
def test_a_service_that_does_not_come_up_takes_nothing_else_with_it(box: Box, service: str) -> None:
    box.fail(f"service {service} start", "it does not work")
    told = Told()
    with pytest.raises(Refusal, match=rf"service {service} \(.*: it does not work.*rollback"):
        apply_site(example(), box.machine, told)
    assert box.started() == [one.name for one in SYSTEM.services]
    assert box.calls[-1] == "service exitisp_ports raise"
    assert "service exitisp_ports stop" not in box.calls
    assert "The transit and exchange ports are up." in told


def test_a_secret_that_bgpd_does_not_take_on_lowers_no_port(box: Box) -> None:
    configured(box)
    box.fail(BGP_RELOAD, "no answer")
    with pytest.raises(Refusal, match="BGP"):
        applied(box, SECRET)
    assert "service exitisp_ports stop" not in box.calls
    assert box.calls[-1] == "service exitisp_ports raise"


def test_what_runs_before_a_box_is_configured_is_started_anew(box: Box) -> None:
    box.programs.up.add("syslogd")
    apply_site(example(), box.machine, Told())
    assert box.calls.index("service syslogd stop") < box.calls.index("service syslogd start")
    assert "service exitisp_relays stop" not in box.calls


def test_what_did_not_come_up_does_with_the_next_change(box: Box) -> None:
    box.fail("service exitisp_relays start", "no tor")
    with pytest.raises(Refusal):
        apply_site(example(), box.machine, Told())
    box.programs.failures.clear()
    box.forget()
    applied(box, PEER)
    assert box.started() == ["exitisp_relays"]
    assert box.calls[-1] == "service exitisp_ports raise"


@pytest.mark.parametrize("service", [one.name for one in SYSTEM.services if one.ready])
def test_a_service_that_starts_and_does_not_answer_is_one_that_is_not_up(
    box: Box, service: str
) -> None:
    ready = next(" ".join(one.ready) for one in SYSTEM.services if one.name == service)
    box.fail(ready, "not running")
    with pytest.raises(Refusal, match=rf"service {service} \(.*not running"):
        apply_site(example(), box.machine, Told())
    assert ("service exitisp_ports raise" in box.calls) is (service in OTHERS)


def test_the_ports_stay_down_if_something_could_leak(box: Box) -> None:
    box.answer("pfctl -s rules", "pass all")
    told = Told()
    with pytest.raises(Refusal, match="they stay down, because no rule LEAK4 on ix0"):
        apply_site(example(), box.machine, told)
    assert box.calls[-1] == "service exitisp_ports stop"
    assert "service exitisp_ports raise" not in box.calls


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ([PEER], {BGP_RELOAD}),
        ([SECRET], {BGP_RELOAD}),
        ([("policy: reduced", "policy: web")], {"service exitisp_relays reload"}),
        (
            [("abuse: abuse@example.net", "abuse: complaints@example.net")],
            {"service exitisp_relays reload"},
        ),
        (
            [("ntp2.example.net", "ntp3.example.net")],
            {"service ntpd stop", "service ntpd start"},
        ),
    ],
)
def test_only_what_changed_is_touched_and_gently(
    box: Box, changes: list[tuple[str, str]], calls: set[str]
) -> None:
    configured(box)
    applied(box, *changes)
    looking = {"status", "enabled", "raise"}
    acts = {
        call
        for call in box.calls
        if call.startswith(("service ", BGP_RELOAD, "ifconfig lo1", "pfctl -q -f"))
        and not looking & {*call.split()}
    }
    assert acts == calls
    assert box.calls[-1] == "service exitisp_ports raise"


def test_nothing_is_touched_if_nothing_changed(box: Box) -> None:
    configured(box)
    applied(box)
    assert not any("start" in call or "stop" in call or "reload" in call for call in box.calls)


def test_a_service_that_is_off_is_not_stopped_by_what_does_not_concern_it(box: Box) -> None:
    """The site has SSH off, and a new peer changes no file of SSH."""
    configured(box)
    box.fail("service sshd enabled")
    box.programs.up.discard("sshd")
    applied(box, PEER)
    assert not [call for call in box.calls if re.fullmatch(r"service \S+ stop", call)]


def test_a_service_that_the_site_turns_off_is_stopped(box: Box) -> None:
    configured(box)
    box.fail("service sshd enabled")
    keys = re.search(r"  keys:\n(    - ssh.*\n)+", EXAMPLE.read_text())
    assert keys
    applied(box, (keys[0], "  keys: []\n"))
    stopped = [call for call in box.calls if re.fullmatch(r"service \S+ stop", call)]
    assert stopped == ["service sshd stop"]


def test_more_relays_get_their_addresses_first(box: Box) -> None:
    configured(box)
    applied(box, ("count: 16", "count: 17"))
    adding = "ifconfig lo1 inet6 2001:db8:ee:443::11/128 alias"
    assert box.calls.index(adding) < box.calls.index("service exitisp_relays reload")


def test_fewer_relays_leave_their_addresses_until_the_next_boot(box: Box) -> None:
    """OpenBGPD does not survive that an IPv6 address goes."""
    configured(box, changed(("count: 16", "count: 17")))
    applied(box)
    assert not any(call.endswith("-alias") for call in box.calls)
    assert not (box.root / "etc/local/tor/torrc@relay17").exists()


def test_other_ports_take_a_restart_and_nothing_is_touched_before(box: Box) -> None:
    configured(box)
    before = box.files()
    told = applied(box, ("203.0.113.10/24", "203.0.113.11/24"))
    assert "takes a restart of the box: shutdown -r now" in told[-2]
    assert {path: text for path, text in box.files().items() if text != before[path]} == {}
    assert box.machine.generations.current() == 2
    running = box.machine.running()
    assert running is not None
    assert running.number == 1
    assert not any(call.startswith("service ") for call in box.calls)


def test_what_is_not_installed_is_told_and_left_out(box: Box) -> None:
    for program in ("usr/local/bin/tor", "usr/local/sbin/bgpd"):
        (box.root / program).unlink()
    told = Told()
    apply_site(example(), box.machine, told)
    assert "Not installed: relays (/usr/local/bin/tor)." in told
    assert "exitisp_relays" not in box.started()
    assert "openbgpd" not in box.started()


def test_two_do_not_change_a_box_at_once(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MEANWHILE", 0.0)
    with box.machine.alone(), pytest.raises(Refusal, match="another exitisp is changing it"):
        apply_site(example(), box.machine, Told())


def test_a_power_cut_while_a_site_is_applied_leaves_a_box_that_boots(tmp_path: Path) -> None:
    """What counts is what a boot finds on /cfg: one of the two, and all of it."""
    before = configured(boxes.make(tmp_path / "before", example().value))
    before.machine.generations.write(before.machine.generations.all()[0].read())
    places = (tmp_path / str(number) for number in itertools.count())

    def prepared() -> Box:
        root = next(places)
        shutil.copytree(before.root, root, symlinks=True)
        box = Box(root)
        box.is_like(example().value)
        box.programs.up.update(before.programs.up)
        return box

    def change(box: Box) -> None:
        take_on(box.machine.generations.find(2), box.machine, Told())

    for box in at_every_step(prepared, change):
        chosen = box.machine.generations.chosen()
        assert chosen is not None
        assert chosen.number in (1, 2)
        box.restarted()
        assert box.files() == before.files()


@pytest.mark.parametrize("then", ["another site", "back"])
def test_a_kill_at_any_step_leaves_no_file_of_another_site(tmp_path: Path, then: str) -> None:
    """After the next change, every file is that of the generation that runs."""
    root, like = tmp_path / "root", tmp_path / "like"
    made = configured(boxes.make(root, example().value))
    made.is_like(changed(*MANY).value)
    apply.prepare(changed(*MANY), made.machine, Told())
    shutil.copytree(root, like, symlinks=True)
    unfinished = 0
    for step in itertools.count(0, 1 if "EXITISP_FULL" in os.environ else 9):
        shutil.rmtree(root)
        shutil.copytree(like, root, symlinks=True)
        box = Box(root, copy.deepcopy(made.programs))
        try:
            with power_cut(step):
                take_on(box.machine.generations.find(2), box.machine, Told())
            break
        except PowerCut:
            pass
        touched = apply.unfinished(box.machine)
        unfinished += bool(touched)
        told = Told()
        status(box.machine, told)
        assert any(line.startswith("unfinished: ") for line in told) == bool(touched)
        if then == "another site":
            applied(box, SECRET)
        else:
            box.is_like(example().value)
            rollback(1, box.machine, Told())
        running = box.machine.running()
        assert running is not None
        assert running == box.machine.generations.chosen()
        assert box.files() == {file.path: file.text for file in running.read().files}
        assert not apply.unfinished(box.machine)
    assert unfinished > 1
