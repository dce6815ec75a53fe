"""The evaluation of sets of packets agrees with a plain reading of the rules, packet by packet."""

import random
from itertools import islice
from pathlib import Path

import pytest

from firstboot.site.model import load
from firstboot.site.render import Box, render
from firstboot.site.verify.packets import Packet, all_packets
from firstboot.site.verify.pf.evaluate import decided, decision
from firstboot.site.verify.pf.parser import parse
from firstboot.site.verify.pf.rules import Direction, Rule, RuleSet
from tests.firstboot.site.verify.random_packets import packets

ROOT = Path(__file__).parents[4]
BOX = Box(cores=8, memory_mib=32768, unbound=(1, 24), openbgpd=(8, 9), tor=(0, 4, 9))
PACKETS = 400


def rendered() -> list[str]:
    site = load(ROOT / "examples" / "two-transits-and-an-exchange.yaml").value
    files = render(site, BOX, ROOT / "overlays")
    return next(file.text for file in files if file.path == "etc/pf.conf").splitlines()


def shuffled(seed: int) -> RuleSet:
    """The rendered rules in another order, some of them without `quick`, some left out."""
    draw = random.Random(seed)
    lines = rendered()
    rules = [line for line in lines if line.startswith(("pass", "block"))]
    draw.shuffle(rules)
    kept = [
        line.replace(" quick", "", draw.random() < 0.4) for line in rules if draw.random() < 0.8
    ]
    head = [line for line in lines if line.startswith(("set", "table"))]
    found, mistakes = parse("\n".join([*head, *kept]))
    assert mistakes == []
    return found


def plain(rules: RuleSet, interface: str, direction: Direction, packet: Packet) -> Rule | None:
    """As pf.conf(5) tells it: the last rule that matches, or the first of them with quick."""
    last = None
    for rule in rules.rules:
        if not rule.about(interface, direction):
            continue
        if any(map(packet.is_in, rule.boxes((packet.version, packet.kind)))):
            last = rule
            if rule.quick:
                break
    return last


@pytest.mark.parametrize("seed", range(6))
def test_sets_and_single_packets_are_decided_alike(seed: int) -> None:
    rules = shuffled(seed)
    draw = random.Random(seed)
    parts = {
        (interface, direction, version): list(
            decided(rules, interface, direction, all_packets(version))
        )
        for interface in ("ix0", "igb0")
        for direction in Direction
        for version in (4, 6)
    }
    passed = 0
    for packet in islice(packets(rules, draw), PACKETS):
        interface, direction = draw.choice(("ix0", "igb0")), draw.choice(list(Direction))
        wanted = plain(rules, interface, direction, packet)
        assert decision(rules, interface, direction, packet) is wanted, packet
        owners = [
            rule
            for rule, space, boxes in parts[interface, direction, packet.version]
            if space == (packet.version, packet.kind) and any(map(packet.is_in, boxes))
        ]
        assert len(owners) == 1, packet
        assert owners[0] is wanted, packet
        passed += wanted is not None
    assert passed > PACKETS // 10
