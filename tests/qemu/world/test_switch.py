"""The switch in front of bundles and of VLANs: which frame goes where, and what LACP agrees on."""

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from qemu.wire import Plug, Wire
from qemu.world.bundle import SWITCH
from qemu.world.cable import MARK

SOURCE = bytes.fromhex("02005e100400")
TO = bytes.fromhex("02005e100a00")
OURS = struct.pack("!H6sHHH", 0x8000, SOURCE, 11, 0x8000, 1)
"""What a partner says of itself, without its state (IEEE 802.1AX-2020, 6.4.2.3)."""

SOON = 5.0

FEW = 5
"""Frames that a socket keeps until they are read, see net.unix.max_dgram_qlen in unix(7)."""


class End:
    """One end of a wire, held as a machine or a cable does."""

    def __init__(self, plug: Plug) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(plug.local))
        self.socket.settimeout(0.2)
        self._remote = str(plug.remote)

    def send(self, frame: bytes) -> None:
        self.socket.sendto(frame, self._remote)

    def got(self) -> list[bytes]:
        """What has come since the last time, without LACP."""
        return [one for one in self.all() if one[12:14] != b"\x88\x09"]

    def all(self) -> list[bytes]:
        found = []
        try:
            while True:
                found.append(self.socket.recv(2048))
        except TimeoutError:
            return found


class Bench:
    def __init__(self, kind: str, members: int, vlans: list[int | None], stack: ExitStack) -> None:
        def told(plug: Plug) -> list[str]:
            return [str(plug.local), str(plug.remote)]

        cards = [stack.enter_context(Wire()) for _ in range(members)]
        wires = [stack.enter_context(Wire()) for _ in vlans]
        self.control = stack.enter_context(Wire()).a.local
        self.members = [End(one.a) for one in cards]
        self.wires = [End(one.b) for one in wires]
        for end in (*self.members, *self.wires):
            stack.enter_context(end.socket)
        legs = [[*told(one.a), vlan] for one, vlan in zip(wires, vlans, strict=True)]
        command = [sys.executable, str(SWITCH), kind, str(self.control)]
        command += [json.dumps([told(one.b) for one in cards]), json.dumps(legs)]
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        stack.callback(process.kill)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"

    def order(self, text: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(text.encode(), str(self.control))


@contextmanager
def bench(kind: str, members: int, *vlans: int | None) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(kind, members, list(vlans), stack)


def frame(text: str, vlan: int | None = None, kind: int = 0x0800) -> bytes:
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return TO + SOURCE + tag + struct.pack("!H", kind) + text.encode().ljust(60, b"\0")


def lacp(state: int) -> bytes:
    """What a partner says whose state is this one."""
    head = bytes.fromhex("0180c2000002") + SOURCE + b"\x88\x09" + bytes((1, 1))
    said = bytes((1, 20)) + OURS + bytes((state, 0, 0, 0)) + bytes((2, 20)) + bytes(18)
    return (head + said + bytes((3, 16)) + bytes(14)).ljust(124, b"\0")


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SOON
    while not true():
        assert time.monotonic() < end


AGREED = 0x01 | 0x04 | 0x08 | 0x10 | 0x20


def test_each_tag_has_its_wire_and_goes_there_with_its_tag() -> None:
    with bench("card", 1, 7, 8, None) as at:
        (card,) = at.members
        for one in (frame("seven", 7), frame("eight", 8), frame("none")):
            card.send(one)
        assert [wire.got() for wire in at.wires] == [
            [frame("seven", 7)],
            [frame("eight", 8)],
            [frame("none")],
        ]
        at.wires[1].send(frame("back", 8))
        assert card.all() == [frame("back", 8)]


@pytest.mark.parametrize("vlan", [9, 0, None])
def test_what_no_wire_is_for_is_seen_on_all(vlan: int | None) -> None:
    with bench("card", 1, 7, 8) as at:
        at.members[0].send(frame("astray", vlan))
        assert [wire.got() for wire in at.wires] == [[frame("astray", vlan)]] * 2


def test_a_mark_follows_what_was_sent_before_it_to_every_wire() -> None:
    with bench("bundle", 2, 7, 8) as at:
        at.members[1].send(frame("first", 8))
        at.members[1].send(frame("mark", kind=MARK))
        assert at.wires[0].got() == [frame("mark", kind=MARK)]
        assert at.wires[1].got() == [frame("first", 8), frame("mark", kind=MARK)]


def test_lacp_is_answered_by_the_standards_form_and_goes_nowhere_else() -> None:
    with bench("bundle", 2, None) as at:
        card = at.members[0]
        card.send(lacp(AGREED))
        heard: list[bytes] = []

        def agreed() -> bool:
            heard.extend(card.all())
            return bool(heard) and heard[-1][38:52] == OURS

        until(agreed)
        last = heard[-1]
        assert last[:6] == bytes.fromhex("0180c2000002")
        assert last[12:18] == bytes.fromhex("880901010114")
        assert last[36:38] == bytes((2, 20))
        assert last[56:58] == bytes((3, 16))
        assert len(last) == 124
        assert last[32] == last[52] == AGREED
        assert at.wires[0].got() == []
        # The other card belongs to the same partner, and is another port of it.
        (other, *_) = at.members[1].all()
        assert other[18:28] == last[18:28]
        assert other[30:32] != last[30:32]


@pytest.mark.parametrize("state", [0x01 | 0x04, 0x01 | 0x04 | 0x08])
def test_a_card_without_agreement_gets_nothing(state: int) -> None:
    with bench("bundle", 2, None) as at:
        at.members[0].send(lacp(state))
        at.members[1].send(lacp(AGREED))
        until(lambda: any(one[52] == AGREED for one in at.members[1].all()))
        for number in range(FEW):
            at.wires[0].send(frame(f"{number}"))
        assert at.members[0].got() == []
        assert len(at.members[1].got()) == FEW


def test_conversations_are_spread_and_a_pulled_cable_takes_none() -> None:
    with bench("bundle", 2, None) as at:
        for card in at.members:
            card.send(lacp(AGREED))
        until(lambda: any(one[52] == AGREED for one in at.members[1].all()))

        def sent() -> list[int]:
            took = [0, 0]
            for number in range(40):
                to = bytes.fromhex("02005e1000") + bytes((number,))
                at.wires[0].send(to + SOURCE + frame("x")[12:])
                if number % FEW == FEW - 1:
                    took = [n + len(card.got()) for n, card in zip(took, at.members, strict=True)]
            return took

        both = sent()
        assert sum(both) == 40
        assert min(both) > 5
        assert sent() == both
        at.order("pull 0")
        assert sent() == [0, 40]
        at.members[0].send(frame("too late"))
        assert at.wires[0].got() == []
        at.order("push 0")
        assert sent() == both
