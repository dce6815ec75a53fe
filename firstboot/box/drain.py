"""Moves traffic away from a peer before work on its link, without breaking connections.

This is graceful shutdown (RFC 8326): routes announced to the peer carry the community
GRACEFUL_SHUTDOWN, so that the peer prefers every other way to this box, and its own routes are this
box's last choice. Sessions stay up. bgpd.conf includes `RULES`, which is in memory: after a restart
of the box no peer is drained.

A drain may have an end, in memory as well (`firstboot.box.ends`).
"""

import re
from collections.abc import Iterable

from firstboot.box.apply import site_of_running
from firstboot.box.bgpd_include import take_on
from firstboot.box.ends import Ends, after
from firstboot.box.ends import told as end_told
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.limits import DRAINS
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import Session, allot
from firstboot.site.model import PeerRole, Routes

RULES = "var/db/exitisp/drained"
"""The path of filter rules in the form of bgpd.conf(5): two for each address of a drained peer."""

NOBODY = "# No peer is drained.\n"

ENDS = "drains.json"

STATIC = "its default route is static, and stays"


def drain(name: str, machine: Machine, say: Say, minutes: int | None = None) -> None:
    """Drain the peer `name`, and end that after so many `minutes` if any are given. Raises
    Refusal."""
    with machine.alone():
        sessions = _sessions(name, machine)
        names = dict.fromkeys((*drained(machine), name))
        left = {one: end for one, end in _ends(machine).read().items() if one != name}
        if minutes:
            left[name] = after(minutes)
        _ends(machine).keep(left)
        _follow(names, machine)
        remotes = " and ".join(str(session.remote) for session in sessions)
        say(f"Traffic leaves {name} ({remotes}) for whoever else has the routes.")
        by_itself = f", or by itself in {minutes} minutes" if minutes else ""
        if any(session.peer.routes is Routes.STATIC for session in sessions):
            say(f"What leaves the box still goes by {name} where nobody else has a route: {STATIC}")
        say(f"Its sessions stay; after the work{by_itself}: exitisp undrain {name}")


def undrain(name: str, machine: Machine, say: Say) -> None:
    """End the drain of the peer `name`. Raises Refusal."""
    with machine.alone():
        _sessions(name, machine)
        _undrain({name}, machine, say)


def end_drains(machine: Machine, say: Say) -> None:
    """End the drains whose time is over. Raises Refusal."""
    if not _ends(machine).over():
        return
    with machine.alone():
        _undrain(_ends(machine).over(), machine, say)


def _undrain(names: set[str], machine: Machine, say: Say) -> None:
    _follow([one for one in drained(machine) if one not in names], machine)
    try:
        ends = _ends(machine).read()
    except Refusal:
        ends = {}
    _ends(machine).keep({one: end for one, end in ends.items() if one not in names})
    for name in names:
        say(f"{name} is used again.")


def drain_all(machine: Machine) -> None:
    """Drain all peers but the twin, so that traffic goes around this box. Raises Refusal."""
    sessions = allot(site_of_running(machine).value).sessions
    if sessions:
        others = (one.peer for one in sessions if one.peer.role is not PeerRole.TWIN)
        _follow((peer.name for peer in others), machine)


def drained(machine: Machine) -> list[str]:
    """The names of the drained peers. Raises Refusal if the box is not configured."""
    text = (machine.root / RULES).read_text() if (machine.root / RULES).exists() else ""
    remotes = set(re.findall(r"^match to (\S+) ", text, re.MULTILINE))
    sessions = allot(site_of_running(machine).value).sessions
    return list(dict.fromkeys(one.peer.name for one in sessions if str(one.remote) in remotes))


def told(machine: Machine) -> list[str]:
    """What `exitisp status` says of each drained peer. Raises Refusal."""
    ends = _ends(machine).read()
    return [
        f"drained: {name} (exitisp undrain {name})"
        + (f", {end_told(ends[name])}" if name in ends else "")
        for name in drained(machine)
    ]


def rules(sessions: Iterable[Session]) -> str:
    """The filter rules that drain the peers of `sessions`."""
    return (
        "".join(
            f"match to {one.remote} set community GRACEFUL_SHUTDOWN\n"
            f"match from {one.remote} set localpref 0\n"
            for one in sessions
        )
        or NOBODY
    )


def _sessions(name: str, machine: Machine) -> list[Session]:
    sessions = allot(site_of_running(machine).value).sessions
    found = [session for session in sessions if session.peer.name == name]
    if not sessions:
        raise Refusal(
            name,
            "the box speaks BGP with nobody, so there is no peer to drain",
            "Before work on its link, tell the provider; relays lose their connections",
        )
    if not found:
        raise Refusal(
            name,
            "no peer has this name",
            f"Name one of {', '.join(dict.fromkeys(one.peer.name for one in sessions))}",
        )
    return found


def _ends(machine: Machine) -> Ends:
    remedy = "Begin a new one with exitisp undrain for a peer that is drained"
    return Ends(machine.state / ENDS, DRAINS, remedy)


def _follow(names: Iterable[str], machine: Machine) -> None:
    """Have bgpd drain these peers and no others. Raises Refusal; the rules are as before then."""
    wanted = set(names)
    sessions = allot(site_of_running(machine).value).sessions
    text = rules(one for one in sessions if one.peer.name in wanted)
    take_on(machine.root / RULES, text, NOBODY, machine)
