"""The rendered resolver while somebody asks it for made-up names, thousands a second.

The exit's users are one client to it, so what it refuses to one of them it refuses to all.
"""

import random
import re
import string
from collections import Counter
from pathlib import Path

import pytest

from firstboot.core.values import Address
from firstboot.site.model import PortRole
from qemu.world.net import Daemon, need
from tests.live import nameservers
from tests.live.appliance import UNBOUND, Unbound, changed, for_linux
from tests.live.conftest import Worlds
from tests.live.nameservers import INHABITANTS
from tests.live.world import SITE, Surroundings

RATE = 5000
"""Made-up names a second, at most: a busy machine manages fewer."""

MADE_UP = 15_000
OTHERS = 50
"""Questions of others a second, meanwhile: each for a name that nobody has asked for yet."""

LIMITED = (r"(?m)^  ratelimit: 0$", "  ratelimit: 100\n  ratelimit-factor: 10")
"""A limit on each zone, low enough for a slow machine to reach it."""


def flooded(worlds: Worlds, *without: tuple[str, str]) -> tuple[Counter[str], Counter[str]]:
    """Flood the resolver. Return how many answers of which kind the flood got, and others."""
    need("dnsperf", "dnsperf")
    surroundings = worlds.make()
    surroundings.raise_ports()
    text = for_linux(UNBOUND, nameservers.serve(surroundings))
    for pattern, replacement in without:
        text = changed(text, pattern, replacement)
    Unbound.among(surroundings, text)
    chance = random.Random(1)
    names = ("".join(chance.choices(string.ascii_lowercase, k=14)) for _ in range(MADE_UP))
    flood = start(surroundings, "flood", [f"{name}.crowd." for name in names], RATE)
    others = start(surroundings, "others", INHABITANTS, OTHERS)
    flood.process.wait(120)
    others.process.wait(120)
    return answers(flood.log), answers(others.log)


def start(
    surroundings: Surroundings, name: str, names: list[str] | tuple[str, ...], rate: int
) -> Daemon:
    """Ask the resolver once for each of `names`, `rate` a second, with few at a time."""
    questions = surroundings.world.folder / f"{name}.questions"
    questions.write_text("".join(f"{one} A\n" for one in names))
    how = ("-v", "-n", "1", "-q", "300", "-Q", str(rate), "-t", "20")
    return surroundings.rack.start(name, "dnsperf", "-s", str(lan_address()), "-d", questions, *how)


def lan_address() -> Address:
    (lan,) = (port for port in SITE.ports if port.role is PortRole.LAN)
    return lan.addresses[0].ip


def answers(log: Path) -> Counter[str]:
    """The kinds of answers in the output of dnsperf -v: `> NOERROR NAME A SECONDS`, or `> T` for
    one that did not come."""
    return Counter(re.findall(r"(?m)^> (\S+)", log.read_text()))


@pytest.mark.xdist_group("live-flood")
class TestFlood:
    def test_of_one_client_fails_nobody_s_lookups(self, worlds: Worlds) -> None:
        flood, others = flooded(worlds)
        assert flood == Counter(NXDOMAIN=MADE_UP)
        assert others == Counter(NOERROR=len(INHABITANTS))

    def test_fails_others_where_zones_have_a_limit(self, worlds: Worlds) -> None:
        """This shows that the test above would fail."""
        flood, others = flooded(worlds, LIMITED)
        assert flood["SERVFAIL"] > MADE_UP / 10
        assert others["SERVFAIL"] > len(INHABITANTS) / 10
