"""BGP with real neighbours: what the rendered policy announces to them, and what it accepts.

A policy that parses may still leak, so the same assertion is shown to fail for one that does.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from firstboot.box import blackhole, sessions
from firstboot.box.host import PATIENCE, Host, Ran
from firstboot.site import services
from firstboot.site.model import PeerRole
from qemu.world.bird import Heard, Route, Router
from qemu.world.net import Party
from qemu.world.routes import ORIGIN, thousands
from tests.live import routes
from tests.live.appliance import BGPD, Bgpd, changed, for_linux
from tests.live.conftest import Worlds
from tests.live.world import PLAN, SITE, SITE_FILE

EXPORT = r"allow to ebgp prefix-set own large-community local-as:1:1"
LEAKING = "allow to ebgp inet prefixlen 8 - 24\nallow to ebgp inet6 prefixlen 16 - 48"
"""A rule from a published policy for an exit's router (`allow to PEER prefixlen 8 - 24`), in
today's grammar and for both address families."""

ROLES = r"(?m)^  (role|announce policy) \S+$"
LIMIT = r"(?m)^    max-prefix \d+ out$"


@dataclass(frozen=True)
class Lab:
    bgpd: Bgpd
    routers: dict[PeerRole, Router]
    announced: Mapping[PeerRole, list[Route]]

    @classmethod
    def start(
        cls,
        worlds: Worlds,
        *without: tuple[str, str],
        of: Mapping[PeerRole, list[Route]] = {},
        site: Path = SITE_FILE,
    ) -> "Lab":
        """Start sessions with all neighbours, who announce thousands of routes, or those that `of`
        says of their role. `without` is what `changed` replaces in the rendered policy."""
        surroundings = worlds.make()
        surroundings.raise_ports()
        roles = all(pattern != ROLES for pattern, _ in without)
        announced = {role: of.get(role, routes.announced(role)) for role in routes.ROLES}
        routers = {
            role: surroundings.router(role, announced[role], roles, next_hops=True)
            for role in routes.ROLES
        }
        folder = surroundings.world.folder
        (folder / "roas").write_text(routes.ROAS)
        (folder / "blackholed").write_text(blackhole.prefix_set([]))
        text = for_linux(BGPD, folder, site)
        for pattern, replacement in without:
            text = changed(text, pattern, replacement)
        return cls(Bgpd(surroundings.appliance, text, folder), routers, announced)

    def settle(self) -> None:
        """Wait until every route has come in and nothing waits to be sent."""
        for role, router in self.routers.items():
            self.bgpd.daemon.wait(f"sessions to {role.value}", router.established)
        sent = sum(map(len, self.announced.values()))
        self.bgpd.daemon.wait(f"{sent} routes", lambda: self.bgpd.received() == sent)
        self.bgpd.daemon.wait("an empty queue", self.bgpd.idle)
        self.bgpd.daemon.wait("all that is announced", lambda: self.bgpd.sent() == self._heard())

    def _heard(self) -> int:
        return sum(len(found) for one in self.routers.values() for found in one.heard().values())


