"""A neighbour is drained before anybody works on its link: traffic goes another way first, in both
directions, and nothing that is open breaks (graceful shutdown, RFC 8326).

What is announced to it has the community GRACEFUL_SHUTDOWN, so that it prefers every other way to
here, and its own routes are the last choice. The sessions stay. bgpd.conf includes `RULES`, which
is in memory: after a restart of the box nobody is drained.
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
"""Filter rules of bgpd.conf(5), two for each address of a drained neighbour."""

NOBODY = "# Nobody is drained.\n"


def drain(name: str, machine: Machine, say: Say) -> None:
    """Let traffic go around the peer `name`. Raises Refusal."""
    with machine.alone():
        sessions = _sessions(name, machine)
        names = dict.fromkeys((*drained(machine), name))
        _follow(names, machine)
        remotes = " and ".join(str(session.remote) for session in sessions)
        say(f"Traffic leaves {name} ({remotes}) for whoever else has the routes.")
        say(f"Its sessions stay; after the work: exitisp undrain {name}")


def undrain(name: str, machine: Machine, say: Say) -> None:
    """Let traffic come back to the peer `name`. Raises Refusal."""
    with machine.alone():
        _sessions(name, machine)
        _follow([one for one in drained(machine) if one != name], machine)
        say(f"{name} is used again.")


def drain_all(machine: Machine) -> None:
    """Let traffic go around this box. Raises Refusal."""
    _follow((one.peer.name for one in allot(site_of_running(machine).value).sessions), machine)


def drained(machine: Machine) -> list[str]:
    """The names of the peers that are drained. Raises Refusal if the box runs no site."""
    text = (machine.root / RULES).read_text() if (machine.root / RULES).exists() else ""
    remotes = set(re.findall(r"^match to (\S+) ", text, re.MULTILINE))
    sessions = allot(site_of_running(machine).value).sessions
    return list(dict.fromkeys(one.peer.name for one in sessions if str(one.remote) in remotes))


def rules(sessions: Iterable[Session]) -> str:
    """What bgpd.conf includes while the peers of `sessions` are drained."""
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
            expected="the name of a peer",
            found="none of that name",
            remedy="name one of " + ", ".join(dict.fromkeys(one.peer.name for one in sessions)),
        )
    return found


def _follow(names: Iterable[str], machine: Machine) -> None:
    """Have bgpd drain these peers and no others. Raises Refusal, and then it is as before."""
    wanted = set(names)
    sessions = allot(site_of_running(machine).value).sessions
    path = machine.root / RULES
    before = path.read_bytes() if path.exists() else NOBODY.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    keep(path, rules(one for one in sessions if one.peer.name in wanted).encode(), 0o644)
    ran = machine.run("bgpctl", "reload")
    if ran.status != 0:
        keep(path, before, 0o644)
        raise Refusal(
            "bgpd",
            expected="one that takes on other rules",
            found=ran.text.strip().splitlines()[-1] if ran.text.strip() else "no answer",
            remedy="look at exitisp status and /var/log/messages",
        )
