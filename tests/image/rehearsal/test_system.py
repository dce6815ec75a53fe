"""The box on Linux: how a root tells its system, and how the output of programs is judged."""

import json
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.box import systems
from firstboot.box.daemons import all_run, wanted
from firstboot.box.host import PATIENCE, Host, Ran
from firstboot.box.systems import REHEARSAL, freebsd, rehearsal
from firstboot.box.verdict import Effect
from firstboot.site.address_plan import allot
from firstboot.site.services import FILE
from image.rehearsal.build import FOLDER
from tests.image.rehearsal.sites import on_linux

SYSTEM = replace(rehearsal.SYSTEM, service_files=(FOLDER / FILE,))

SITE = on_linux("two-transits-and-an-exchange")
PLAN = allot(SITE)
OUTSIDE = [port.interface for port in SITE.ports if port.role.outside]

SOCKETS = """\
udp UNCONN 0 0 127.0.0.53:53 0.0.0.0:* users:(("unbound",pid=85,fd=5))
udp UNCONN 0 0 198.51.100.1:123 0.0.0.0:* users:(("chronyd",pid=90,fd=5))
tcp LISTEN 0 5 192.0.2.2:179 0.0.0.0:* users:(("bgpd",pid=146,fd=8))
tcp LISTEN 0 128 192.0.2.194:22 0.0.0.0:* users:(("sshd",pid=110,fd=3))
tcp LISTEN 0 9 [2001:db8:ee:443::1]:443 [::]:* users:(("tor",pid=127,fd=9),("tor",pid=127,fd=4))
udp UNCONN 0 0 0.0.0.0:56888 0.0.0.0:* users:(("tor",pid=127,fd=12))
"""


@dataclass(frozen=True, slots=True)
class Standin(Host):
    """Answers commands from a table; all others succeed and print nothing."""

    answers: dict[str, Ran] = field(default_factory=dict)

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        return self.answers.get(" ".join(command), Ran("", 0))


def healthy(root: Path) -> Standin:
    """Return a box with SITE on which everything holds."""
    interfaces = {"lo": ["127.0.0.1"], "lo1": [str(one) for one in PLAN.addresses]}
    for port in SITE.ports:
        interfaces[port.interface] = [*(str(one.ip) for one in port.addresses), "fe80::1"]
    told = [
        {"ifname": name, "addr_info": [{"local": one} for one in addresses]}
        for name, addresses in interfaces.items()
    ]
    rules = "".join(
        f'type filter hook egress device "{one}" priority filter; policy drop;\n'
        "\t\tip saddr @own4 accept\n\t}\n"
        for one in OUTSIDE
    )
    return Standin(
        root,
        "",
        {
            "ip -json address": Ran(json.dumps(told), 0),
            "nft list table netdev exitisp": Ran(rules, 0),
            "ss -H -lntup": Ran(SOCKETS, 0),
        },
    )


def failing(box: Standin) -> list[str]:
    return [one.what for one in SYSTEM.verdicts(SITE, (), box, SYSTEM.services) if not one.holds]


def test_a_root_with_the_mark_is_a_rehearsal(tmp_path: Path) -> None:
    assert systems.of(tmp_path) is freebsd.SYSTEM
    assert not freebsd.SYSTEM.notice
    mark = tmp_path / REHEARSAL
    mark.parent.mkdir(parents=True)
    mark.touch()
    assert systems.of(tmp_path) is rehearsal.SYSTEM
    assert systems.of(tmp_path).notice.startswith("REHEARSAL")


def test_the_overlay_has_the_mark() -> None:
    assert (
        Path(__file__).parents[3] / "image" / "rehearsal" / "overlay" / "files" / REHEARSAL
    ).exists()


def test_everything_holds_on_a_healthy_box(tmp_path: Path) -> None:
    assert failing(healthy(tmp_path)) == []


@pytest.mark.parametrize(
    ("command", "old", "new", "what"),
    [
        ("nft list table netdev exitisp", 'device "eth0"', 'device "eth9"', "nftables guards"),
        ("nft list table netdev exitisp", "policy drop", "policy accept", "nftables guards"),
        ("nft list table netdev exitisp", "ip saddr @own4", "udp dport 53", "nftables guards"),
        ("ip -json address", '"198.51.100.2"', '"198.51.100.99"', "the box has its own"),
        ("ip -json address", '"198.51.100.1"', '"198.51.100.99"', "the kernel answers"),
        ("ip -json address", '"192.0.2.2"', '"192.0.2.3"', "every port is there"),
        ("ip -json address", '"192.0.2.2"', '"192.0.2.3"', "no interface has a foreign"),
        ("ip -json address", '"eth0"', '"eth7"', "no interface has a foreign"),
        ("ip -json address", '"eth0"', '"eth7"', "every port is there"),
        ("ip -json address", "[", "nonsense", "the kernel answers"),
        ("ss -H -lntup", "127.0.0.53:53", "0.0.0.0:53", "everybody listens"),
        ("ss -H -lntup", "192.0.2.194:22", "192.0.2.2:22", "everybody listens"),
        ("ss -H -lntup", '"tor"', '"unbound"', "everybody listens"),
    ],
)
def test_each_fault_is_reported(
    tmp_path: Path, command: str, old: str, new: str, what: str
) -> None:
    box = healthy(tmp_path)
    assert old in box.answers[command].text
    box.answers[command] = Ran(box.answers[command].text.replace(old, new), 0)
    assert any(one.startswith(what) for one in failing(box))


def test_a_default_route_is_reported(tmp_path: Path) -> None:
    box = healthy(tmp_path)
    box.answers["ip -6 route show default"] = Ran("default via fe80::1 dev eth0\n", 0)
    assert failing(box) == ["no default route but the site's"]


@pytest.mark.parametrize("name", [one.name for one in SYSTEM.services if one.ready])
def test_a_stopped_service_is_reported(tmp_path: Path, name: str) -> None:
    box = healthy(tmp_path)
    for service in SYSTEM.services:
        program = tmp_path / service.program.lstrip("/")
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(0o755)
    (daemon,) = (
        one
        for one in wanted(SITE, box, SYSTEM.services)
        if one.service.name == name and one.operand in ((), ("relay1",))
    )
    for asked in (daemon.service.ready, daemon.ready):
        box.answers[" ".join(asked)] = Ran("", 1)
    verdict = all_run(SITE, box, SYSTEM.services)
    assert verdict.reason in {
        f"{label} (it does not run)" for label in (daemon.label, daemon.service.label)
    }
    assert verdict.effect is Effect.OUTAGE


def test_every_service_has_a_script() -> None:
    scripts = (
        Path(__file__).parents[3] / "image" / "rehearsal" / "overlay" / "files" / "etc" / "init.d"
    )
    assert all((scripts / service.name).exists() for service in SYSTEM.services)


def test_addresses_are_added_with_ip() -> None:
    told = " ".join(rehearsal.alias(ip_address("198.51.100.2"), "lo1"))
    assert told == "ip address replace 198.51.100.2/32 dev lo1"
    assert rehearsal.alias(ip_address("2001:db8::2"), "ix0")[-1] == "nodad"