def own(router: Router) -> dict[str, set[Heard]]:
    """Return by session what a neighbour has to hear: the own scopes of its family, no more."""
    return {
        session: {
            Heard(scope, (SITE.as_number,), frozenset({f"{SITE.as_number}:1:1"}))
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
            route for role in routes.ROLES for route in as_received(role, routes.ORDINARY[role])
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


REHEARSAL = Path(__file__).parents[2] / "image" / "rehearsal" / "overlay" / services.FILE
"""The services of a box that has bgpctl itself in PATH."""

LIMITED = (r"(?m)^    max-prefix 50000$", "    max-prefix 20")
"""A limit of the peer at the exchange that a test can reach."""


@dataclass(frozen=True, slots=True)
class Asked(Host):
    """The appliance in its namespace, to run programs in."""

    party: Party = field(kw_only=True)

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        return Ran(self.party.run(*command, given=given or "", check=False), 0)


def waiting(lab: Lab) -> list[str]:
    """Return what exitisp status says of the sessions."""
    (bgpd,) = (one for one in services.load((REHEARSAL,)) if one.name == "openbgpd")
    return list(sessions.waiting(SITE, Asked(party=lab.bgpd.party), bgpd))


@pytest.mark.xdist_group("live-bgp-sessions")
class TestTooManyRoutes:
    """The peer at the exchange announces more than it may, and tries again every few seconds."""

    @pytest.fixture
    def leaking(self, worlds: Worlds) -> Lab:
        lab = Lab.start(worlds, LIMITED)
        lab.settle()
        assert waiting(lab) == []
        lab.routers[PeerRole.PEER].announce(Route.to(f"15.0.{n}.0/24") for n in range(30))
        return lab

    def test_close_the_session_until_somebody_opens_it(self, leaking: Lab) -> None:
        bgpd, router = leaking.bgpd, leaking.routers[PeerRole.PEER]
        bgpd.daemon.wait("the end of the session", lambda: len(waiting(leaking)) == 1)
        refused = "Connection attempt from neighbor 203.0.113.20"
        bgpd.daemon.wait("two more attempts", lambda: bgpd.daemon.said().count(refused) >= 2)
        bgpd.reload()
        before = bgpd.daemon.said().count(refused)
        bgpd.daemon.wait("one more", lambda: bgpd.daemon.said().count(refused) > before)
        assert not router.established("appliance4")
        assert router.established("appliance6")
        assert all(
            leaking.routers[role].established()
            for role in routes.ROLES
            if role is not PeerRole.PEER
        )
        (told,) = waiting(leaking)
        assert told == (
            "CLOSED: BGP with neighbour (203.0.113.20): it sent more than 20 routes, as a leak "
            "does. Once that has ended, let it in again: bgpctl neighbor 203.0.113.20 clear"
        )
        router.announce([])
        leaking.bgpd.party.run(*told.partition("again: ")[2].split())
        bgpd.daemon.wait("the session", router.established)
        assert waiting(leaking) == []

    def test_of_ours_close_it_too(self, worlds: Worlds) -> None:
        lab = Lab.start(worlds, (EXPORT, LEAKING), (ROLES, ""))
        leaked = "more than the own scopes would have been announced to it."
        lab.bgpd.daemon.wait(
            "the end of a session", lambda: any(leaked in one for one in waiting(lab))
        )


@pytest.mark.xdist_group("live-bgp-sessions")
def test_a_transit_that_sends_a_default_route_alone_is_told(worlds: Worlds) -> None:
    default = [Route.to("0.0.0.0/0", ORIGIN), Route.to("::/0", ORIGIN)]
    lab = Lab.start(worlds, of={PeerRole.TRANSIT: default})
    lab.settle()
    assert waiting(lab) == [
        f"NO ROUTES: BGP with upstream ({remote}): it sends a default route and no others, and "
        "with routes: full that is refused, so that relays reach nobody by it. Write routes: "
        "default, or ask it for a full table"
        for remote in ("192.0.2.1", "2001:db8:100::1")
    ]
    lab.routers[PeerRole.TRANSIT].announce(thousands(200, 200))
    lab.bgpd.daemon.wait("more routes", lambda: not waiting(lab))


@pytest.mark.xdist_group("live-bgp-sessions")
@pytest.mark.parametrize(
    ("takes", "taken"),
    [("default", routes.FAULTY["a default route"][PeerRole.TRANSIT]), ("static", [])],
)
def test_of_a_transit_without_a_table_a_default_route_is_taken_at_most(
    worlds: Worlds, tmp_path: Path, takes: str, taken: list[Route]
) -> None:
    upstream = "role: transit\n    addresses: [192.0.2.1"
    text = changed(SITE_FILE.read_text(), re.escape(upstream), f"routes: {takes}\n    {upstream}")
    site = tmp_path / "site.yaml"
    site.write_text(text)
    lab = Lab.start(worlds, site=site)
    lab.settle()
    assert_own_scopes_alone(lab)
    sent = as_received(PeerRole.TRANSIT, routes.announced(PeerRole.TRANSIT))
    told, accepted = lab.bgpd.told(), lab.bgpd.accepted()
    assert as_received(PeerRole.TRANSIT, taken) < sent <= told
    others = {one for role in (PeerRole.PEER, PeerRole.ROUTE_SERVER)
              for one in as_received(role, routes.ORDINARY[role])}  # fmt: skip
    assert accepted == others | as_received(PeerRole.TRANSIT, taken)


ANNOUNCED = {
    "asn: 4100000001\n": """\
    announce:
      - prepend: 3
      - scopes: ["2001:db8:ee::/48"]
        med: 70
        communities: [64500:80, "4100000001:1:80"]
""",
    "asn: 4100000002\n": """\
    announce:
      - communities: [0:64500, "4100000002:101:4100000009"]
        prepend: 1
        med: 0
""",
}
"""What is put on the scopes for the upstream and the route server, by the line of the site that it
stands behind."""


@pytest.mark.xdist_group("live-bgp-sessions")
def test_each_neighbour_hears_what_the_site_puts_on_the_scopes_for_it_and_nothing_else(
    worlds: Worlds, tmp_path: Path
) -> None:
    text = SITE_FILE.read_text()
    for line, entries in ANNOUNCED.items():
        text = changed(text, line, line + entries)
    site = tmp_path / "site.yaml"
    site.write_text(text)
    lab = Lab.start(worlds, site=site)
    lab.settle()
    v4, v6 = SITE.scopes
    asn, mark = SITE.as_number, f"{SITE.as_number}:1:1"
    of_server = frozenset({mark, "0:64500", "4100000002:101:4100000009"})
    heard = {role: router.heard() for role, router in lab.routers.items()}
    assert heard == {
        PeerRole.TRANSIT: {
            "appliance4": {Heard(v4, (asn,) * 4, frozenset({mark}))},
            "appliance6": {
                Heard(v6, (asn,), frozenset({mark, "64500:80", "4100000001:1:80"}), med=70)
            },
        },
        PeerRole.ROUTE_SERVER: {
            "appliance4": {Heard(v4, (asn,) * 2, of_server, med=0)},
            "appliance6": {Heard(v6, (asn,) * 2, of_server, med=0)},
        },
        PeerRole.PEER: own(lab.routers[PeerRole.PEER]),
    }
    assert lab.bgpd.accepted() == {
        route for role in routes.ROLES for route in as_received(role, routes.ORDINARY[role])
    }
    lab.bgpd.use(for_linux(BGPD, lab.bgpd.party.world.folder))
    lab.bgpd.daemon.wait(
        "the scopes as they are",
        lambda: all(router.heard() == own(router) for router in lab.routers.values()),
    )


@pytest.mark.xdist_group("live-bgp-sessions")
def test_a_scope_can_be_withheld_from_a_neighbour_or_be_for_it_alone(
    worlds: Worlds, tmp_path: Path
) -> None:
    """What is sent with NO_EXPORT (65535:65281) is heard; what is withheld is not."""
    text = SITE_FILE.read_text()
    for line, entries in (
        ("asn: 4100000001\n", '[{scopes: ["2001:db8:ee::/48"], withheld: yes}]'),
        ("asn: 4100000003\n", "[{no_export: yes, prepend: 1}]"),
    ):
        text = changed(text, line, f"{line}    announce: {entries}\n")
    site = tmp_path / "site.yaml"
    site.write_text(text)
    lab = Lab.start(worlds, site=site)
    lab.settle()
    v4, v6 = SITE.scopes
    asn, marks = SITE.as_number, frozenset({f"{SITE.as_number}:1:1"})
    kept = marks | {"65535:65281"}
    heard = {role: router.heard() for role, router in lab.routers.items()}
    assert heard == {
        PeerRole.TRANSIT: {"appliance4": {Heard(v4, (asn,), marks)}, "appliance6": set()},
        PeerRole.ROUTE_SERVER: own(lab.routers[PeerRole.ROUTE_SERVER]),
        PeerRole.PEER: {
            "appliance4": {Heard(v4, (asn, asn), kept)},
            "appliance6": {Heard(v6, (asn, asn), kept)},
        },
    }


@pytest.mark.xdist_group("live-bgp-sessions")
def test_a_transit_hears_of_addresses_that_are_given_up_and_nobody_else_does(
    worlds: Worlds, tmp_path: Path
) -> None:
    text = changed(
        SITE_FILE.read_text(),
        "    asn: 4100000001\n",
        "    asn: 4100000001\n    blackhole: 65535:666\n",
    )
    site = tmp_path / "site.yaml"
    site.write_text(text)
    lab = Lab.start(worlds, site=site)
    lab.settle()
    assert_own_scopes_alone(lab)
    transit = lab.routers[PeerRole.TRANSIT]
    own_scopes = own(transit)
    given_up = [scope.network_address + 1 for scope in SITE.scopes]
    foreign_one = ip_address("9.9.9.9")
    written = lab.bgpd.party.world.folder / "blackholed"
    written.write_text(blackhole.prefix_set([*given_up, foreign_one]))
    lab.bgpd.reload()
    mark = frozenset({f"{SITE.as_number}:1:2", "65535:666"})
    wanted = {
        session: scopes
        | {
            Heard(ip_network(address), (SITE.as_number,), mark)
            for address in given_up
            if session.endswith(str(address.version))
        }
        for session, scopes in own_scopes.items()
    }
    lab.bgpd.daemon.wait("single addresses", lambda: transit.heard() == wanted)
    for role in (PeerRole.PEER, PeerRole.ROUTE_SERVER):
        assert lab.routers[role].heard() == own(lab.routers[role])
    written.write_text(blackhole.prefix_set([]))
    lab.bgpd.reload()
    lab.bgpd.daemon.wait("the own scopes alone", lambda: transit.heard() == own_scopes)


@pytest.mark.xdist_group("live-bgp-sessions")
def test_bgpd_tells_of_sessions_and_writes_no_route_down(worlds: Worlds) -> None:
    """What syslog.conf keeps of bgpd at the level of info."""
    lab = Lab.start(worlds)
    lab.settle()
    lab.routers[PeerRole.PEER].shut()
    said = lab.bgpd.daemon.said
    who = r"neighbor 203\.0\.113\.20 \(neighbour-v4\).*: state change"
    down = re.compile(f"{who} Established -> ")
    lab.bgpd.daemon.wait("the end of a session", lambda: bool(down.search(said())))
    assert re.search(f"{who} .* -> Established", said())
    foreign = {str(one.prefix) for role in routes.ROLES for one in routes.ORDINARY[role]}
    assert not [prefix for prefix in foreign if prefix in said()]
