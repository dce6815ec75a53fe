"""Raises the transit and exchange ports once the preflight passes, and lowers them."""

import time

from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.verdict import Verdict
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site

TRIES = 10
"""How often to judge the conditions before giving up: services that were just started may not
listen yet."""

PAUSE = 3.0
"""Seconds between two tries."""


def raise_ports(site: Site, machine: Machine, say: Say) -> None:
    """Raise the ports if every condition holds.

    Raises Refusal if one does not, after telling all those that do not hold and lowering the ports.
    """
    failed = _failed(site, machine, TRIES)
    if not failed:
        raised = machine.run("service", "exitisp_ports", "raise")
        if raised.status == 0:
            say("The transit and exchange ports are up.")
            return
        failed = [Verdict("the ports go up", raised.text.strip() or f"status {raised.status}")]
    lower(machine)
    for verdict in failed:
        say(f"Not so: {verdict.what}: {verdict.reason}")
    raise Refusal(
        "the transit and exchange ports",
        f"they stay down, because {failed[0].reason}",
        "Correct that, then run exitisp raise",
    )


def lower(machine: Machine) -> None:
    """Lower the ports, if there are any."""
    machine.run("service", "exitisp_ports", "stop")


def _failed(site: Site, machine: Machine, tries: int) -> list[Verdict]:
    running = machine.running()
    files = running.read().files if running is not None else ()
    failed: list[Verdict] = []
    for attempt in range(tries):
        if attempt:
            time.sleep(PAUSE)
        failed = [v for v in machine.verdicts(site, files) if not v.holds]
        if not failed:
            break
    return failed
