"""What is to be seen of a fault, or must not be."""

import time

from firstboot.site.model import PeerRole
from qemu.lab import checks
from qemu.lab.checks import Verdict
from qemu.lab.fault_actions import first
from qemu.lab.probes import PATIENCE, Check
from qemu.lab.session import Lab, until_holds

QUIET = 10.0
"""Seconds in which a port that is not down would have sent something."""


def told(*wanted: str) -> Check:
    """That `exitisp status` fails, and says so."""

    def check(lab: Lab) -> Verdict:
        def look() -> Verdict:
            ran = lab.appliance.ran("exitisp status")
            if ran.status == 0:
                return Verdict("told", False, "exitisp status was content")
            return checks.said("told", ran.text, wanted=wanted)

        return until_holds(look, PATIENCE)

    check.__name__ = "told"
    return check


def withdrawn(lab: Lab) -> Verdict:
    """That no neighbour hears anything any more."""

    def look() -> Verdict:
        heard = {
            peer.name: {route.prefix for route in lab.internet.heard(peer.name)}
            for peer in lab.internet.topology.peers
        }
        left = [name for name, prefixes in heard.items() if prefixes]
        evidence = f"heard by {checks.several(left)}" if left else "no neighbour hears anything"
        return Verdict("withdrawn", not left, evidence)

    return until_holds(look, PATIENCE)


def gone(role: PeerRole) -> Check:
    """That the sessions with the first peer of this role are down, and all others up."""

    def check(lab: Lab) -> Verdict:
        peer = first(lab, role)

        def look() -> Verdict:
            internet = lab.internet
            up = {
                other.name: internet.routers[other.name].established(*internet.of_site(other.name))
                for other in internet.topology.peers
            }
            wrong = [name for name, there in up.items() if there == (name == peer)]
            there = checks.several(name for name, there in up.items() if there)
            return Verdict("gone", not wrong, f"without {peer}; with {there}")

        return until_holds(look, PATIENCE)

    check.__name__ = "gone"
    return check


def steered(lab: Lab) -> Verdict:
    """That neither a route nor an address came of advertisements and redirects."""
    taken = lab.appliance.ran(lab.appliance.system.steered).text.strip().splitlines()
    evidence = checks.several(taken) or "no default route, no redirected one, no other address"
    return Verdict("not steered", not taken, evidence)


def dark(lab: Lab) -> Verdict:
    """That no port towards strangers sends anything."""
    since = lab.sent_counts()
    time.sleep(QUIET)
    frames = {port: lab.sent(port)[count:] for port, count in since.items()}
    return checks.silent("dark", frames)


def unchanged(lab: Lab) -> Verdict:
    """That applying a site is refused in one sentence, and leaves the one that runs."""
    before = lab.appliance.said("readlink /cfg/current")
    ran = lab.appliance.ran("exitisp apply /cfg/current/site.yaml", 600)
    after = lab.appliance.said("readlink /cfg/current")
    refusal = [line for line in ran.text.splitlines() if line.startswith("exitisp: ")]
    sound = len(refusal) == 1 and before == after and "Traceback" not in ran.text
    return Verdict("unchanged", sound, refusal[0] if refusal else f"status {ran.status}")


def unbelieved(lab: Lab) -> Verdict:
    """That a name whose signatures are out of date by the clock has no answer."""
    text = lab.appliance.ran(f"drill -D @127.0.0.1 {lab.new_name()} A").text
    return checks.said("unbelieved", text, wanted=["SERVFAIL"])
