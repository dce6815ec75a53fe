"""BGP with real neighbours: what the rendered policy announces to them, and what it accepts.

A policy that parses may still leak, so the same assertion is shown to fail for one that does.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from firstboot.site.model import PeerRole
from qemu.world.bird import Heard, Route, Router
from tests.live import routes
from tests.live.appliance import BGPD, Bgpd, changed, for_linux
from tests.live.conftest import Worlds
from tests.live.world import PLAN, SITE

EXPORT = r"allow to ebgp prefix-set own large-community local-as:1:1"
LEAKING = "allow to ebgp inet prefixlen 8 - 24\nallow to ebgp inet6 prefixlen 16 - 48"
"""A rule from a published policy for an exit's router (`allow to PEER prefixlen 8 - 24`), in
today's grammar and for both address families."""

ROLES = r"(?m)^  announce policy \S+$"
LIMIT = r"(?m)^    max-prefix \d+ out$"


@dataclass(frozen=True)
class Lab:
    bgpd: Bgpd
    routers: dict[PeerRole, Router]

    @classmethod
    def start(cls, worlds: Worlds, *without: tuple[str, str]) -> "Lab":
        """Start sessions with all neighbours, who announce thousands of routes. `without` is what
        `changed` replaces in the rendered policy."""
        surroundings = worlds.make()
        surroundings.raise_ports()
        roles = all(pattern != ROLES for pattern, _ in without)
        routers = {
            role: surroundings.router(role, routes.announced(role), roles) for role in PeerRole
        }
        folder = surroundings.world.folder
        (folder / "roas").write_text(routes.ROAS)
        text = for_linux(BGPD, folder)
        for pattern, replacement in without:
            text = changed(text, pattern, replacement)
        return cls(Bgpd(surroundings.appliance, text, folder), routers)

    def settle(self) -> None:
        """Wait until every route has come in and nothing waits to be sent."""
        for role, router in self.routers.items():
            self.bgpd.daemon.wait(f"sessions to {role.value}", router.established)
        sent = sum(len(routes.announced(role)) for role in self.routers)
        self.bgpd.daemon.wait(f"{sent} routes", lambda: self.bgpd.received() == sent)
        self.bgpd.daemon.wait("an empty queue", self.bgpd.idle)
        self.bgpd.daemon.wait("all that is announced", lambda: self.bgpd.sent() == self._heard())

    def _heard(self) -> int:
        return sum(len(found) for one in self.routers.values() for found in one.heard().values())


def own(router: Router) -> dict[str, set[Heard]]:
    """Return by session what a neighbour has to hear: the own scopes of its family, no more."""
    return {
        session: {
            Heard(scope, (SITE.asn,), frozenset({f"{SITE.asn}:1:1"}))
            for scope in SITE.scopes
            if session.endswith(str(scope.version))
        }
        for session in router.heard()
    }


def foreign(lab: Lab) -> set[Heard]:
    """Return what neighbours hear besides the own scopes."""
    heard = (found for router in lab.routers.values() for found in router.heard().values())
    return {route for found in heard for route in found if route.prefix not in SITE.scopes}


def assert_own_scopes_alone(lab: Lab) -> None:
    """Check that every neighbour hears exactly the own scopes, originated here."""
    for role, router in lab.routers.items():
        told, expected = router.heard(), own(router)
        extra = sum(len(told[session] - expected[session]) for session in told)
        assert not extra, f"{extra} routes leak to the {role.value}"
        assert told == expected, role


def as_received(role: PeerRole, these: Iterable[Route]) -> set[tuple[str, str]]:
    """Return prefix and path of a neighbour's routes as they are received: with its ASN in front,
    unless it is a route server, which adds none (RFC 7947)."""
    (asn,) = {session.peer.asn for session in PLAN.sessions if session.peer.role is role}
    front = () if role is PeerRole.ROUTE_SERVER else (asn,)
    return {(str(route.prefix), " ".join(map(str, (*front, *route.path)))) for route in these}


@pytest.fixture(scope="module")
def lab(worlds: Worlds) -> Lab:
    lab = Lab.start(worlds)
    lab.settle()
    return lab


@pytest.fixture(scope="module")
def accepted(lab: Lab) -> set[tuple[str, str]]:
    return lab.bgpd.accepted()


@pytest.mark.xdist_group("live-bgp")
class TestRenderedPolicy:
    def test_every_neighbour_hears_of_the_own_scopes_and_of_nothing_else(self, lab: Lab) -> None:
        assert_own_scopes_alone(lab)

    def test_all_ordinary_routes_are_accepted_and_none_besides(
        self, accepted: set[tuple[str, str]]
    ) -> None:
        ordinary = {
            route for role in PeerRole for route in as_received(role, routes.ORDINARY[role])
        }
        assert accepted - ordinary == set()
        assert ordinary - accepted == set()

    @pytest.mark.parametrize("kind", routes.FAULTY)
    def test_refuses(self, lab: Lab, accepted: set[tuple[str, str]], kind: str) -> None:
        told = lab.bgpd.told()
        for role, faulty in routes.FAULTY[kind].items():
            these = as_received(role, faulty)
            assert these <= told, f"the {role.value} did not announce them"
            assert not these & accepted


@pytest.mark.xdist_group("live-bgp-leaks")
def test_the_exchanges_network_is_refused_where_it_is_no_bogon(worlds: Worlds) -> None:
    """The exchange of this site has documentation addresses, which are refused as bogons anyway."""
    lab = Lab.start(worlds, (r"(?s)(prefix-set bogons \{.*?)  203\.0\.113\.0/24 or-longer", r"\1"))
    lab.settle()
    assert "203.0.113.0/24" in {prefix for prefix, _ in lab.bgpd.told()}
    assert "203.0.113.0/24" not in {prefix for prefix, _ in lab.bgpd.accepted()}


@pytest.mark.xdist_group("live-bgp-leaks")
class TestLeakingPolicy:
    """The export rule is replaced by one that leaks, and the other layers are removed in turn."""

    def test_is_caught_when_nothing_else_holds(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, (EXPORT, LEAKING), (ROLES, ""), (LIMIT, ""))
        lab.settle()
        with pytest.raises(AssertionError, match="routes leak"):
            assert_own_scopes_alone(lab)

    def test_leaks_nothing_where_the_roles_hold(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, (EXPORT, LEAKING), (LIMIT, ""))
        lab.settle()
        assert_own_scopes_alone(lab)

    def test_costs_the_session_where_the_limit_holds(self, worlds: Worlds) -> None:
        """One closed session is enough: the routes that would leak to others may be gone with
        it."""
        lab = Lab.start(worlds, (EXPORT, LEAKING), (ROLES, ""))
        daemon = lab.bgpd.daemon
        daemon.wait("the end of a session", lambda: "sent max-prefix exceeded" in daemon.said())
        daemon.wait(
            "its neighbour's notice of it",
            lambda: not all(router.established() for router in lab.routers.values()),
        )
        daemon.wait("the end of the leak", lambda: not foreign(lab))
