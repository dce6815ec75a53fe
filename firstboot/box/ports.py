"""Raises the transit and exchange ports once nothing can leak by them, and lowers them."""

import time
from pathlib import Path

from firstboot.box.daemons import all_run
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.verdict import Effect, Verdict
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site

TRIES = 10
"""How often to judge the conditions until all hold: services that were just started may not answer
yet."""

PAUSE = 3.0
"""Seconds between two tries."""

REASON = 1000
"""Characters of a reason."""


def raise_ports(site: Site, machine: Machine, say: Say, *, tries: int = 0) -> None:
    """Raise the ports if nothing can leak. What does not work besides is told, after so many
    `tries` to see it work, or TRIES, and so is what the ports' script says.

    Raises Refusal if something could leak, after lowering the ports.
    """
    failed = _failed(site, machine, tries or TRIES)
    leaks = [verdict for verdict in failed if verdict.leaks]
    if not leaks:
        raised = machine.run("service", "exitisp_ports", "raise")
        if raised.status != 0:
            reason = raised.text.strip() or f"status {raised.status}"
            leaks = [Verdict("the ports go up", Effect.LEAK, reason)]
        for line in raised.text.splitlines() if not leaks else ():
            say(line)
    if leaks:
        lower(machine, leaks[0].reason)
    for verdict in dict.fromkeys((*leaks, *failed)):
        say(f"Not so: {verdict.what}: {verdict.reason}")
    if leaks:
        raise Refusal(
            "the transit and exchange ports",
            f"they stay down, because {leaks[0].reason}",
            "Correct that, then run exitisp raise",
        )
    machine.state.mkdir(parents=True, exist_ok=True)
    _mark(machine).touch()
    _lowered(machine).unlink(missing_ok=True)
    say("The transit and exchange ports are up.")


def lower(machine: Machine, why: str = "") -> None:
    """Lower the ports, if there are any, and keep the reason for `exitisp status`."""
    machine.run("service", "exitisp_ports", "stop")
    _mark(machine).unlink(missing_ok=True)
    if why:
        machine.state.mkdir(parents=True, exist_ok=True)
        _lowered(machine).write_text(f"{why}\n")


def raised(machine: Machine) -> bool:
    """Whether this program has raised the ports and not lowered them since."""
    return _mark(machine).exists()


def _mark(machine: Machine) -> Path:
    """rc.d/exitisp_ports removes it when it lowers the ports because pf does not guard them."""
    return machine.state / "raised"


def why_lowered(machine: Machine) -> str:
    """Why the ports were lowered last, or could not be raised; empty if that was not written."""
    try:
        with _lowered(machine).open(errors="replace") as file:
            return file.readline(REASON).strip()
    except OSError:
        return ""


def _lowered(machine: Machine) -> Path:
    """rc.d/exitisp_ports writes it too when it lowers the ports."""
    return machine.state / "lowered"


def _failed(site: Site, machine: Machine, tries: int) -> list[Verdict]:
    running = machine.running()
    files = running.read().files if running is not None else ()
    failed: list[Verdict] = []
    for attempt in range(tries):
        if attempt:
            time.sleep(PAUSE)
        verdicts = *machine.verdicts(site, files), all_run(site, machine, machine.system.services)
        failed = [verdict for verdict in verdicts if not verdict.holds]
        if not failed:
            break
    return failed
