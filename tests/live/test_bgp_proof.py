"""The proof's evaluation of filters compared with bgpd itself, route by route.

Every neighbour announces routes at the borders of the policy. What bgpd takes of them, and what it
tells the others, is compared with what the proof says, for the rendered filters and for changed
ones. The layers beside the filters, roles and limits, are taken away: they would hide what filters
let through.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from firstboot.core.values import Address, Network
from firstboot.site.address_plan import Session
from firstboot.site.model import PeerRole
from firstboot.site.verify.bgpd.parser import parse
from firstboot.site.verify.bgpd.rules import LENGTHS, Configuration, Filter
from firstboot.site.verify.boxes import Box
from qemu.world.bird import Route, Router
from tests.live.appliance import BGPD, Bgpd, changed, for_linux
from tests.live.border_routes import ROA_SET, Borders, Facts, allows, validity
from tests.live.conftest import Worlds
from tests.live.world import PLAN, SITE, STRANGER

pytestmark = pytest.mark.xdist_group("live-bgp-proof")

MUTATIONS = Path(__file__).parents[1] / "firstboot" / "site" / "verify" / "mutations.yaml"
ROLES = r"(?m)^  (role|announce policy) \S+$"
LIMIT = r"(?m)^    max-prefix \d+ out$"

EACH = 100
"""Routes of each session."""

DRAWN = 10
"""Policies that are changed by chance."""

MARK = f"{SITE.asn}:1:1"
Key = tuple[Address, Network]
"""Whose route it is, and for which prefix."""


@dataclass(frozen=True)
class Policy:
    """Filters that differ from the rendered ones, with the rendered sessions."""

    name: str
    text: str
    parsed: Configuration


@dataclass(frozen=True)
class Seen:
    """What bgpd did under a policy: which routes it took, those that it prefers, and what it told
    each neighbour."""

    policy: Policy
    taken: frozenset[Key]
    best: list[dict[str, Any]]
    heard: dict[Address, frozenset[Network]]


@dataclass(frozen=True)
class Comparison:
    sent: dict[Address, list[Route]]
    """The routes of each neighbour."""

    received: dict[Key, str]
    """All that came in, with what bgpd says of its origin."""

    refused: list[str]
    """The policies that bgpd does not take."""

    seen: list[Seen]

    def disagreements(self, change: Callable[[Filter], Filter] = lambda rule: rule) -> list[str]:
        """One line for each route over which bgpd and the proof disagree. `change`, for a test of
        the test, is done to the filters that the proof goes by."""
        found = []
        for one in self.seen:
            parsed = one.policy.parsed
            filters = [change(rule) for rule in parsed.filters]
            rules = replace(parsed, filters=filters)
            for session, facts, done, direction in self.decisions(one):
                wanted = allows(rules, direction, session, facts)
                if wanted is not done:
                    found.append(
                        f"{one.policy.name}: {direction} {session.remote}: {facts}: "
                        f"the proof: {wanted}; bgpd: {done}"
                    )
        return found

    def decisions(self, seen: Seen) -> Iterator[tuple[Session, Facts, bool, str]]:
        """All routes that filters had to decide about, and whether they went through."""
        for session in PLAN.sessions:
            for route in self.sent[session.remote]:
                facts = _facts(route, session)
                yield session, facts, (session.remote, facts.prefix) in seen.taken, "from"
            for one in seen.best:
                prefix = ip_network(one["prefix"])
                # Nobody is told what he told.
                source = one["neighbor"]["remote_addr"]
                if prefix.version == session.remote.version and source != str(session.remote):
                    facts = Facts(
                        prefix,
                        tuple(map(int, one["aspath"].split())),
                        one["ovs"],
                        MARK in one.get("large_communities", ()),
                        ip_address(one["exit_nexthop"]),
                    )
                    yield session, facts, prefix in seen.heard[session.remote], "to"


def _facts(route: Route, session: Session) -> Facts:
    """A neighbour's route as it comes in."""
    front = () if session.peer.role is PeerRole.ROUTE_SERVER else (int(session.peer.asn),)
    path = (*front, *route.path)
    return Facts(
        route.prefix,
        path,
        validity(route.prefix, path),
        MARK in route.communities,
        route.next_hop or session.remote,
    )


