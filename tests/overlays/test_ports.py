"""rc.d/exitisp_ports with stand-ins for ifconfig and pfctl: cards that are gone, pf that is off."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.box.cli import GATE_WAITS
from firstboot.box.host import PATIENCE
from firstboot.box.machine import MEANWHILE
from firstboot.box.ports import PAUSE, TRIES
from firstboot.box.systems.freebsd.preflight import (
    STAND_IN,
    parse_bundles,
    parse_interfaces,
    stand_ins,
)
from firstboot.site.address_plan import allot
from firstboot.site.model import Routes, Site
from firstboot.site.render import render
from tests.box_programs import search
from tests.firstboot.site.daemons.sites import BOX, ROOT, example

SITE = example("two-transits-and-an-exchange")
OUTSIDE = [port for port in SITE.ports if port.role.outside]
SCRIPT = ROOT / "overlays/network/files/etc/rc.d/exitisp_ports"

RC_SUBR = """\
warn() { echo "WARNING: $*" >&2; }
load_rc_config() { . "$here/settings"; }
run_rc_command() { eval "\\${${1}_cmd}"; }
"""

IFCONFIG = """\
import json, sys
from pathlib import Path
place = Path(sys.argv[0]).parent / "interfaces.json"
there = json.loads(place.read_text())
words = sys.argv[1:]
if words == ["-u", "-l"]:
    print(*(name for name, facts in there.items() if facts["up"]))
    sys.exit()
name, *rest = words
if name == "vlan" and rest[:2] == ["create", "name"]:
    name = rest[2]
    there[name] = {"up": False, "addresses": [], "said": [], "description": rest[4]}
elif rest == ["create"] and (name.partition(".")[0] in there or name.startswith("lagg")):
    there[name] = {"up": False, "addresses": [], "said": [], "description": ""}
elif name not in there:
    sys.exit(f"ifconfig: interface {name} does not exist")
elif not rest:
    print(f"{name}: flags=8802")
    if (place.parent / f"no-carrier-{name}").exists():
        print("\\tstatus: no carrier")
    if there[name]["description"]:
        print(f"\\tdescription: {there[name]['description']}")
    for family, address in there[name]["addresses"]:
        print(f"\\t{family} {address} x")
    for word in there[name]["said"]:
        if word.startswith("laggport "):
            print(f"\\tlaggport: {word[9:]} flags=1c<ACTIVE,COLLECTING,DISTRIBUTING>")
elif rest[0] == "laggport" and rest[1] not in there:
    sys.exit(f"ifconfig: SIOCSLAGGPORT: no {rest[1]}")
elif rest in (["up"], ["down"]):
    there[name]["up"] = rest == ["up"]
elif rest[-1] == "alias":
    there[name]["addresses"].append([rest[0], rest[1].partition("/")[0]])
else:
    there[name]["said"].append(" ".join(rest))
place.write_text(json.dumps(there))
"""

PFCTL = """\
#!/bin/sh
[ -e "${0%/*}/guarded" ] && echo 'Status: Enabled label "LEAK4"'
"""


ROUTE = """\
import json, sys
from pathlib import Path
place = Path(sys.argv[0]).parent / "routes.json"
there = json.loads(place.read_text()) if place.exists() else {}
if sys.argv[2] == "get":
    numeric, what, family, fib, number, host, to = sys.argv[1:]
    assert (numeric, fib, number, host) == ("-n", "-fib", "0", "-host")
    assert family == ("-inet6" if ":" in to else "-inet")
    way = place.parent / f"way-{to}"
    print(f"   route to: {to}", "destination: x", sep="\\n")
    print("  interface:", way.read_text() if way.exists() else "lo0")
    sys.exit()
quiet, numeric, what, family, *host, to, gateway, fib, number = sys.argv[1:]
assert (quiet, numeric, fib) == ("-q", "-n", "-fib")
assert host == ([] if to == "default" else ["-host"])
key = f"{family} {number}" if to == "default" else f"{to} {number}"
if (what == "add") is (key in there):
    sys.exit("route: " + what)
there.pop(key, None)
if what != "delete":
    there[key] = gateway
