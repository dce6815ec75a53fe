"""The BGP sessions: which are up, how many routes they bring, and which wait for somebody.

A session that sent too many routes stays down until it is opened by hand: bgpd would let the same
leak in again. bgpd tells all of it (bgpctl(8), `-j`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from firstboot.box.host import Host
from firstboot.site.address_plan import Session, allot
from firstboot.site.model import PeerRole, Routes, Site
from firstboot.site.parts import parts
from firstboot.site.services import Service

FEW = 100
"""Routes that no upstream's table is as small as."""

DEFAULTS = ("0.0.0.0/0", "::/0")

UP = "Established"

RECEIVED, SENT = "Cease, received max-prefix exceeded", "Cease, sent max-prefix exceeded"
"""The errors that this box sends when it closes a session by a limit (RFC 4486)."""


class _Unreadable(Exception):
    """bgpctl says something else than it should."""


MISTAKEN = (_Unreadable, LookupError, TypeError, AttributeError, ValueError)
"""What becomes of JSON that is something else than bgpctl's."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A session of the site as bgpd has it. `state` is that of RFC 4271, or empty if bgpd does not
    know the session; `received` and `announced` count prefixes. `waits` are sentences for what
    somebody has to look after."""

    session: Session
    state: str
    received: int
    announced: int
    expected: int
    """Prefixes that are to be announced: the scopes of its family."""

    waits: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return _name(self.session)

    @property
    def up(self) -> bool:
        return self.state == UP

    @property
    def document(self) -> dict[str, object]:
        """For programs: docs/status.schema.json."""
        peer = self.session.peer
        return {
            "peer": peer.name,
            "address": str(self.session.remote),
            "asn": int(peer.asn),
            "role": peer.role.value,
            "state": self.state or None,
            "received": self.received,
            "announced": self.announced,
            "expected": self.expected,
            "well": not (self.waits or self.lacks),
        }

    @property
    def unheard(self) -> bool:
        """Whether this box does not do its part: the session is up, and not all goes out by it."""
        return self.up and self.announced < self.expected

    @property
    def lacks(self) -> str:
        """What is missing of a session that waits for nobody: it is down, or its routes are."""
        if self.waits:
            return ""
        if not self.up:
            then = ""
            if self.session.peer.role is PeerRole.TWIN:
                then = ", and what comes here for its addresses is dropped"
            return f"it is down ({self.state or 'bgpd does not know it'}){then}"
        if self.unheard:
            return f"{self.announced} of {self.expected} prefixes are announced to it"
        peer = self.session.peer
        # A peer may have nothing to say in one family.
        has_to_send = peer.role is not PeerRole.PEER and peer.routes is not Routes.STATIC
        if not self.received and has_to_send:
            return "it sends no routes"
        return ""


def look(site: Site, host: Host, bgpd: Service) -> tuple[Seen, ...] | str:
    """Every session of `site`; a sentence if bgpd does not tell."""
    try:
        told = {one["remote_addr"]: one for one in _asked(host, bgpd, "neighbor")["neighbors"]}
    except MISTAKEN as error:
        return f"UNKNOWN: sessions of BGP: {error}"
    return tuple(
        _seen(session, told.get(str(session.remote)), site, host, bgpd)
        for session in allot(site).sessions
    )


def waiting(site: Site, host: Host, bgpd: Service) -> Iterator[str]:
    """A line for each session of `site` that somebody has to look after."""
    found = look(site, host, bgpd)
    if isinstance(found, str):
        yield found
    else:
        yield from (text for one in found for text in one.waits)


def _seen(
    session: Session, found: dict[str, Any] | None, site: Site, host: Host, bgpd: Service
) -> Seen:
    told = parts(site)[0] if session.peer.role is PeerRole.TWIN else site.scopes
    expected = sum(one.version == session.remote.version for one in told)
    if found is None:
        return Seen(session, "", 0, 0, expected)
    state, received, sent = "", 0, 0
    waits: list[str] = []
    try:
        state, prefixes = str(found["state"]), found["stats"]["prefixes"]
        received, sent = int(prefixes["received"]), int(prefixes["sent"])
        waits += _closed(session, found)
        waits += _without_routes(session, found, host, bgpd)
    except MISTAKEN as error:
        waits.append(f"UNKNOWN: sessions of BGP: {error}")
    return Seen(session, state, received, sent, expected, tuple(waits))


def _closed(session: Session, found: dict[str, Any]) -> Iterator[str]:
    if found["state"] != "Idle":
        return
    match found.get("last_error_sent"):
        case str(error) if error == RECEIVED:
            reason = f"it sent more than {found['config']['max_prefix']} routes, as a leak does"
        case str(error) if error == SENT:
            reason = "more than the own scopes would have been announced to it"
        case _:
            return
    yield (
        f"CLOSED: BGP with {_name(session)}: {reason}. Once that has ended, let it in again: "
        f"bgpctl neighbor {session.remote} clear"
    )


def _without_routes(
    session: Session, found: dict[str, Any], host: Host, bgpd: Service
) -> Iterator[str]:
    """Whether a transit sends a default route in place of the Internet's, or none where the site
    wants one."""
    peer, remote = session.peer, str(session.remote)
    received = int(found["stats"]["prefixes"]["received"])
    if peer.role is not PeerRole.TRANSIT or found["state"] != "Established":
        return
    if peer.routes is Routes.DEFAULT:
        default = DEFAULTS[session.remote.version == 6]
        if not received or not _asked(host, bgpd, "rib", "in", "neighbor", remote, default)["rib"]:
            yield (
                f"NO ROUTES: BGP with {_name(session)}: it sends no default route, and nothing "
                "else is taken of it. Ask it for one, or write routes: full for a full table"
            )
    if peer.routes is not Routes.FULL or not 0 < received < FEW:
        return
    routes = {one["prefix"] for one in _asked(host, bgpd, "rib", "in", "neighbor", remote)["rib"]}
    if routes & {*DEFAULTS}:
        others = len(routes - {*DEFAULTS})
        yield (
            f"NO ROUTES: BGP with {_name(session)}: it sends a default route and {others or 'no'} "
            "others, and with routes: full that is refused, so that relays reach nobody by it. "
            "Write routes: default, or ask it for a full table"
        )


def _name(session: Session) -> str:
    return f"{session.peer.name} ({session.remote})"


def _asked(host: Host, bgpd: Service, *what: str) -> dict[str, Any]:
    """What bgpctl shows. Raises _Unreadable."""
    ran = host.run(bgpd.ready[0], "-j", "show", *what)
    try:
        told = json.loads(ran.text)
    except ValueError as error:
        lines = ran.text.strip().splitlines()
        raise _Unreadable(lines[-1] if lines else "bgpctl says nothing") from error
    if not isinstance(told, dict):
        raise _Unreadable("bgpctl says something else than its sessions")
    return told
