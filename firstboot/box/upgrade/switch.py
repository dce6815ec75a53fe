"""Switches from one slot to the other: tries it once, and keeps it if all works that did before.

While a slot is on trial, rc.d/exitisp_guard restarts the box if nobody confirms the slot in time,
and a watchdog timer does if that hangs. gptboot(8) then starts the slot before.
"""

import time

from firstboot.box.drain import drain_all
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.upgrade import health
from firstboot.box.upgrade.install import ensure_knows, install
from firstboot.box.upgrade.slots import Slots, confirm, look, slots, try_once
from firstboot.core.refusal import Refusal

PAUSE = 5.0
"""Seconds between two looks at a box on which not everything works yet."""

WIND_DOWN = 40.0
"""Seconds for relays to end. For 30 of them they take no new circuits (ShutdownWaitLength in
tor(1))."""

CONFIRMED = "confirmed"
"""A file in the state folder that tells the guard to end."""


def upgrade(source: str, machine: Machine, say: Say) -> None:
    """Install the upgrade `source` and restart into it. Raises Refusal; the box runs as before
    then."""
    with machine.alone():
        ensure_confirmed(slots(machine))
        install(source, machine, say)
        change(machine, say)


def back(machine: Machine, say: Say) -> None:
    """Restart into the other slot. Raises Refusal."""
    with machine.alone():
        both = slots(machine)
        if both.running.trying:
            say(f"{both.running.label} is on trial: restarting into {both.idle.label}.")
            restart(machine, say)
            return
        found = look(both.idle, machine)
        if found is None:
            raise Refusal(
                both.idle.label,
                "it holds no system to go back to",
                "exitisp upgrade puts one there",
            )
        ensure_knows(found, f"{both.idle.label}, version {found.version}", machine)
        change(machine, say)


def ensure_confirmed(both: Slots) -> None:
    """Raises Refusal while the running slot is on trial: a failure leads back to the other one."""
    if both.running.trying:
        raise Refusal(
            f"the running system ({both.running.label})",
            f"it is on trial and needs {both.idle.label} to go back to",
            "Wait until exitisp slots says that it is confirmed",
        )


def change(machine: Machine, say: Say) -> None:
    """Have the next start try the idle slot, and restart. Raises Refusal."""
    signs = health.signs(machine)
    try:
        health.remember(signs, machine)
    except OSError as error:
        raise Refusal(
            "/cfg/state",
            f"what works now cannot be kept there: {error.strerror or error}",
            "Look at what fills /cfg",
        ) from error
    idle = slots(machine).idle
    try_once(idle, machine)
    say(f"{idle.label} is tried at the next start, and kept if these are true again:")
    for sign in sorted(signs):
        say(f"  {sign}")
    restart(machine, say)


def restart(machine: Machine, say: Say) -> None:
    """Wind down, then restart the box."""
    wind_down(machine, say)
    say("Restarting.")
    machine.run("shutdown", "-r", "now")


def wind_down(machine: Machine, say: Say) -> None:
    """Drain all peers, and have the relays end their circuits."""
    try:
        if machine.running() is None:
            return
        say("Winding down.")
        drain_all(machine)
    except (Refusal, OSError) as error:
        say(f"Not drained: {error}")
    machine.run("pkill", "-INT", "-x", "tor")
    end = time.monotonic() + WIND_DOWN
    while machine.run("pgrep", "-q", "-x", "tor").status == 0 and time.monotonic() < end:
        time.sleep(PAUSE)


def stand(machine: Machine, say: Say) -> None:
    """Confirm the running slot as soon as everything works that worked before the switch.

    Until then, the guard may end the trial. Raises Refusal if the disk cannot be marked.
    """
    both = slots(machine)
    if both.running.trying:
        before: frozenset[str] = frozenset()
        while missing := health.missing(machine):
            if missing != before:
                say(f"{both.running.label} on trial: not yet so: {'; '.join(sorted(missing))}.")
            before = missing
            time.sleep(PAUSE)
        confirm(both, machine)
    machine.state.mkdir(parents=True, exist_ok=True)
    (machine.state / CONFIRMED).touch()
    say(f"{both.running.label} is confirmed.")
