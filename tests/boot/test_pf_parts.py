"""What the comparison with the real pf is made of, without a machine."""

import random
from collections.abc import Iterator
from functools import cache
from itertools import islice

import pytest

from firstboot.site.verify.packets import ICMP_NUMBER, TCP_NUMBER, UDP_NUMBER, Kind, Packet
from firstboot.site.verify.pf.evaluate import decision, passes
from firstboot.site.verify.pf.parser import parse
from firstboot.site.verify.pf.rules import Action, Direction, RuleSet, State
from tests.boot import lan_packets, pf_packets, pf_rules
from tests.boot.tap import checksum, read
from tests.firstboot.site.verify.random_packets import packets

SETS = 8

TO, FROM = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


@cache
def texts() -> list[str]:
    return pf_rules.rule_sets(SETS, seed=5)


@cache
def rules(at: int) -> RuleSet:
    found, mistakes = parse(texts()[at])
    assert mistakes == []
    return found


def drawn(at: int, count: int) -> Iterator[Packet]:
    return islice(packets(rules(at), random.Random(at)), count)


@pytest.mark.parametrize("at", range(SETS))
def test_every_rule_set_can_be_read_and_decides_over_every_packet(at: int) -> None:
    first = rules(at).rules[0]
    assert first.interfaces is None
    for packet in drawn(at, 20):
        for direction in Direction:
            assert decision(rules(at), "vtnet0", direction, packet) is not None


def test_rule_sets_are_the_same_again_and_differ() -> None:
    assert pf_rules.rule_sets(SETS, seed=5) == texts()
    assert len(set(texts())) == SETS
    assert "(floating)" not in "".join(texts())


def test_many_packets_pass_and_many_are_blocked_on_every_interface() -> None:
    for interface in pf_rules.INTERFACES:
        seen = [
            passes(decision(rules(at), interface, direction, packet))
            for at in range(SETS)
            for direction in Direction
            for packet in islice(packets(rules(at), random.Random(at), interface, direction), 30)
        ]
        assert 0.05 < sum(seen) / len(seen) < 0.9, interface


def test_rules_of_every_kind_decide() -> None:
    deciding = [
        rule
        for at in range(SETS)
        for direction in Direction
        for packet in drawn(at, 100)
        if (rule := decision(rules(at), "vtnet0", direction, packet))
    ]
    assert {rule.action for rule in deciding} == set(Action)
    assert {rule.quick for rule in deciding} == {True, False}
    assert len({rule.line for rule in deciding}) > 50


