"""What works on a box, told before a switch of slots and again after it.

A slot is as good as the one before it if everything works that worked there. What did not work
before is no reason to go back.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from firstboot.box.apply import site_of_running
from firstboot.box.machine import Machine
from firstboot.core.durable import keep
from firstboot.site.model import Site

CONFIGURED = "it is configured"
"""Without this sign, the boot itself is all that can be judged."""

RESOLVES = "names of the Internet are resolved"

OPENED = re.compile(
    r'^tor_relay_connections\{(?=[^}]*type="OR")[^}]*state="opened"[^}]*\} ([0-9]+)', re.MULTILINE
)
"""The number of open connections to other relays, on a relay's MetricsPort (tor(1))."""

BGPCTL = "/usr/local/libexec/exitisp/bgpctl"
"""bgpctl(8), which fails until bgpd has settled."""

PATIENCE = 20.0
"""Seconds that a program may take to answer."""


def signs(machine: Machine) -> frozenset[str]:
    """What works now, as sentences for people. Raises Refusal if the site cannot be read."""
    running = machine.running()
    if running is None:
        return frozenset()
    site = site_of_running(machine).value
    verdicts = machine.verdicts(site, running.read().files)
    return frozenset(
        {
            CONFIGURED,
            *(verdict.what for verdict in verdicts if verdict.holds),
            *_services(machine),
            *_ports(site, machine),
            *_names(machine),
            *_relays(site, machine),
            *_sessions(machine),
        }
    )


def _services(machine: Machine) -> Iterator[str]:
    for service in machine.system.services:
        if not (service.ready and machine.has(service.program)):
            continue
        if machine.run(*service.ready, patience=PATIENCE).status == 0:
            yield f"there is the {service.label}"


def _ports(site: Site, machine: Machine) -> Iterator[str]:
    """Ports that are up and have a link. A driver that cannot tell counts as one with a link."""
    for port in site.ports:
        told = machine.run("ifconfig", port.interface).text
        if re.search(r"flags=[0-9a-f]+<UP[,>]", told) and "status: no carrier" not in told:
            yield f"{port.interface} is up"


def _names(machine: Machine) -> Iterator[str]:
    """Whether the name servers of org. are found, which takes the root's key too."""
    told = machine.run("drill", "org.", "NS", "@127.0.0.1", patience=PATIENCE).text
    if re.search(r"^org\.\s.*\sIN\s+NS\s", told, re.MULTILINE):
        yield RESOLVES


def _relays(site: Site, machine: Machine) -> Iterator[str]:
    """Relays that are connected to others, so they have bootstrapped."""
    for number in range(1, site.relays.count + 1):
        address = f"http://127.0.0.2:{9100 + number}/metrics"
        told = machine.run("fetch", "-q", "-T", "10", "-o", "-", address, patience=PATIENCE).text
        if any(int(one) for one in OPENED.findall(told)):
            yield f"relay {number} has reached the network"


def _sessions(machine: Machine) -> Iterator[str]:
    """Established sessions: the summary has the number of their routes in place of a state."""
    told = machine.run(BGPCTL, "show", "summary", patience=PATIENCE).text
    for line in told.splitlines():
        words = line.split()
        if len(words) >= 7 and re.fullmatch(r"[0-9]+(/[0-9]+)?", words[-1]):
            yield f"BGP with {' '.join(words[:-6])} is established"


def remember(found: frozenset[str], machine: Machine) -> None:
    """Keep the signs `found` over the restart. Raises OSError."""
    _place(machine).parent.mkdir(parents=True, exist_ok=True)
    keep(_place(machine), (json.dumps(sorted(found)) + "\n").encode())


def remembered(machine: Machine) -> frozenset[str]:
    """The signs that were kept last; none if nobody kept any."""
    try:
        told = json.loads(_place(machine).read_text())
    except (OSError, ValueError):
        return frozenset()
    found = told if isinstance(told, list) else []
    return frozenset(one for one in found if isinstance(one, str))


def _place(machine: Machine) -> Path:
    return machine.cfg / "state" / "signs.json"
