"""The packets with which the packet filter is measured reach the box's card."""

import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Self, cast

import pytest

from qemu.bench import rules
from qemu.bench.contest import PLACE
from qemu.bench.figures import Side
from qemu.disk import Disk
from qemu.lab.appliance import Appliance
from qemu.lab.lab_site import read
from qemu.lab.progress import Progress
from qemu.lab.session import Lab
from qemu.machine import Machine
from qemu.wire import Nic
from qemu.world.internet import Internet
from tests.command import ROOT

SITE = read(ROOT / "examples/one-port-of-each.yaml")
PORT = next(one for one in SITE.ports if one.role.value == "lan")
BUSY = "1 0 1 0 9\n{ hz = 100, tick = 10000, profhz = 8126, stathz = 127 }"


class Box:
    """An appliance that counts what came in on its LAN port, as netstat(1) does."""

    def __init__(self, card: Path) -> None:
        self.ran: list[str] = []
        self.frames: list[bytes] = []
        nics = [Nic(f"02:00:00:00:00:{at:02x}") for at in range(len(SITE.ports))]
        self.machine = Machine(Disk(Path("none")), folder=card.parent, nics=nics)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(card))
        self._receiver = threading.Thread(target=self._receive, daemon=True)
        self._card = card

    def __enter__(self) -> Self:
        self._receiver.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"", str(self._card))
        self._receiver.join()

    def _receive(self) -> None:
        with self._socket:
            while frame := self._socket.recv(2048):
                self.frames.append(frame)

    def said(self, command: str) -> str:
        self.ran.append(command)
        if command.startswith("netstat"):
            return str(1000 + len(self.frames))
        return BUSY if "cp_time" in command else ""


def test_they_are_for_the_card_on_the_lan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "SECONDS", 0.2)
    card = tmp_path / "card"
    web = SimpleNamespace(v4=lambda: next(iter(PORT.addresses)).ip)
    internet = SimpleNamespace(
        topology=SimpleNamespace(host=lambda _: web),
        plugs={
            port.device: SimpleNamespace(local=card if port is PORT else tmp_path / "another")
            for port in SITE.ports
        },
    )
    with Box(card) as box:
        lab = Lab(cast(Internet, internet), cast(Appliance, box), SITE, Progress())
        contest = rules.rules(lab)
        contest.take(Side.STOCK)
        found = contest.look()
    at = SITE.ports.index(PORT)
    assert {one[:6] for one in box.frames} == {bytes((2, 0, 0, 0, 0, at))}
    assert found[rules.RATE] > 0
    assert f"pfctl -q -f {PLACE}/pf.conf" in box.ran
