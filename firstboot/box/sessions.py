"""What of the BGP sessions waits for somebody: one that a limit closed, a transit without routes.

A session that sent too many routes stays down until it is opened by hand: bgpd would let the same
leak in again. bgpd tells all of it (bgpctl(8), `-j`).
"""

import json
from collections.abc import Iterator
from typing import Any

from firstboot.box.host import Host
from firstboot.site.address_plan import Session, allot
from firstboot.site.model import PeerRole, Routes, Site
from firstboot.site.services import Service

FEW = 100
"""Routes that no upstream's table is as small as."""

DEFAULTS = ("0.0.0.0/0", "::/0")

RECEIVED, SENT = "Cease, received max-prefix exceeded", "Cease, sent max-prefix exceeded"
"""The errors that this box sends when it closes a session by a limit (RFC 4486)."""


class _Unreadable(Exception):
    """bgpctl says something else than it should."""


def waiting(site: Site, host: Host, bgpd: Service) -> Iterator[str]:
    """A line for each session of `site` that somebody has to look after."""
    try:
        told = {one["remote_addr"]: one for one in _asked(host, bgpd, "neighbor")["neighbors"]}
        for session in allot(site).sessions:
            if (found := told.get(str(session.remote))) is not None:
                yield from _closed(session, found)
                yield from _without_routes(session, found, host, bgpd)
    except (_Unreadable, LookupError, TypeError, AttributeError, ValueError) as error:
        yield f"UNKNOWN: sessions of BGP: {error}"


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