def policies(rendered: str) -> Iterator[Policy]:
    """The rendered policy, and changed ones that the proof can read."""
    plain, mistakes = parse(rendered)
    assert mistakes == []
    yield Policy("as rendered", rendered, plain)
    for name, text in (*_mutated(rendered), *_drawn(rendered)):
        parsed, mistakes = parse(text)
        if mistakes or _sessions(parsed) != _sessions(plain) or _same(parsed, plain):
            continue
        # The proof looks at one ASN of a path at a time, so such a rule is a flaw of its own.
        if any(rule.action == "allow" and "AS" in rule.conditions for rule in parsed.filters):
            continue
        yield Policy(name, text, parsed)


def _sessions(found: Configuration) -> list[object]:
    """All but filters and sets, without the lines where it stands."""
    return [
        [(name, value) for _, name, value in found.statements],
        [(name, _values(options)) for name, options in found.groups.items()],
        [(one.remote, one.group, _values(one.options)) for one in found.neighbours],
        [one.path for one in found.includes],
    ]


def _values(options: Any) -> list[tuple[str, str]]:
    return [(name, value) for name, (_, value) in options.items()]


def _same(one: Configuration, other: Configuration) -> bool:
    """Whether two configurations have the same rules in the same order."""
    return [replace(rule, line=0) for rule in one.filters] == [
        replace(rule, line=0) for rule in other.filters
    ]


def _mutated(rendered: str) -> Iterator[tuple[str, str]]:
    for case in yaml.safe_load(MUTATIONS.read_text()):
        if BGPD.endswith(case["file"]):
            count = 0 if case.get("every") else 1
            yield case["why"], re.sub(case["find"], case["put"], rendered, count=count)


def _drawn(rendered: str) -> Iterator[tuple[str, str]]:
    """Filters in another order, some of them left out, some with `quick` or without."""
    for seed in range(DRAWN):
        draw = random.Random(seed)
        lines = rendered.splitlines()
        places = [at for at, line in enumerate(lines) if line.startswith(("allow", "deny"))]
        filters = [lines[at] for at in places]
        if seed % 2:
            draw.shuffle(filters)
        for at, line in zip(places, filters, strict=True):
            action, rest = line.split(" ", 1)
            quick = rest.startswith("quick ")
            if draw.random() < 0.2:
                rest = rest.removeprefix("quick ") if quick else f"quick {rest}"
            if draw.random() < 0.1 and " AS " not in rest:
                action = "allow" if action == "deny" else "deny"
            lines[at] = "" if draw.random() < 0.15 else f"{action} {rest}"
        yield f"filters changed by chance ({seed})", "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def comparison(worlds: Worlds) -> Comparison:
    surroundings = worlds.make()
    surroundings.raise_ports()
    folder = surroundings.world.folder
    (folder / "roas").write_text(ROA_SET)
    rendered = changed(changed(for_linux(BGPD, folder), ROLES, ""), LIMIT, "")
    found = list(policies(rendered))
    borders = Borders(found[0].parsed, 1)
    # BIRD takes no route whose next hop is BIRD itself, so none of the neighbours is one.
    others = [*(one.ip for one in STRANGER), *PLAN.router]
    sent = {session.remote: borders.routes(session, others, EACH) for session in PLAN.sessions}
    routers = {
        role: surroundings.router(
            role,
            [
                route
                for session in PLAN.sessions
                if session.peer.role is role
                for route in sent[session.remote]
            ],
            roles=False,
            next_hops=True,
        )
        for role in dict.fromkeys(session.peer.role for session in PLAN.sessions)
    }
    bgpd = Bgpd(surroundings.appliance, rendered, folder)
    for role, router in routers.items():
        bgpd.daemon.wait(f"sessions to {role.value}", router.established)
    bgpd.daemon.wait("all routes", lambda: bgpd.received() == EACH * len(PLAN.sessions))
    received = {_key(one): str(one["ovs"]) for one in bgpd.routes("in") if one["aspath"]}
    refused, seen = [], []
    for policy in found:
        if not bgpd.takes(policy.text):
            refused.append(policy.name)
            continue
        bgpd.use(policy.text)
        seen.append(_see(policy, bgpd, routers))
    return Comparison(sent, received, refused, seen)