def test_a_frame_has_the_numbers_of_its_packet_and_right_checksums() -> None:
    names = pf_packets.tags(random.Random(1))
    kinds = set()
    for packet in (p for at in range(3) for p in drawn(at, 300) if pf_packets.is_compared(p)):
        tag = next(names)
        frame = pf_packets.frame(packet, TO, FROM, tag)
        got = read(frame)
        assert (frame[:6], got.source_mac, frame[-pf_packets.TAG :]) == (TO, FROM, tag)
        assert got.source is not None
        assert got.target is not None
        assert (got.source.version, int(got.source), int(got.target)) == (
            packet.version,
            *packet.numbers[:2],
        )
        rest, body = packet.numbers[2:], got.payload
        pseudo = got.source.packed + got.target.packed + len(body).to_bytes(4, "big")
        if packet.version == 4:
            assert checksum(frame[14:34]) == bytes(2)
            assert int.from_bytes(frame[16:18], "big") == len(frame) - 14
        else:
            assert int.from_bytes(frame[18:20], "big") == len(body)
        match packet.kind:
            case Kind.TCP:
                assert got.protocol == TCP_NUMBER
                ports = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
                assert (*ports, body[13]) == rest
                assert checksum(pseudo + bytes([0, 0, 0, TCP_NUMBER]) + body) == bytes(2)
            case Kind.UDP:
                assert got.protocol == UDP_NUMBER
                assert (int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")) == rest
                assert int.from_bytes(body[4:6], "big") == len(body)
                assert checksum(pseudo + bytes([0, 0, 0, UDP_NUMBER]) + body) == bytes(2)
            case Kind.ICMP:
                assert got.protocol == ICMP_NUMBER[packet.version]
                assert (body[0], body[1]) == rest
                summed = pseudo + bytes([0, 0, 0, 58]) if packet.version == 6 else b""
                assert checksum(summed + body) == bytes(2)
            case Kind.OTHER:
                assert (got.protocol,) == rest
        kinds.add((packet.version, packet.kind))
    assert kinds == {(version, kind) for version in (4, 6) for kind in Kind}


@pytest.mark.parametrize("said", lan_packets.SAID, ids=lambda said: said.what)
def test_strangers_reach_of_machines_on_a_lan_what_the_site_says(said: lan_packets.Said) -> None:
    found, mistakes = parse(pf_rules.of_example(lan_packets.EXAMPLE))
    assert mistakes == []
    rule = decision(found, lan_packets.TRANSIT, Direction.IN, said.packet)
    assert passes(rule) is said.comes_in
    assert not pf_packets.is_refused(said.packet)
    if said.comes_in:
        assert passes(decision(found, lan_packets.LAN, Direction.OUT, said.packet))


def test_an_answer_comes_in_by_a_state_alone() -> None:
    found, _ = parse(pf_rules.of_example(lan_packets.EXAMPLE))
    for question in lan_packets.QUESTIONS:
        rule = decision(found, lan_packets.TRANSIT, Direction.OUT, question)
        assert rule is not None
        assert passes(rule)
        assert rule.state is not State.NONE
        back = lan_packets.answer(question)
        assert not passes(decision(found, lan_packets.TRANSIT, Direction.IN, back))


def test_no_two_packets_of_the_list_could_share_a_state() -> None:
    packets_said = [one.packet for one in lan_packets.SAID]
    assert list(pf_packets.without_states(packets_said, set())) == packets_said


def test_no_two_packets_of_a_rule_set_could_share_a_state() -> None:
    one = Packet(4, Kind.TCP, (1, 2, 1000, 53, 2))
    answer = Packet(4, Kind.TCP, (2, 1, 53, 1000, 18))
    other = Packet(4, Kind.UDP, (2, 1, 53, 1000))
    used: set[pf_packets.Flow] = set()
    assert list(pf_packets.without_states([one, answer, other], used)) == [one, other]
    assert list(pf_packets.without_states([one, other], used)) == []


@pytest.mark.parametrize(
    ("packet", "refused"),
    [
        (Packet(4, Kind.TCP, (1, 2, 3, 4, 0b10)), False),
        (Packet(4, Kind.TCP, (1, 2, 3, 4, 0b10010)), False),
        (Packet(4, Kind.TCP, (1, 2, 3, 4, 0b11001)), False),
        (Packet(4, Kind.TCP, (1, 2, 3, 4, 0)), True),
        (Packet(4, Kind.TCP, (1, 2, 3, 4, 0b110)), True),
        (Packet(4, Kind.TCP, (1, 2, 3, 4, 0b1010)), True),
        (Packet(4, Kind.UDP, (1, 2, 0, 4)), False),
        (Packet(4, Kind.UDP, (1, 2, 3, 0)), True),
        (Packet(6, Kind.ICMP, (1, 2, 130, 0)), True),
        (Packet(6, Kind.ICMP, (0xFE80 << 112, 2, 130, 0)), False),
        (Packet(6, Kind.OTHER, (1, 2, 1)), True),
        (Packet(4, Kind.OTHER, (1, 2, 58)), True),
        (Packet(4, Kind.OTHER, (1, 2, 47)), False),
    ],
)
def test_what_pf_drops_before_its_rules_is_known(packet: Packet, refused: bool) -> None:
    assert pf_packets.is_refused(packet) is refused
