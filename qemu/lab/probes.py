"""The checks of a lab. Each one causes something, collects what others saw of it, and has
`qemu.lab.checks` judge that."""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from firstboot.core.values import Network
from firstboot.site.model import Peer, PeerRole, Port
from qemu.failure import Late
from qemu.lab import checks
from qemu.lab.checks import Asked, Verdict
from qemu.lab.need import BGP, EXCHANGE, OTHER_WAY, PAGES, STREAMS
from qemu.lab.offer import announcer, offered, refusals
from qemu.lab.probe import Probe, probe
from qemu.lab.scraping import scraped
from qemu.lab.session import Lab, until_holds, wait
from qemu.lab.telling import alarmed
from qemu.world.bird import Route
from qemu.world.egress_rule import Rule, rule
from qemu.world.tor import Stream

PATIENCE = 120.0
"""Seconds that a check waits for what has to hold, with an emulated processor."""

ECHO = "www.good.example"
"""The host with the echo service."""

PAGE = "This page is far away."
"""A part of every page of the web server."""


@probe("Every neighbour hears exactly the scopes of the site.", BGP)
def announced(lab: Lab) -> Verdict:
    def look() -> Verdict:
        heard = {
            f"{session.peer.name} {session.remote.version}": {
                route.prefix
                for route in lab.internet.heard(session.peer.name)
                if route.prefix.version == session.remote.version
            }
            for session in lab.internet.topology.sessions
        }
        withheld = {
            f"{one.peer.name} {one.remote.version}": {*lab.site.scopes}
            - {*one.peer.heard_of(lab.site.scopes)}
            for one in lab.plan.sessions
        }
        return checks.announced(heard, lab.site.scopes, withheld)

    return until_holds(look, PATIENCE)


@probe(
    "A Tor client gets a page through each relay, and the web server sees that relay's exit "
    "address.",
    PAGES,
)
def fetched(lab: Lab) -> Verdict:
    verdicts = [_fetch(lab, at) for at in range(len(lab.plan.relays))]
    failed = [verdict for verdict in verdicts if not verdict.holds]
    return failed[0] if failed else verdicts[0]


def _fetch(lab: Lab, at: int) -> Verdict:
    exits = list(lab.plan.relays[at].source)

    def look() -> Verdict:
        name = lab.new_name()
        page = lab.fetch(at, name)
        return checks.fetched(page, PAGE, lab.internet.web.visits(), f"/{name}", exits)

    return until_holds(look, PATIENCE)


@probe(
    "The name in such a request is asked for by the resolver's addresses alone, and servers above "
    "its zone learn one label more than their own zone has (RFC 9156).",
    PAGES,
)
def resolved(lab: Lab) -> Verdict:
    def look() -> Verdict:
        name = lab.new_name()
        since = [len(asked) for asked in _asked(lab)]
        lab.fetch(0, name)
        asked = itertools.chain(*(asked[n:] for asked, n in zip(_asked(lab), since, strict=True)))
        return checks.resolved(asked, name, list(lab.plan.resolver))

    return until_holds(look, PATIENCE)


def _asked(lab: Lab) -> list[list[Asked]]:
    """The questions that each name server got in datagrams so far."""
    servers = lab.internet.nameservers
    return [
        [
            Asked(".".join(one.name.rsplit(".", labels + 1)[1:]) or ".", one.name, one.source)
            for one in server.questions()
            if one.name is not None
        ]
        for labels, server in enumerate((servers.roots, servers.registry, servers.zones))
    ]


@probe(
    "No packet left a transit or exchange port from an address that is not the operator's, since "
    "the first frame."
)
def contained(lab: Lab) -> Verdict:
    return checks.contained(
        {port.name: (_rule(lab, port), lab.sent(port.name)) for port in lab.outside}
    )


def _rule(lab: Lab, port: Port) -> Rule:
    """What may leave `port`. The members of an exchange whose routes its route servers announce
    are next hops, so the box may look for them, and for a provider's router, which may speak from
    another address of its link than that of the gateway."""
    topology = lab.internet.topology
    ends = [
        end.ip
        for exchange in topology.exchanges
        if exchange.port is port
        for end in exchange.member_ends
    ]
    ends += [end.ip for one in topology.providers if one.port is port for end in one.ends]
    return replace(rule(lab.site, port), hops=frozenset(ends))