def _see(policy: Policy, bgpd: Bgpd, routers: dict[PeerRole, Router]) -> Seen:
    bgpd.daemon.wait("an empty queue", bgpd.idle)
    heard: dict[Address, frozenset[Network]] = {}

    def all_heard() -> bool:
        heard.update(_heard(routers))
        return bgpd.idle() and bgpd.sent() == sum(map(len, heard.values()))

    bgpd.daemon.wait("all that is announced", all_heard)
    routes = bgpd.routes("detail")
    taken = frozenset(_key(one) for one in routes if one["aspath"])
    return Seen(policy, taken, [one for one in routes if one.get("best")], heard)


def _heard(routers: dict[PeerRole, Router]) -> Iterator[tuple[Address, frozenset[Network]]]:
    for router in routers.values():
        told = router.heard()
        for session in router.sessions:
            yield session.local, frozenset(one.prefix for one in told[session.name])


def _key(route: dict[str, Any]) -> Key:
    return ip_address(route["neighbor"]["remote_addr"]), ip_network(route["prefix"])


def test_every_route_came_in_and_its_origin_is_judged_alike(comparison: Comparison) -> None:
    wanted = {}
    for session in PLAN.sessions:
        for facts in (_facts(route, session) for route in comparison.sent[session.remote]):
            wanted[session.remote, facts.prefix] = facts.ovs
    assert comparison.received == wanted
    assert set(wanted.values()) == {"valid", "invalid", "not-found"}


def test_bgpd_takes_most_policies_that_the_proof_can_read(comparison: Comparison) -> None:
    """What it refuses it does not run: it keeps the policy that it has."""
    print(f"refused: {comparison.refused}")
    assert comparison.seen[0].policy.name == "as rendered"
    assert len(comparison.seen) > DRAWN + 10


def test_bgpd_does_with_every_route_what_the_proof_says(comparison: Comparison) -> None:
    decided: Counter[tuple[str, bool]] = Counter()
    for one in comparison.seen:
        for _, _, done, direction in comparison.decisions(one):
            decided[direction, done] += 1
    print(f"{sum(decided.values())} routes, {len(comparison.seen)} policies: {dict(decided)}")
    found = comparison.disagreements()
    assert not found, "\n".join([f"{len(found)} disagreements", *found[:20]])
    assert all(
        decided[direction, done] > 500 for direction in ("from", "to") for done in (False, True)
    )


def test_under_the_rendered_policy_each_neighbour_hears_the_own_scopes(
    comparison: Comparison,
) -> None:
    rendered = comparison.seen[0]
    for session in PLAN.sessions:
        own = {scope for scope in SITE.scopes if scope.version == session.remote.version}
        assert rendered.heard[session.remote] == own


def without_quick(rule: Filter) -> Filter:
    return replace(rule, quick=False)


def one_length_more(rule: Filter) -> Filter:
    """The longest prefix that a rule is about is one bit longer."""

    def wider(box: Box, version: int) -> Box:
        lengths = tuple((low, min(high + 1, LENGTHS[version])) for low, high in box[1])
        return (box[0], lengths, *box[2:])

    about = {
        version: tuple(wider(box, version) for box in boxes)
        for version, boxes in rule.about.items()
    }
    return replace(rule, about=about)


def every_path_length(rule: Filter) -> Filter:
    about = {
        version: tuple((*box[:3], ((1, 255),), *box[4:]) for box in boxes)
        for version, boxes in rule.about.items()
    }
    return replace(rule, about=about)


def every_next_hop(rule: Filter) -> Filter:
    return replace(rule, next_hop=None)


@pytest.mark.parametrize(
    "wrong", [without_quick, one_length_more, every_path_length, every_next_hop]
)
def test_an_evaluation_that_is_wrong_is_noticed(
    comparison: Comparison, wrong: Callable[[Filter], Filter]
) -> None:
    assert comparison.disagreements(wrong)
