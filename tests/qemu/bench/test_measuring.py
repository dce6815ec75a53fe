"""What is sent to the appliance, and how the output of programs is read."""

import re
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from firstboot.site import bogons
from qemu.bench import feed, network, resolver, routes, rules
from qemu.bench.contest import PLACE
from qemu.lab.lab_site import ROUTES, on
from qemu.world.net import Failed
from qemu.world.packets import UDP, Frame
from qemu.world.routes import thousands
from qemu.world.topology import lay_out

GOLDEN = Path(__file__).parents[2] / "golden" / "one-port-of-each"

SAID = """\
[Status] Testing complete (time limit)
> NOERROR n0.example A 0.000298
> SERVFAIL n1.example A 0.900000
> T n2.example A
> NOERROR n3.example A 0.002000

Statistics:

  Queries sent:         4
  Run time (s):         0.500000
  Queries per second:   6.000000
"""


def test_only_answers_count_of_what_dnsperf_says() -> None:
    assert resolver.read(SAID) == (4.0, 2.0)


@pytest.mark.parametrize(
    ("said", "why"), [("", "asked nothing"), (SAID.replace("NOERROR", "REFUSED"), "no answer")]
)
def test_a_resolver_without_answers_is_a_failure(said: str, why: str) -> None:
    with pytest.raises(Failed, match=why):
        resolver.read(said)


@given(st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_packets_are_what_a_router_passes_on(source: IPv4Address, destination: IPv4Address) -> None:
    raw = rules.frame("02:00:5e:10:04:02", source, destination)
    assert raw[:6] == bytes.fromhex("02005e100402")
    assert len(raw) == 14 + rules.SIZE
    assert rules.checksum(raw[14:34]) == 0
    packet = Frame("", int.from_bytes(raw[12:14], "big"), raw[14:]).packet
    assert (packet.source, packet.destination) == (source, destination)
    assert (packet.protocol, packet.ports) == (UDP, (rules.DISCARD, rules.DISCARD))


def test_the_processors_time_is_that_of_all_but_idling() -> None:
    clock = "{ hz = 1000, tick = 1000, profhz = 8126, stathz = 127 }"
    assert rules.spent(f"127 0 254 127 99999\n{clock}") == 4.0


def test_the_table_is_of_networks_that_are_nobodys_and_no_bogons() -> None:
    table = [route.prefix for route in feed.table(1_000)]
    assert len(set(table)) == len(table) == 1_230
    site = on(network.SYSTEM.card, network.EXAMPLE, relays=1)
    taken = [prefix for host in lay_out(site).hosts for prefix in host.prefixes]
    taken += [*bogons.of(site).prefixes, *(route.prefix for route in thousands(*ROUTES))]
    for first, end in (
        (table[0][0], feed.FIRST_V4 + (feed.MOST << 8)),
        (table[-1][0], feed.FIRST_V6 + (int(feed.MOST * feed.V6_SHARE) << 80)),
    ):
        for one in taken:
            if one.version == first.version:
                assert int(one[-1]) < int(first) or end <= int(one[0]), one


@pytest.mark.parametrize("count", [-1, 0, 99, feed.MOST + 1])
def test_a_table_that_no_transit_may_have_is_refused(count: int) -> None:
    with pytest.raises(Refusal, match=f"{count} is not between 100 and 2000000"):
        feed.possible(count)


def test_a_transit_may_have_the_largest_table() -> None:
    rendered = (GOLDEN / "etc/local/bgpd.conf").read_text()
    group = rendered.partition('group "transit"')[2]
    assert f"max-prefix {feed.possible(feed.MOST)}\n" in group


def test_what_takes_everything_has_the_neighbours_and_nothing_of_the_policy(
    tmp_path: Path,
) -> None:
    rendered = GOLDEN / "etc/local/bgpd.conf"
    here = routes.SETUP.replace(PLACE, str(tmp_path)).replace(routes.CONFIG, str(rendered))
    subprocess.run(["sh", "-euc", here], check=True)
    assert (tmp_path / "tuned.bgpd.conf").read_text() == rendered.read_text()
    stock = (tmp_path / "stock.bgpd.conf").read_text()
    assert re.findall(r"(?m)^(?:allow|deny|match).*", stock) == ["allow from any", "deny to any"]
    neighbours = re.findall(r"(?m)^ *neighbor .*", rendered.read_text())
    assert re.findall(r"(?m)^ *neighbor .*", stock) == neighbours != []
