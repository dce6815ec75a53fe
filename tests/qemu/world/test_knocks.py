"""Somebody in the simulated Internet knocks at TCP ports."""

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from qemu.world import knocks
from qemu.world.knocks import Door, answering
from qemu.world.net import Unable, World

HERE, THERE = ip_address("10.0.0.1"), ip_address("10.0.0.2")
PORT = 8080
OPEN = Door(THERE, PORT)


def test_doors_that_are_open_shut_and_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(knocks, "PATIENCE", 1.0)
    try:
        with World(tmp_path) as world:
            one, other = world.party("one"), world.party("other")
            near, far = one.port("eth0"), other.port("eth0")
            world.wire(near, far)
            near.up(f"{HERE}/24")
            far.up(f"{THERE}/24")
            server = other.start("web", sys.executable, "-m", "http.server", str(PORT))
            server.wait("the server", lambda: answering(one, [OPEN]) == {OPEN})
            silent, nowhere = Door(ip_address("10.0.0.9"), 22), Door(ip_address("2001:db8::1"), 22)
            assert answering(one, [OPEN, Door(THERE, 22), silent, nowhere]) == {OPEN}
            assert answering(other, [Door(HERE, PORT)]) == set()
    except Unable as reason:
        pytest.skip(str(reason))
