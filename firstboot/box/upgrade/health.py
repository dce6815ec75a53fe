"""What works on a box, told before a switch of slots and again after it.

A slot is as good as the one before it if everything works that worked there. What did not work
before is no reason to go back. Nothing counts as confirmed if it is not known what worked: the
record of it may be missing or damaged, and the file systems that the box keeps its state on may not
be mounted.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from firstboot.box.apply import site_of_running
from firstboot.box.daemons import is_off
from firstboot.box.machine import STORAGE, Machine
from firstboot.core.durable import damaged, keep, kept_json
from firstboot.core.limits import SIGNS
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site

CONFIGURED = "it is configured"
"""Without this sign, the boot itself is all that can be judged."""

RESOLVES = "names of the Internet are resolved"

FORMER = {
    "ports have the addresses of the site and no others": (
        "no interface has a foreign address",
        "every port is there, with its addresses",
    ),
    "the resolver, the relays and BGP run": (),
}
"""Signs of earlier releases that are no more, and those that say the same now. Of services that run
each has a sign of its own, then and now."""

OPENED = re.compile(
    r'^tor_relay_connections\{(?=[^}]*type="OR")[^}]*state="opened"[^}]*\} ([0-9]+)', re.MULTILINE
)
"""The number of open connections to other relays, on a relay's MetricsPort (tor(1))."""

BGPCTL = "/usr/local/libexec/exitisp/bgpctl"
"""bgpctl(8), which fails until bgpd has settled."""

BGPD_CONF = "etc/local/bgpd.conf"

PATIENCE = 20.0
"""Seconds that a program may take to answer."""


def signs(machine: Machine) -> frozenset[str]:
    """What works now, as sentences for people. Raises Refusal if the configuration cannot be
    read."""
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


def still_wanted(signs: frozenset[str], machine: Machine) -> frozenset[str]:
    """Those of `signs` that are about something that the site still has."""
    try:
        site = site_of_running(machine).value
    except Refusal:
        return signs
    running = machine.running()
    files = running.read().files if running is not None and running.sound else ()
    bgpd = next((file.text for file in files if file.path == BGPD_CONF), "")
    ports = {port.interface for port in site.ports}
    off = {one.label for one in machine.system.services if is_off(one, machine)}

    def wanted(sign: str) -> bool:
        if match := re.fullmatch(r"BGP with (.+) is established", sign):
            return f'descr "{match[1]}' in bgpd
        if match := re.fullmatch(r"relay ([0-9]+) has reached the network", sign):
            return int(match[1]) <= site.relays.count
        if match := re.fullmatch(r"there is the (.+)", sign):
            return match[1] not in off
        if match := re.fullmatch(r"(\S+) is up", sign):
            return match[1] in ports
        return True

    return frozenset(filter(wanted, signs))


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
    """The signs that were kept last. Raises Refusal if the record is missing or damaged."""
    place = _place(machine)
    told = kept_json(place, SIGNS, list)
    if told is None:
        raise damaged(place, "nobody has kept there what worked before")
    if not all(isinstance(one, str) for one in told):
        raise damaged(place, "it is not what was kept: a list of sentences")
    return frozenset(told)


def missing(machine: Machine) -> frozenset[str]:
    """What a slot on trial still lacks to be confirmed, as sentences that are not true yet."""
    lacking = {f"/{name} is mounted" for name in STORAGE if not machine.mounted(name)}
    try:
        wanted = in_present_words(remembered(machine))
    except Refusal as refusal:
        return frozenset({*lacking, f"it is known what worked before ({refusal})"})
    try:
        return frozenset({*lacking, *(wanted - signs(machine))})
    except (Refusal, OSError) as error:
        return frozenset({*lacking, f"the configuration can be read ({error})"})


def in_present_words(signs: frozenset[str]) -> frozenset[str]:
    """The signs that an earlier release kept, as this one says them."""
    return frozenset(now for sign in signs for now in FORMER.get(sign, (sign,)))


def _place(machine: Machine) -> Path:
    return machine.cfg / "state" / "signs.json"
