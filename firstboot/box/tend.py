"""What the box does once a minute, to be well again without anybody's help.

A change that was not confirmed in time is undone, and drains and blackholes whose time is over end.
If something could leak, the transit and exchange ports go down. Daemons that died or do not answer
are restarted by their own scripts of rc(8), in their jails and with their addresses, other than
relays that wait for somebody to bring their keys. Ports that are down go up again once nothing can
leak. None of it needs /cfg, once the box ran for a minute.
"""

import contextlib
import time
from collections.abc import Callable, Mapping

from firstboot.box import leaks, resolver, restarts
from firstboot.box.blackhole import end_blackholes
from firstboot.box.confirm import settle
from firstboot.box.daemons import Daemon, State, look, look_at_all, wanted
from firstboot.box.drain import end_drains
from firstboot.box.machine import Machine
from firstboot.box.one_at_a_time import first
from firstboot.box.output import Say
from firstboot.box.ports import lower, raise_ports, raised
from firstboot.box.relay_keys import finish, without_keys
from firstboot.box.remembered import remember, running
from firstboot.box.restarts import LIMIT, PLACE, PORTS, History, spent, wait
from firstboot.box.verdict import Verdict
from firstboot.core.refusal import Refusal

CHANGING = 45.0
"""Seconds for a change of the configuration to end, which judges the ports itself at its end."""

AGAIN = 10.0
"""Seconds between two looks at a daemon, for somebody may be restarting it."""

UNTENDED = "untended"

START = 300.0
"""Seconds that a script of rc(8) may take to start a daemon."""


def tend(machine: Machine, say: Say) -> tuple[Verdict, ...]:
    """Do all of it, unless another process does. What one step cannot do is told, and is no reason
    not to take the next one. Returns by what something could leak at the beginning; it may be
    mended at the end."""
    closed: tuple[Verdict, ...] = ()
    with first(machine.state / "tend.lock") as alone:
        if not alone:
            return closed
        failed = []
        for step in STEPS:
            try:
                closed += step(machine, say) or ()
            except (Refusal, OSError) as error:
                failed.append(str(error))
        for reason in dict.fromkeys(failed):
            say(reason)
    return closed


def note(machine: Machine, say: Say) -> None:
    """Remember the site, for when /cfg cannot be read."""
    remember(machine)


def count(machine: Machine, say: Say) -> None:
    """Keep how many packets the filter stopped, to tell later what is new."""
    leaks.note(machine)


def count_questions(machine: Machine, say: Say) -> None:
    """Keep how many questions the resolver answered, for the same reason."""
    resolver.note(machine)


def close(machine: Machine, say: Say) -> tuple[Verdict, ...]:
    """Lower the ports if something could leak, and put back into force what holds it back. A change
    that does not end does that itself: pf refuses rules while others are loaded, and whoever starts
    it takes that for rules that cannot be loaded. Returns by what something could leak."""
    if not _leaks(machine):
        return ()
    with contextlib.ExitStack() as change:
        changing = False
        try:
            change.enter_context(machine.alone(CHANGING))
        except Refusal:
            changing = True
        leaks = _leaks(machine)
        if not leaks:
            return ()
        if raised(machine):
            say(f"The transit and exchange ports go down. {leaks[0].what}: {leaks[0].reason}")
        lower(machine, leaks[0].reason)
        for service in machine.system.services if not changing else ():
            if service.guards and service.reload and machine.has(service.program):
                machine.run(*service.reload)
    return tuple(leaks)


def heal(machine: Machine, say: Say) -> None:
    """Restart the daemons that died or hang, or go by a clock that was ahead; those that were
    restarted before after a pause."""
    site, record, now = running(machine).site, _record(machine, say), time.monotonic()
    without = without_keys(site, machine)
    states = look_at_all(wanted(site, machine, machine.system.services), machine)
    heard = {
        one.name: _history(record, one).not_heard(now)
        if state is State.HUNG
        else _history(record, one).heard()
        for one, state in states.items()
        if state is not State.LATE
    }
    _keep(record | heard, machine)
    due = [
        one
        for one, state in states.items()
        if one.name in heard
        and one.name not in without
        and (state in (State.DEAD, State.AHEAD) or heard[one.name].hangs(now))
        and not wait(heard[one.name].times, now)
    ]
    if not due:
        return
    time.sleep(AGAIN)
    with machine.alone():
        for daemon in due:
            if untended(machine):
                return
            if (state := look(daemon, machine)) in (State.DEAD, State.HUNG, State.AHEAD):
                _restart(daemon, state, machine, say)


def renew(machine: Machine, say: Say) -> None:
    """Run what services declare for every minute, to keep right what changes by itself."""
    due = [one.tend for one in machine.system.services if one.tend and machine.has(one.program)]
    if not due or untended(machine):
        return
    # Whoever changes the box now leaves it for the next minute.
    with contextlib.suppress(Refusal), machine.alone(0.0):
        for command in due:
            machine.run(*command, patience=START)


def open_again(machine: Machine, say: Say) -> None:
    """Raise the ports that went down, or stayed down at the boot, if nothing can leak."""
    record, now = _record(machine, say), time.monotonic()
    history = record.get(PORTS, History())
    if raised(machine) or wait(history.times, now) or untended(machine) or _leaks(machine):
        return
    with machine.alone():
        if raised(machine):
            return
        _keep(record | {PORTS: history.restarted(now)}, machine)
        raise_ports(running(machine).site, machine, say, tries=1)


STEPS: tuple[Callable[[Machine, Say], tuple[Verdict, ...] | None], ...] = (
    close,
    note,
    settle,
    finish,
    heal,
    renew,
    end_drains,
    end_blackholes,
    open_again,
    count,
    count_questions,
)


def untended(machine: Machine) -> bool:
    """Whether nothing is restarted or raised: the box goes down (see libexec/exitisp/tend), or
    somebody works on it."""
    return (machine.state / UNTENDED).exists()


def _restart(daemon: Daemon, state: State, machine: Machine, say: Say) -> None:
    record, now = _record(machine, say), time.monotonic()
    history = _history(record, daemon).restarted(now)
    # First, so that a start that never ends counts.
    _keep(record | {daemon.name: history}, machine)
    say(f"Restarting the {daemon.label}: {state.value}.")
    if spent(history.times, now):
        say(f"That is restart {LIMIT} within a day. After the next failure somebody has to look.")
    machine.run(*daemon.kill)
    ran = machine.run(*daemon.start, patience=START)
    if ran.status != 0:
        lines = ran.text.strip().splitlines()
        say(f"The {daemon.label} did not start: {lines[-1] if lines else f'status {ran.status}'}")


def _leaks(machine: Machine) -> list[Verdict]:
    now = running(machine)
    return [one for one in machine.verdicts(now.site, now.files) if one.leaks]


def _record(machine: Machine, say: Say) -> dict[str, History]:
    try:
        return restarts.read(machine.state / PLACE)
    except Refusal as refusal:
        say(f"The record of restarts is damaged: {refusal.problem}. They are counted anew.")
        (machine.state / PLACE).unlink(missing_ok=True)
        return {}


def _keep(record: Mapping[str, History], machine: Machine) -> None:
    if record != restarts.read(machine.state / PLACE):
        restarts.write(machine.state / PLACE, record)


def _history(record: Mapping[str, History], daemon: Daemon) -> History:
    return record.get(daemon.name, History())
