"""Moves traffic away from a peer before work on its link, without breaking connections.

This is graceful shutdown (RFC 8326): routes announced to the peer carry the community
GRACEFUL_SHUTDOWN, so that the peer prefers every other way to this box, and its own routes are this
box's last choice. Sessions stay up. bgpd.conf includes `RULES`, which is in memory: after a restart
of the box no peer is drained.

A drain may have an end. Those ends are in memory as well, as JSON, in seconds of the monotonic
clock by the name of the peer.
"""

import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from firstboot.box.apply import site_of_running
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.durable import keep, kept_json
from firstboot.core.limits import DRAINS
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import Session, allot

RULES = "var/db/exitisp/drained"
"""The path of filter rules in the form of bgpd.conf(5): two for each address of a drained peer."""

NOBODY = "# No peer is drained.\n"

ENDS = "drains.json"


def drain(name: str, machine: Machine, say: Say, minutes: int | None = None) -> None:
    """Drain the peer `name`, and end that after so many `minutes` if any are given. Raises
    Refusal."""
    with machine.alone():
        sessions = _sessions(name, machine)
        names = dict.fromkeys((*drained(machine), name))
        left = {one: end for one, end in _ends(machine).items() if one != name}
        if minutes:
            left[name] = time.monotonic() + 60 * minutes
        _keep_ends(left, machine)
        _follow(names, machine)
        remotes = " and ".join(str(session.remote) for session in sessions)
        say(f"Traffic leaves {name} ({remotes}) for whoever else has the routes.")
        by_itself = f", or by itself in {minutes} minutes" if minutes else ""
        say(f"Its sessions stay; after the work{by_itself}: exitisp undrain {name}")


def undrain(name: str, machine: Machine, say: Say) -> None:
    """End the drain of the peer `name`. Raises Refusal."""
    with machine.alone():
        _sessions(name, machine)
        _undrain({name}, machine, say)


def end_drains(machine: Machine, say: Say) -> None:
    """End the drains whose time is over. Raises Refusal."""
    if not _over(machine):
        return
    with machine.alone():
        _undrain(_over(machine), machine, say)


def _over(machine: Machine) -> set[str]:
    now = time.monotonic()
    return {name for name, end in _ends(machine).items() if end <= now}


def _undrain(names: set[str], machine: Machine, say: Say) -> None:
    _follow([one for one in drained(machine) if one not in names], machine)
    try:
        ends = _ends(machine)
    except Refusal:
        ends = {}
    _keep_ends({one: end for one, end in ends.items() if one not in names}, machine)
    for name in names:
        say(f"{name} is used again.")


def drain_all(machine: Machine) -> None:
    """Drain all peers, so that traffic goes around this box. Raises Refusal."""
    sessions = allot(site_of_running(machine).value).sessions
    if sessions:
        _follow((one.peer.name for one in sessions), machine)


def drained(machine: Machine) -> list[str]:
    """The names of the drained peers. Raises Refusal if the box is not configured."""
    text = (machine.root / RULES).read_text() if (machine.root / RULES).exists() else ""
    remotes = set(re.findall(r"^match to (\S+) ", text, re.MULTILINE))
    sessions = allot(site_of_running(machine).value).sessions
    return list(dict.fromkeys(one.peer.name for one in sessions if str(one.remote) in remotes))


def told(machine: Machine) -> list[str]:
    """What `exitisp status` says of each drained peer. Raises Refusal."""
    ends, now = _ends(machine), time.monotonic()
    return [
        f"drained: {name} (exitisp undrain {name})"
        + (
            f", by itself in {max(0, int((ends[name] - now) // 60) + 1)} min"
            if name in ends
            else ""
        )
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


def _ends(machine: Machine) -> dict[str, float]:
    """When drains end by themselves. Raises Refusal if the record is damaged."""
    path = machine.state / ENDS
    try:
        found = kept_json(path, DRAINS, dict) or {}
    except Refusal as refusal:
        raise _damaged(path, refusal.problem) from refusal
    for end in found.values():
        if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
            raise _damaged(path, "it is no record of drains")
    return found


def _damaged(path: Path, problem: str) -> Refusal:
    return Refusal(path, problem, "Begin a new one with exitisp undrain for a peer that is drained")


def _keep_ends(ends: Mapping[str, float], machine: Machine) -> None:
    """Raises OSError."""
    path = machine.state / ENDS
    if ends or path.exists():
        keep(path, (json.dumps(ends) + "\n").encode())


def _follow(names: Iterable[str], machine: Machine) -> None:
    """Have bgpd drain these peers and no others. Raises Refusal; the rules are as before then."""
    wanted = set(names)
    sessions = allot(site_of_running(machine).value).sessions
    path = machine.root / RULES
    before = path.read_bytes() if path.exists() else NOBODY.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    keep(path, rules(one for one in sessions if one.peer.name in wanted).encode(), 0o644)
    (bgpd,) = (one for one in machine.system.services if one.name == "openbgpd")
    ran = machine.run(*bgpd.reload)
    if ran.status != 0:
        keep(path, before, 0o644)
        lines = ran.text.strip().splitlines()
        raise Refusal(
            "bgpd",
            f"it does not take on other filter rules: {lines[-1] if lines else 'no answer'}",
            "Look at exitisp status and /var/log/messages",
        )