place.write_text(json.dumps(there))
"""
"""A default route of each family in each routing table, and routes to hosts; and by which interface
an address is reached."""

SLEEP = """\
#!/bin/sh
here=${0%/*}
"$here/ifconfig" -u -l >>"$here/seconds"
now=$here/at-$(wc -l <"$here/seconds" | tr -d ' ')
[ ! -e "$now" ] || . "$now"
"""
"""Sleeps for no time, writes down which ports are up, and does what is to happen in that second."""


@dataclass(frozen=True)
class Ports:
    folder: Path

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        path = f"{self.folder}:{search()}"
        return subprocess.run(
            ["sh", self.folder / "script", command],
            capture_output=True,
            text=True,
            env={"PATH": path, "here": str(self.folder)},
        )

    def guarded(self, *, yes: bool) -> None:
        (self.folder / "guarded").touch() if yes else (self.folder / "guarded").unlink()

    def cards(self, *names: str) -> None:
        """The machine has these cards, which are down."""
        empty = '{"up": false, "addresses": [], "said": [], "description": ""}'
        there = ", ".join(f'"{name}": {empty}' for name in names)
        (self.folder / "interfaces.json").write_text(f"{{{there}}}")

    @property
    def up(self) -> set[str]:
        return set(self.ask("-u", "-l").split())

    @property
    def routes(self) -> dict[str, str]:
        """Gateways of the default routes, by family and number of the routing table, and of routes
        to hosts, by these and the same number."""
        place = self.folder / "routes.json"
        found: dict[str, str] = json.loads(place.read_text()) if place.exists() else {}
        return found

    def ask(self, *arguments: str) -> str:
        command = [str(self.folder / "ifconfig"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def printed(self, *names: str) -> str:
        return "".join(self.ask(name) for name in names)


def settings(site: Site) -> str:
    """What the script reads on a box with `site`."""
    files = render(site, BOX, ROOT / "overlays")
    return next(file.text for file in files if file.path == "etc/rc.conf.d/exitisp_ports")


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    """With all cards, pf that guards, and the settings of the site."""
    (tmp_path / "settings").write_text(settings(SITE))
    (tmp_path / "rc.subr").write_text(RC_SUBR)
    script = SCRIPT.read_text()
    assert script.count(". /etc/rc.subr") == script.count("/var/run/exitisp") == 1
    script = script.replace("/etc/rc.subr", f"{tmp_path}/rc.subr")
    script = script.replace("/var/run/exitisp", f"{tmp_path}")
    (tmp_path / "script").write_text(script.replace("sleep 2", "sleep 0"))
    for name, text in (
        ("ifconfig", f"#!{sys.executable} -IS\n{IFCONFIG}"),
        ("pfctl", PFCTL),
        ("route", f"#!{sys.executable}\n{ROUTE}"),
    ):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    found = Ports(tmp_path)
    found.cards("lo1", *{port.device for port in SITE.ports})
    found.guarded(yes=True)
    return found


def test_every_port_has_its_addresses_and_is_down_until_it_is_raised(ports: Ports) -> None:
    assert ports.run("start").returncode == 0
    assert ports.up == set()
    assert ports.run("status").returncode == 1
    names = [port.interface for port in OUTSIDE]
    found = parse_interfaces(ports.printed(*names))
    assert found == {port.interface: {face.ip for face in port.addresses} for port in OUTSIDE}
    assert stand_ins(ports.printed(*names)) == frozenset()
    assert ports.run("raise").returncode == 0
    assert set(names) < ports.up
    assert ports.run("status").returncode == 0


@pytest.mark.parametrize("gone", sorted({port.device for port in OUTSIDE}))
def test_where_a_card_is_gone_something_else_has_its_addresses_and_never_goes_up(
    ports: Ports, gone: str
) -> None:
    """bgpd starts with all of its addresses or not at all."""
    ports.cards("lo1", *{port.device for port in SITE.ports} - {gone})
    started = ports.run("start")
    assert started.returncode == 0
    missing = {port.interface for port in OUTSIDE if port.device == gone}
    assert {line.split()[4].rstrip(":") for line in started.stderr.splitlines()} == missing
    names = [port.interface for port in OUTSIDE]
    found = parse_interfaces(ports.printed(*names))
    for session in allot(SITE).sessions:
        assert session.local in found[session.port.interface]
    assert stand_ins(ports.printed(*names)) == missing
    assert ports.run("raise").returncode == 0
    assert ports.up & missing == set()
    assert {*names} - missing < ports.up | {""}
    assert ports.run("status").returncode == 0
    assert ports.run("stop").returncode == 0
    assert ports.up == set()


@pytest.mark.parametrize("gone", sorted({port.device for port in OUTSIDE}))
def test_where_a_card_goes_later_the_next_look_puts_something_else_in_its_place(
    ports: Ports, gone: str
) -> None:
    """bgpd ends with the card, and does not start without its addresses."""
    assert ports.run("start").returncode == 0
    assert ports.run("raise").returncode == 0
    before = ports.up
    place = ports.folder / "interfaces.json"
    left = {k: v for k, v in json.loads(place.read_text()).items() if k.partition(".")[0] != gone}
    place.write_text(json.dumps(left))
    missing = {port.interface for port in OUTSIDE if port.device == gone}
    looked = ports.run("guard")
    assert looked.returncode == 0
    assert {line.split()[4].rstrip(":") for line in looked.stderr.splitlines()} == missing
    names = [port.interface for port in OUTSIDE]
    found = parse_interfaces(ports.printed(*names))
    for session in allot(SITE).sessions:
        assert session.local in found[session.port.interface]
    assert stand_ins(ports.printed(*names)) == missing
    assert ports.up == {name for name in before if name.partition(".")[0] != gone}
    assert ports.run("guard").stderr == ""


def with_static_routes() -> Site:
    """The site, whose first upstream sends nothing."""
    upstream = replace(SITE.peers[0], routes=Routes.STATIC)
    return replace(SITE, peers=(upstream, *SITE.peers[1:]))


def test_static_default_routes_are_there_while_the_ports_are_up(ports: Ports) -> None:
    (ports.folder / "settings").write_text(settings(with_static_routes()))
    wanted = {"-inet 0": "192.0.2.1", "-inet6 0": "2001:db8:100::1"}
    assert ports.run("start").returncode == 0
    assert ports.routes == {}
    for _ in range(2):
        assert ports.run("raise").returncode == 0
        assert ports.routes == wanted
    ports.guarded(yes=False)
    assert ports.run("guard").returncode == 1
    assert ports.routes == {}


def test_so_are_routes_to_neighbours_several_hops_away(ports: Ports) -> None:
    loopbacks = (ip_address("203.0.112.1"), ip_address("2001:db8:fff::1"))
    upstream = with_static_routes().peers[0]
    far = replace(upstream, addresses=loopbacks, gateway=upstream.addresses)
    for routes, more in (
        (Routes.FULL, {}),
        (Routes.STATIC, {"-inet 0": "192.0.2.1", "-inet6 0": "2001:db8:100::1"}),
    ):
        site = replace(SITE, peers=(replace(far, routes=routes), *SITE.peers[1:]))
        (ports.folder / "settings").write_text(settings(site))
        wanted = {"203.0.112.1 0": "192.0.2.1", "2001:db8:fff::1 0": "2001:db8:100::1", **more}
        assert ports.run("start").returncode == 0
        assert ports.routes == {}
        for _ in range(2):
            assert ports.run("raise").returncode == 0
            assert ports.routes == wanted
        assert ports.run("stop").returncode == 0
        assert ports.routes == {}


def test_a_site_without_static_default_routes_has_none(ports: Ports) -> None:
    ports.run("start")
    assert ports.run("raise").returncode == 0
    assert ports.routes == {}


def test_the_mark_of_a_stand_in_is_what_the_preflight_looks_for() -> None:
    assert f'stand_in="{STAND_IN}"' in SCRIPT.read_text()


@pytest.mark.parametrize("command", ["start", "raise"])
def test_nothing_is_configured_or_raised_without_pf(ports: Ports, command: str) -> None:
    ports.guarded(yes=False)
    ran = ports.run(command)
    assert (ran.returncode, ran.stderr) == (1, "WARNING: pf does not guard the ports\n")
    assert ports.up == set()


def test_pf_that_was_switched_off_lowers_the_ports_and_is_told_once(ports: Ports) -> None:
    ports.run("start")
    ports.run("raise")
    (ports.folder / "raised").touch()
    quiet = ports.run("guard")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    ports.guarded(yes=False)
    ran = ports.run("guard")
    assert ran.returncode == 1
    assert "pf does not guard the transit and exchange ports: they are down now" in ran.stdout
    assert ports.up == set()
    assert not (ports.folder / "raised").exists()
    assert (ports.folder / "lowered").read_text() == "pf does not guard them\n"
    assert ports.run("guard").stdout == ""


BUNDLED = example("bundle")
CARDS = tuple(card for port in BUNDLED.ports if port.role.outside for card in port.cards)


def bundled(ports: Ports, *gone: str) -> Ports:
    """A box with bundles, without the cards that are `gone`."""
    (ports.folder / "settings").write_text(settings(BUNDLED))
    ports.cards("lo1", *{*CARDS} - {*gone})
    return ports


def test_a_bundle_has_its_cards_and_goes_up_and_down_with_them(ports: Ports) -> None:
    bundled(ports)
    assert ports.run("start").returncode == 0
    assert ports.up == set()
    for _ in range(2):
        assert ports.run("start").stderr == ""
    found = parse_bundles(ports.printed("lagg0", "lagg1"))
    assert {name: sorted(cards) for name, cards in found.items()} == {
        "lagg0": ["ix0", "ix1"],
        "lagg1": ["ixl0", "ixl1"],
    }
    said = json.loads((ports.folder / "interfaces.json").read_text())
    assert said["lagg0"]["said"].count("laggport ix0") == 1
    assert said["lagg0"]["said"][0] == "laggproto lacp"
    assert said["ix1"]["said"][0] == "mtu 1500 -tso -lro"
    assert "ether 02:00:5e:10:00:0a" in said["lagg1"]["said"]
    assert ports.run("raise").returncode == 0
    assert {*CARDS, "lagg0", "lagg1", "lagg0.1203", "lagg0.1204"} <= ports.up
    assert ports.run("status").returncode == 0
    assert ports.run("stop").returncode == 0
    assert ports.up == set()


@pytest.mark.parametrize("gone", [("ix1",), ("ix0", "ix1")])
def test_a_bundle_goes_on_without_a_card(ports: Ports, gone: tuple[str, ...]) -> None:
    bundled(ports, *gone)
    started = ports.run("start")
    assert started.returncode == 0
    assert [line for line in started.stderr.splitlines() if "goes on without it" in line] == [
        f"WARNING: there is no {card}: lagg0 goes on without it" for card in gone
    ]
    found = parse_interfaces(ports.printed("lagg0.1203"))
    assert found["lagg0.1203"] == {face.ip for face in BUNDLED.ports[0].addresses}
    assert ports.run("raise").returncode == 0
    assert {"lagg0", "lagg0.1203", "lagg1"} <= ports.up
    assert ports.run("status").returncode == 0


PAIR = example("two-edges-a")
TWINS = ("ix3", "198.51.100.128", "2001:db8:ee:8000::")
"""The port to the other box, and addresses of that one's parts."""

SOON, LATE = 3, 9
"""Seconds."""


def pair(ports: Ports) -> Ports:
    """A box of two, configured and not raised, with a carrier and no route to the other box. It has
    less patience than a real one: SOON for a carrier, LATE for a route."""
    script = (ports.folder / "script").read_text()
    for name, seconds in (("carrier", SOON), ("twin", LATE)):
        script, found = re.subn(
            f"\n{name}_patience=[0-9]+\n", f"\n{name}_patience={seconds}\n", script
        )
        assert found == 1
    (ports.folder / "script").write_text(script)
    (ports.folder / "settings").write_text(settings(PAIR))
    ports.cards("lo1", "ix0", "ix1", "ix3")
    (ports.folder / "sleep").write_text(SLEEP)
    (ports.folder / "sleep").chmod(0o755)
    (ports.folder / "seconds").touch()
    assert ports.run("start").returncode == 0
    return ports


def answers(ports: Ports) -> str:
    """Commands of sh after which the kernel sends what is for the other box by the port to it."""
    port, *addresses = TWINS
    return "".join(f"echo {port} >{ports.folder}/way-{address}\n" for address in addresses)


def at(ports: Ports, second: int, commands: str) -> None:
    """What happens while the script waits."""
    (ports.folder / f"at-{second}").write_text(commands)


def waited(ports: Ports) -> tuple[int, bool]:
    """Seconds that the script slept, and whether strangers' ports were all down meanwhile."""
    seconds = (ports.folder / "seconds").read_text().splitlines()
    return len(seconds), all(line.split() == ["ix3"] for line in seconds)


def test_the_port_to_the_other_box_is_the_first(ports: Ports) -> None:
    assert 'exitisp_ports_list="ix3 ix0 ix1"' in settings(PAIR)
    assert f'exitisp_ports_twin="{" ".join(TWINS)}"' in settings(PAIR)
    assert "exitisp_ports_twin" not in settings(SITE)


def test_with_a_route_to_the_other_box_all_ports_go_up_at_once(ports: Ports) -> None:
    pair(ports)
    subprocess.run(["sh", "-c", answers(ports)], check=True)
    ran = ports.run("raise")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert waited(ports)[0] == 0
    assert ports.up == {"ix0", "ix1", "ix3"}


@pytest.mark.parametrize("second", [1, LATE])
def test_strangers_ports_wait_for_a_route_to_the_other_box(ports: Ports, second: int) -> None:
    at(pair(ports), second, answers(ports))
    ran = ports.run("raise")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert waited(ports) == (second, True)
    assert ports.up == {"ix0", "ix1", "ix3"}


@pytest.mark.parametrize("elsewhere", ["lo0", "ix0", "ix30"])
def test_they_wait_for_each_family_by_that_port(ports: Ports, elsewhere: str) -> None:
    pair(ports)
    subprocess.run(["sh", "-c", answers(ports)], check=True)
    (ports.folder / f"way-{TWINS[2]}").write_text(elsewhere)
    at(ports, 2, answers(ports))
    assert ports.run("raise").stderr == ""
    assert waited(ports) == (2, True)


def test_a_box_that_is_alone_goes_up_after_a_while_and_says_so(ports: Ports) -> None:
    ran = pair(ports).run("raise")
    assert ran.returncode == 0
    assert waited(ports) == (LATE, True)
    assert ports.up == {"ix0", "ix1", "ix3"}
    [said] = ran.stderr.splitlines()
    assert f"no route to the other box by ix3 after {LATE} seconds" in said
    assert "is lost until it answers" in said
    (ports.folder / "seconds").write_text("")
    again = ports.run("raise")
    assert (again.returncode, again.stderr, waited(ports)[0]) == (0, "", 0)


def test_without_a_carrier_nobody_is_waited_for(ports: Ports) -> None:
    """A card has some seconds to find its carrier after it went up."""
    (pair(ports).folder / "no-carrier-ix3").touch()
    ran = ports.run("raise")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert waited(ports) == (SOON, True)
    assert ports.up == {"ix0", "ix1", "ix3"}


def test_a_carrier_that_comes_after_a_moment_counts_and_one_that_goes_does(ports: Ports) -> None:
    mark = pair(ports).folder / "no-carrier-ix3"
    mark.touch()
    at(ports, 2, f"rm {mark}")
    at(ports, 5, f"touch {mark}")
    ran = ports.run("raise")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert waited(ports) == (5, True)


def test_where_the_card_to_the_other_box_is_gone_nobody_is_waited_for(ports: Ports) -> None:
    pair(ports)
    ports.cards("lo1", "ix0", "ix1")
    ports.run("start")
    ran = ports.run("raise")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert waited(ports)[0] == 0
    assert ports.up == {"ix0", "ix1"}


def test_a_box_without_another_one_waits_for_nobody(ports: Ports) -> None:
    pair(ports)
    (ports.folder / "settings").write_text(settings(SITE))
    ports.cards("lo1", *{port.device for port in SITE.ports})
    ports.run("start")
    assert ports.run("raise").returncode == 0
    assert waited(ports)[0] == 0


@pytest.mark.parametrize("then", ["", "answers"])
def test_ports_that_are_lowered_while_they_wait_stay_down(ports: Ports, then: str) -> None:
    """Whoever lowers them saw that something could leak."""
    stop = f"sh {pair(ports).folder}/script stop\n"
    at(ports, 2, stop + (answers(ports) if then else ""))
    ran = ports.run("raise")
    assert ran.returncode == 1
    assert "ix3 was lowered while it waited for the other box" in ran.stderr
    assert waited(ports) == (2, True)
    assert ports.up == set()


def test_so_do_ports_if_pf_no_longer_guards_them(ports: Ports) -> None:
    at(pair(ports), 2, f"rm {ports.folder}/guarded\n{answers(ports)}")
    ran = ports.run("raise")
    assert (ran.returncode, ran.stderr) == (1, "WARNING: pf does not guard the ports\n")
    assert ports.up == set()


def test_whoever_raises_the_ports_has_the_time_to(ports: Ports) -> None:
    """Nobody else is refused meanwhile, either."""
    longest = int(SCRIPT.read_text().partition("\ntwin_patience=")[2].split()[0])
    assert longest == 90
    assert longest + TRIES * PAUSE < MEANWHILE < PATIENCE
    gate = (ROOT / "overlays/firstboot/files/etc/rc.d/exitisp_gate").read_text()
    assert "timeout 900 " in gate
    assert GATE_WAITS + longest + TRIES * PAUSE < 900