@probe("Nothing but IPv4, IPv6 and ARP went to an exchange, from one Ethernet address.", EXCHANGE)
def permitted(lab: Lab) -> Verdict:
    return checks.permitted({port.name: lab.sent(port.name) for port in lab.exchanges})


@probe("`exitisp status` finds nothing wrong.")
def healthy(lab: Lab) -> Verdict:
    def look() -> Verdict:
        ran = lab.appliance.ran("exitisp status")
        wrong = ("DOWN", "NOT SO", "damaged", "CLOSED", "NO ROUTES", "UNKNOWN")
        verdict = checks.said("healthy", ran.text, unwanted=wrong)
        if ran.status == 0:
            return verdict
        lines = (line for line in ran.text.splitlines() if any(word in line for word in wrong))
        return Verdict("healthy", False, "; ".join(lines) or f"status {ran.status}")

    return until_holds(look, PATIENCE)


SEARCHED = ("/cfg", "/data", "/tmp", "/var")  # noqa: S108


@probe(
    "After a page was fetched, no file of the box has the address of the client, of the web server "
    "or of a name server, nor the name that was asked for.",
    PAGES,
)
def unrecorded(lab: Lab) -> Verdict:
    name = lab.new_name()
    lab.fetch(0, name)
    strangers = lab.strangers
    own = str(next(iter(lab.plan.router)))
    words = " ".join(f"-e {one}" for one in (own, *strangers))
    # Some grep sees no further than the first null byte of a line, so those become line ends. In
    # another locale than C, some tr sees no further than the first byte that is no character.
    each = f"tr '\\000' '\\n' <\"$f\" | grep -aoF {words} | sed \"s,^,$f:,\""
    files = f"find {' '.join(SEARCHED)} -type f"
    search = f"(export LC_ALL=C; {files} | while read -r f; do {each}; done | sort -u)"
    found = lab.appliance.ran(search, 600).text
    return checks.unrecorded(found, own, len(strangers))


@probe(
    "What rpki-client on the box fetches and validates is exactly what the simulated Internet's "
    "RPKI signed, and the router's address asked for it by RRDP. Where the image has no "
    "rpki-client, the lab writes its output.",
    BGP,
)
def validated(lab: Lab) -> Verdict:
    if lab.appliance.system.validation is None:
        return Verdict("validated", True, "there is no rpki-client: the lab wrote its output")
    lab.appliance.validate()
    return checks.validated(
        lab.appliance.said(f"cat {lab.appliance.system.origins}"),
        lab.internet.trust.origins,
        lab.internet.rpki.fetched(),
        list(lab.plan.router),
    )


@probe(
    "Of what a peer announces, the box refuses hijacks, leaks, bogons, default routes, networks of "
    "exchanges, prefixes that are too long, reserved ASNs and origins that RPKI calls invalid. It "
    "takes the rest.",
    BGP,
)
def refused(lab: Lab) -> Verdict:
    peer = announcer(lab.site)
    offer = offered(lab.site, peer)
    bad = {what: [route.prefix for route in routes] for what, routes in offer.bad.items()}
    good = [route.prefix for route in offer.good]
    with announcing(lab, peer, offer.routes):

        def look() -> Verdict:
            came, taken = _routes(lab, peer, "in"), _routes(lab, peer)
            lab.refusals[:] = refusals(offer, peer, came, taken)
            return checks.refused(came, taken, bad, good)

        return until_holds(look, PATIENCE)


@contextlib.contextmanager
def announcing(lab: Lab, peer: Peer, routes: Iterable[Route]) -> Iterator[None]:
    """Has `peer`, one of the site's, announce `routes` too in the `with` block."""
    router = lab.internet.routers[peer.name]
    router.announce(routes)
    try:
        yield
    finally:
        router.announce([])


def _routes(lab: Lab, peer: Peer, *which: str) -> set[Network]:
    """The prefixes that bgpd has from `peer`: with "in" as they came, else those it uses."""
    appliance = lab.appliance
    said = appliance.said(" ".join((appliance.system.bgp, "-j show rib", *which)))
    told: dict[str, Any] = json.loads(said)
    hers = {str(address) for address in peer.addresses}
    return {
        ip_network(one["prefix"])
        for one in told["rib"]
        if one["aspath"] and one["neighbor"]["remote_addr"] in hers
    }


