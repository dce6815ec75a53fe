"""Changes that undo themselves unless somebody confirms them from a new login in time."""

import time
from contextlib import suppress
from dataclasses import replace

from firstboot.box import unconfirmed
from firstboot.box.apply import Applied, take_on
from firstboot.box.generations import Generation
from firstboot.box.history import End
from firstboot.box.login import Login, login
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.unconfirmed import Live, Unconfirmed
from firstboot.box.upgrade import health
from firstboot.core.refusal import Refusal

MINUTES = 10
"""Minutes that a change which arrives over SSH has, unless somebody says something else."""

SILENCE = 180.0
"""Seconds that something may be down that worked before: some changes start sessions and relays
anew."""


def minutes_by_default(machine: Machine) -> int:
    """Minutes that a change of this login has to be confirmed in; 0 if it needs no confirmation,
    as on a console."""
    return MINUTES if login(machine).connection else 0


def carry_out(
    generation: Generation, machine: Machine, say: Say, how: str, minutes: int
) -> Applied:
    """Take `generation` on. If `minutes` are given, the box goes back unless somebody confirms the
    change in time, and at once if it fails.

    A change on top of an unconfirmed one leads back to where that one does. A change back to there
    needs no confirmation. Raises Refusal.
    """
    pending, running = unconfirmed.read(machine), machine.running()
    former = pending.former if pending else running.number if running else None
    if not minutes or former is None or former == generation.number:
        applied = take_on(generation, machine, say, how)
        unconfirmed.drop(machine)
        return applied
    signs = pending.signs if pending else _signs(machine)
    deadline = int(time.time()) + 60 * minutes
    record = Unconfirmed(generation.number, former, minutes, deadline, tuple(sorted(signs)))
    unconfirmed.write(record, machine)
    unconfirmed.begin(machine, 60 * minutes, login(machine))
    try:
        applied = take_on(generation, machine, say, how)
    except Refusal as refusal:
        say(f"{refusal}")
        go_back(record, machine, say, "The change failed")
        raise Refusal(
            f"generation {generation.number}",
            f"the change failed and was undone. The reason: {refusal.where}: {refusal.problem}",
            "Correct that, then apply it again",
        ) from refusal
    if applied.restart:
        unconfirmed.write(replace(record, deadline=None), machine)
        start = f"of the restart, the box goes back to generation {former}"
    else:
        unconfirmed.write(replace(record, deadline=int(time.time()) + 60 * minutes), machine)
        unconfirmed.begin(machine, 60 * minutes, login(machine))
        _waits(machine)
        start = f"from now, the box goes back to generation {former}"
    say(f"Not confirmed yet: {_said(minutes)} {start}. To keep the change, log in anew and type")
    say("exitisp confirm")
    return applied


def confirm(machine: Machine, say: Say) -> None:
    """Keep the change that waits for it. Raises Refusal, also if this login proves nothing because
    it is older than the change."""
    with machine.alone():
        record = unconfirmed.read(machine)
        if record is None:
            raise Refusal("this box", "nothing waits to be confirmed", "Look at exitisp history")
        if record.deadline is None:
            raise Refusal(
                f"generation {record.generation}",
                "it does not run yet",
                "Restart the box, log in and confirm it then: shutdown -r now",
            )
        live = unconfirmed.live(machine)
        if record.over(live):
            raise Refusal(
                f"generation {record.generation}",
                "its time is over, and the box goes back within a minute",
                "Apply it again",
            )
        if live is None:
            raise Refusal(
                unconfirmed.in_memory(machine),
                "it cannot be read, so nobody knows which logins are newer than the change",
                "Apply it again",
            )
        _ensure_new(login(machine), live)
        unconfirmed.drop(machine)
        step = machine.history.current()
        if step is not None:
            machine.history.end(step, End.CONFIRMED)
        say(f"Generation {record.generation} is confirmed.")


def settle(machine: Machine, say: Say) -> None:
    """Go back if the time of an unconfirmed change is over, or what worked before does not any
    more. rc(8) runs this before a boot lays the configuration, and the box once a minute."""
    if not unconfirmed.recorded(machine):
        return
    with machine.alone():
        try:
            record = unconfirmed.read(machine)
        except Refusal as refusal:
            say(str(refusal))
            before = next(machine.history.before(), None)
            now = machine.generations.current()
            if before is not None and now is not None:
                go_back(Unconfirmed(now, before.number, 0, 0, ()), machine, say, "It is damaged")
            return
        if record is None:
            return
        if not _runs(machine):
            _settle_boot(record, machine, say)
            return
        running = machine.running()
        if record.deadline is None or running is None:
            return
        live = unconfirmed.live(machine)
        if record.over(live):
            go_back(record, machine, say, f"Nobody confirmed generation {record.generation}")
        elif missing := _missing(record, machine):
            since = live.missing if live and live.missing is not None else time.monotonic()
            if time.monotonic() - since >= SILENCE:
                go_back(record, machine, say, f"No longer so: {'; '.join(sorted(missing))}")
            elif live:
                unconfirmed.keep_live(replace(live, missing=since), machine)
        elif live and live.missing is not None:
            unconfirmed.keep_live(replace(live, missing=None), machine)


