"""Moves traffic away from a peer before work on its link, without breaking connections.

This is graceful shutdown (RFC 8326): routes announced to the peer carry the community
GRACEFUL_SHUTDOWN, so that the peer prefers every other way to this box, and its own routes are this
box's last choice. Sessions stay up. bgpd.conf includes `RULES`, which is in memory: after a restart
of the box no peer is drained.
"""

import re
from collections.abc import Iterable

from firstboot.box.apply import site_of_running
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.core.durable import keep
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import Session, allot

RULES = "var/db/exitisp/drained"
"""The path of filter rules in the form of bgpd.conf(5): two for each address of a drained peer."""

NOBODY = "# No peer is drained.\n"


def drain(name: str, machine: Machine, say: Say) -> None:
    """Drain the peer `name`. Raises Refusal."""
    with machine.alone():
        sessions = _sessions(name, machine)
        names = dict.fromkeys((*drained(machine), name))
        _follow(names, machine)
        remotes = " and ".join(str(session.remote) for session in sessions)
        say(f"Traffic leaves {name} ({remotes}) for whoever else has the routes.")
        say(f"Its sessions stay; after the work: exitisp undrain {name}")


def undrain(name: str, machine: Machine, say: Say) -> None:
    """End the drain of the peer `name`. Raises Refusal."""
    with machine.alone():
        _sessions(name, machine)
        _follow([one for one in drained(machine) if one != name], machine)
        say(f"{name} is used again.")


def drain_all(machine: Machine) -> None:
    """Drain all peers, so that traffic goes around this box. Raises Refusal."""
    _follow((one.peer.name for one in allot(site_of_running(machine).value).sessions), machine)


def drained(machine: Machine) -> list[str]:
    """The names of the drained peers. Raises Refusal if the box is not configured."""
    text = (machine.root / RULES).read_text() if (machine.root / RULES).exists() else ""
    remotes = set(re.findall(r"^match to (\S+) ", text, re.MULTILINE))
    sessions = allot(site_of_running(machine).value).sessions
    return list(dict.fromkeys(one.peer.name for one in sessions if str(one.remote) in remotes))


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
    if not found:
        raise Refusal(
            name,
            "no peer has this name",
            f"Name one of {', '.join(dict.fromkeys(one.peer.name for one in sessions))}",
        )
    return found


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
