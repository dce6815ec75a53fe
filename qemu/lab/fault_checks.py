"""The checks that belong to certain faults: what the fault must show, or must not cause."""

import time
from dataclasses import replace
from datetime import UTC, datetime

from firstboot.site.model import PeerRole
from qemu.lab import checks
from qemu.lab.checks import Verdict
from qemu.lab.fault_actions import first
from qemu.lab.probe import Probe, probe
from qemu.lab.probes import PATIENCE
from qemu.lab.session import Lab, until_holds

FAR = float("inf")
CLOSE = 30.0
"""Seconds that the clock may be off, with a console between it and the look at it."""

CLOCK_FOUND = 600.0
"""Seconds within which the clock has to be right."""

HEALED = 900.0
"""Seconds within which an emulated box has to be well again: it looks once a minute, and does not
take silence for a failure at once."""

REPORT = "exitisp report"
LONGEST = 900
"""Characters of a report that are evidence."""

QUIET = 10.0
"""Seconds within which a port that is up would send something."""


def told(*wanted: str) -> Probe:
    """The check that `exitisp status` fails and prints all of `wanted`."""

    @probe(f"`exitisp status` fails and prints {' and '.join(map(repr, wanted))}.")
    def told(lab: Lab) -> Verdict:
        def look() -> Verdict:
            ran = lab.appliance.ran("exitisp status")
            if ran.status == 0:
                return Verdict("told", False, "exitisp status found nothing wrong")
            return checks.said("told", ran.text, wanted=wanted)

        return until_holds(look, PATIENCE)

    return told


def healed(*labels: str) -> Probe:
    """The check that the box restarts these by itself, and finds nothing wrong then."""

    @probe(
        f"`exitisp status` finds nothing wrong, and has restarted the {' and the '.join(labels)}."
    )
    def healed(lab: Lab) -> Verdict:
        begun = time.monotonic()

        def look() -> Verdict:
            ran = lab.appliance.ran("exitisp status")
            verdict = checks.said(
                "healed", ran.text, wanted=[f"restarted: {label}" for label in labels]
            )
            if ran.status != 0:
                return Verdict("healed", False, "exitisp status finds something wrong")
            evidence = f"{verdict.evidence}; after {time.monotonic() - begun:.0f} s"
            return Verdict("healed", verdict.holds, evidence)

        return until_holds(look, HEALED)

    return healed


@probe("The kernel ended what took the memory, and said so.")
def eaten(lab: Lab) -> Verdict:
    words = "was killed|Killed process|out of swap|Out of memory"
    lines = lab.appliance.ran(f"dmesg | grep -E '{words}' | tail -n 3").text.strip()
    return Verdict("eaten", bool(lines), lines or "the kernel said nothing of it")


@probe("`exitisp status` finds nothing wrong, whatever else the kernel ended.")
def well(lab: Lab) -> Verdict:
    begun = time.monotonic()

    def look() -> Verdict:
        ran = lab.appliance.ran("exitisp status")
        restarted = [line for line in ran.text.splitlines() if line.startswith("restarted: ")]
        evidence = checks.several(restarted) or "nothing had to be restarted"
        after = f"{evidence}; after {time.monotonic() - begun:.0f} s"
        return Verdict("well", ran.status == 0, after)

    return until_holds(look, HEALED)


@probe(
    "`exitisp report incident` names the cause: the resolver's address, its jail if there are "
    "jails, and the rule of the filter. It says that the ports went down."
)
def reported_2018(lab: Lab) -> Verdict:
    port = lab.exchanges[0]
    wanted = [
        "Cause: A program of the box used an address that is not one of the box's own",
        f"listens on {port.addresses[0].ip} port 53",
        f"the packet filter did not guard every port (what leaves by {port.interface} passes",
        "Packets may have left",
        "The transit and exchange ports went down at",
    ]
    if lab.appliance.system.unconfined:
        wanted.append("a process of the resolver is in no jail")
    return _reported(lab, "incident-of-2018", wanted, ["Somebody sends with"])


@probe("`exitisp report incident` says that somebody else sends with the own addresses.")
def reported_spoofed(lab: Lab) -> Verdict:
    wanted = ["Somebody sends with this network's addresses.", "Nothing of it left from this box"]
    return _reported(lab, "spoofed-by-others", wanted, ["Cause:"])


def _reported(lab: Lab, name: str, wanted: list[str], unwanted: list[str]) -> Verdict:
    """Judge the report on the last incident by the words in its first part. It is kept in the
    lab's folder, as text and as a page."""

    def look() -> Verdict:
        text = lab.appliance.ran(f"{REPORT} incident").text
        (lab.folder / f"{name}.txt").write_text(text)
        short = " ".join(text.partition("What the packet filter stopped")[0].split())
        verdict = checks.said("reported", short, wanted=wanted, unwanted=unwanted)
        return replace(verdict, evidence=short[short.find("In short") :][:LONGEST])

    verdict = until_holds(look, HEALED)
    (lab.folder / f"{name}.html").write_text(lab.appliance.ran(f"{REPORT} --html incident").text)
    return verdict


def gone(role: PeerRole) -> Probe:
    """The check that the sessions with the first peer of this role are down, and no others."""

    @probe(f"The sessions with the first {role.value} are down, and all others are up.")
    def gone(lab: Lab) -> Verdict:
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

    return gone


@probe("Neither a route nor an address came of the advertisements and redirects.")
def not_steered(lab: Lab) -> Verdict:
    taken = lab.appliance.ran(lab.appliance.system.steered).text.strip().splitlines()
    evidence = checks.several(taken) or "no default route, no redirected one, no other address"
    return Verdict("not steered", not taken, evidence)


@probe("No transit or exchange port sends anything.")
def dark(lab: Lab) -> Verdict:
    def look() -> Verdict:
        since = lab.sent_counts()
        time.sleep(QUIET)
        frames = {port: lab.sent(port)[count:] for port, count in since.items()}
        return checks.silent("dark", frames)

    return until_holds(look, PATIENCE)


@probe("Applying a site is refused in one sentence, and the box keeps the one that it runs.")
def unchanged(lab: Lab) -> Verdict:
    before = lab.appliance.said("readlink /cfg/current")
    ran = lab.appliance.ran("exitisp apply /cfg/current/site.yaml", 600)
    after = lab.appliance.said("readlink /cfg/current")
    refusal = [line for line in ran.text.splitlines() if line.startswith("exitisp: ")]
    sound = len(refusal) == 1 and before == after and "Traceback" not in ran.text
    return Verdict("unchanged", sound, refusal[0] if refusal else f"status {ran.status}")


@probe("A name whose signatures have expired by the box's clock is not resolved.")
def unbelieved(lab: Lab) -> Verdict:
    text = lab.appliance.ran(f"drill -D @127.0.0.1 {lab.new_name()} A").text
    return checks.said("unbelieved", text, wanted=["SERVFAIL"])


@probe("The box's clock is right, and it says which server it follows.")
def right_clock(lab: Lab) -> Verdict:
    def look() -> Verdict:
        said = lab.appliance.ran("date -u +%s").text.strip()
        off = int(said) - datetime.now(UTC).timestamp() if said.isdecimal() else FAR
        follows = lab.appliance.ran("exitisp status | grep ^clock:").text.strip()
        evidence = f"{off:+.0f} s off; {follows or 'no word of it'}"
        return Verdict("right clock", abs(off) < CLOSE and " from " in follows, evidence)

    return until_holds(look, CLOCK_FOUND)