def _settle_boot(record: Unconfirmed, machine: Machine, say: Say) -> None:
    if machine.generations.current() == record.former:
        say(f"The change to generation {record.generation} was cut off before the box ran it.")
        unconfirmed.drop(machine)
        return
    now = int(time.time())
    if record.deadline is None:
        record = replace(record, deadline=now + 60 * record.minutes)
        unconfirmed.write(record, machine)
    elif record.over(None):
        go_back(record, machine, say, f"Nobody confirmed generation {record.generation}")
        return
    assert record.deadline is not None
    left = record.deadline - now
    say(f"Generation {record.generation} is not confirmed: {_said(left // 60 + 1)} left.")
    unconfirmed.begin(machine, left, None)


def go_back(record: Unconfirmed, machine: Machine, say: Say, why: str) -> None:
    """Run the generation before the change, and restart the box if that takes a restart. Raises
    Refusal if that fails; then the box tries it again once a minute."""
    step, now = machine.history.current(), machine.generations.current()
    every = {one.number: one for one in machine.generations.all() if one.sound}
    target = every.get(record.former) or next(machine.history.before(), None)
    if target is None:
        say(f"{why}, and there is no generation to go back to.")
        unconfirmed.drop(machine)
        return
    say(f"{why}: back to generation {target.number}.")
    restart = False
    if _runs(machine):
        unconfirmed.write(replace(record, deadline=0), machine)
        unconfirmed.begin(machine, 0, None)
        try:
            restart = take_on(target, machine, say, "undo").restart
        except Refusal as refusal:
            if machine.generations.current() != target.number:
                raise
            say(str(refusal))
    else:
        machine.generations.switch(target)
    unconfirmed.drop(machine)
    if step is not None and target.number != now:
        machine.history.end(step, End.FAILED if step.end is End.FAILED else End.REVERTED)
    if restart:
        machine.run("shutdown", "-r", "now")


def ran(machine: Machine, say: Say) -> None:
    """Record that a boot ran what it was to run. What keeps that from being recorded is told."""
    try:
        machine.history.ran()
        if unconfirmed.read(machine) is not None:
            _waits(machine)
    except Refusal as refusal:
        say(str(refusal))


def _waits(machine: Machine) -> None:
    """Record that what runs waits to be confirmed."""
    step = machine.history.current()
    if step is not None:
        machine.history.end(step, End.WAITS)


def _said(minutes: int) -> str:
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def told(machine: Machine) -> str:
    """What `exitisp status` says of a change that waits; empty if none does. Raises Refusal."""
    record = unconfirmed.read(machine)
    if record is None:
        return ""
    back = f"goes back to generation {record.former}"
    left = _said(record.left(unconfirmed.live(machine)))
    if record.deadline is None:
        return f"generation {record.generation} {back} {left} after the restart"
    return f"generation {record.generation} {back} in {left}: log in anew, exitisp confirm"


def ensure_none(machine: Machine) -> None:
    """Raises Refusal while a change waits to be confirmed."""
    if told(machine):
        raise Refusal(
            "this box",
            "a change of its configuration waits to be confirmed",
            "Log in anew and type exitisp confirm, or exitisp rollback",
        )


def _runs(machine: Machine) -> bool:
    """Whether a configuration was laid into memory since the box started."""
    return machine.running() is not None


def _ensure_new(here: Login, live: Live) -> None:
    """Raises Refusal if the login `here` may have begun before the change was live."""
    if here.leader == live.leader or (here.connection and here.connection == live.connection):
        why = "this is the login that made the change"
    elif not here.console and here.since <= live.live + 1 and live.leader:
        why = "this login is older than the change"
    else:
        return
    raise Refusal(
        "this login",
        f"{why}, so it does not show that anybody can still log in",
        "Log in anew, over a connection of its own, and type exitisp confirm there",
    )


def _signs(machine: Machine) -> frozenset[str]:
    with suppress(Refusal):
        return health.signs(machine)
    return frozenset()


def _missing(record: Unconfirmed, machine: Machine) -> frozenset[str]:
    """What worked before the change, is still in the site, and does not work now."""
    missing = frozenset(record.signs) - _signs(machine)
    return health.still_wanted(missing, machine) if missing else missing