@probe(
    "Without the cable to the transit that pages come by, they come by another port. With the "
    "cable back they come by that transit again.",
    PAGES,
    OTHER_WAY,
)
def failover(lab: Lab) -> Verdict:
    port = _way(lab)
    names = _transits(lab, port)
    used = [_moment(lab, "before", lambda ports: port in ports)]
    lab.unplug(port)
    used.append(_moment(lab, f"without {names[0]}", lambda ports: port not in ports))
    lab.plug(port)
    wait(f"sessions with {', '.join(names)}", lab.internet.established)
    used.append(_moment(lab, "after", lambda ports: port in ports))
    return checks.moved("failover", used, port, back=True)


@probe(
    "A stream stays open while its transit is drained (`exitisp drain PEER`) and used again, and "
    "nothing of the stream goes by that transit meanwhile.",
    PAGES,
    STREAMS,
    OTHER_WAY,
)
def drained(lab: Lab) -> Verdict:
    port = _way(lab)
    names = _transits(lab, port)
    echoes: dict[str, bool] = {}
    used: dict[str, set[str]] = {}
    with lab.internet.tor.client.hold(ECHO, lab.fingerprints[0]) as stream:

        def moment(name: str) -> None:
            since = lab.sent_counts()
            echoes[name] = all(stream.echo(f"{name} {n}") == f"{name} {n}" for n in range(3))
            used[name] = lab.used(since)

        moment("before")
        for name in names:
            lab.mark(f"exitisp drain {name}")
            lab.appliance.said(f"exitisp drain {name}")
        wait(f"another way than {port}", lambda: not _uses(lab, stream, port), PATIENCE)
        moment("drained")
        for name in names:
            lab.mark(f"exitisp undrain {name}")
            lab.appliance.said(f"exitisp undrain {name}")
        wait(f"{port} again", lambda: _uses(lab, stream, port), PATIENCE)
        moment("afterwards")
    moved = checks.moved(
        "drained", [(name, ports, echoes[name]) for name, ports in used.items()], port, back=True
    )
    steady = checks.held("drained", echoes)
    return Verdict("drained", moved.holds and steady.holds, f"{steady.evidence}; {moved.evidence}")


def _way(lab: Lab) -> str:
    """The port that pages come by now. Raises Late if none comes by a transit's."""
    found: set[str] = set()

    def look() -> bool:
        since = lab.sent_counts()
        lab.fetch(0, lab.new_name())
        found.update(port for port in lab.used(since) if _transits(lab, port))
        return bool(found)

    wait("a page by a transit", look, PATIENCE)
    return min(found)


def _transits(lab: Lab, port: str) -> list[str]:
    """The transits at a port, by their names."""
    return list(
        dict.fromkeys(
            session.peer.name
            for session in lab.plan.sessions
            if session.port.name == port and session.peer.role is PeerRole.TRANSIT
        )
    )


def _moment(lab: Lab, name: str, enough: Callable[[set[str]], bool]) -> tuple[str, set[str], bool]:
    """Fetch pages until one comes by ports that are `enough`, for PATIENCE seconds at most.

    Returns `name`, the ports that the last request used, and whether its page came.
    """
    came, ports = False, set[str]()

    def look() -> bool:
        nonlocal came, ports
        since = lab.sent_counts()
        came = PAGE in lab.fetch(0, lab.new_name())
        ports = lab.used(since)
        return came and enough(ports)

    with contextlib.suppress(Late):
        wait("a page", look, PATIENCE)
    return name, ports, came


def _uses(lab: Lab, stream: Stream, port: str) -> bool:
    since = lab.sent_counts()
    stream.echo("which way")
    return port in lab.used(since)


CHECKS: dict[str, Probe] = {
    check.name: check
    for check in (
        announced,
        fetched,
        resolved,
        validated,
        refused,
        failover,
        drained,
        healthy,
        alarmed,
        scraped,
        unrecorded,
        contained,
        permitted,
    )
}
"""By name, in the order in which a lab makes them. Those that look at all frames come last."""
