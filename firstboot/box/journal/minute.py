"""Writes into the journal, once a minute, what is different from the look before, and once an hour
the counters. Nothing in it has an address of a stranger."""

import time
from dataclasses import replace

from firstboot.box.alarms import strangers
from firstboot.box.journal import noted, store
from firstboot.box.journal.counters import collect
from firstboot.box.journal.entry import Kind, Note, to_the_minute
from firstboot.box.journal.evidence import new
from firstboot.box.journal.noted import HOUR, PLACE, Noted, Seen
from firstboot.box.journal.senders import Sender, senders
from firstboot.box.look import Look
from firstboot.box.machine import Machine
from firstboot.box.one_at_a_time import first
from firstboot.box.output import Say
from firstboot.box.ports import raised, why_lowered
from firstboot.box.remembered import running
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site


def note(machine: Machine, look: Look, say: Say) -> None:
    """Does nothing while another process does it. Raises Refusal and OSError."""
    generation = machine.running()
    if generation is None:
        return
    with first(machine.state / "journal.lock") as alone:
        if not alone:
            return
        site = running(machine).site
        before = _before(machine, say)
        seen = _seen(site, f"generation {generation.number}", machine, look)
        after, notes = noted.compare(before, seen)
        if before is not None:
            notes = (*notes, *new(before, seen, lambda name: _senders(site, machine, name)))
        if before is None or before.hour != int(seen.time) // HOUR:
            counted = collect(site, machine)
            values = {name: counted[name] for name in sorted(counted)}
            now = to_the_minute(seen.time)
            notes = (*notes, Note(now, Kind.COUNTERS, "Counters.", values=values))
        store.append([_known(one, site) for one in notes], machine)
        if after != before:
            noted.write(machine.state / PLACE, after)


def _seen(site: Site, configuration: str, machine: Machine, look: Look) -> Seen:
    causes = {strangers.without(cause, site): text for cause, text in look.causes.items()}
    if look.problem:
        causes["the box can say how it is"] = f"UNKNOWN: how the box is: {look.problem}"
    return Seen(
        time.time(),
        time.monotonic(),
        {cause: strangers.without(text, site) for cause, text in causes.items()},
        configuration,
        raised(machine),
        why_lowered(machine),
        machine.system.leaks(machine),
        _change(configuration, machine),
        machine.system.stopped(machine),
        look.closed[0].reason if look.closed else "",
    )


def _change(configuration: str, machine: Machine) -> str:
    try:
        last = machine.history.steps()[-1]
    except (Refusal, LookupError, OSError):
        return ""
    if configuration != f"generation {last.generation}":
        return ""
    return f"{last.how or 'by nobody knows what'}: {last.what or 'nothing of the site'}"


def _senders(site: Site, machine: Machine, protocol: str) -> tuple[Sender, ...]:
    return senders(site, machine.system.services, machine.system.sockets(machine), protocol)


def _known(one: Note, site: Site) -> Note:
    """`one` without addresses that are not the site's."""
    return replace(
        one,
        text=strangers.without(one.text, site),
        cause=strangers.without(one.cause, site),
        values={
            name: tuple(strangers.without(text, site) for text in value)
            if isinstance(value, tuple)
            else strangers.without(value, site)
            if isinstance(value, str)
            else value
            for name, value in one.values.items()
        },
    )


def _before(machine: Machine, say: Say) -> Noted | None:
    path = machine.state / PLACE
    try:
        return noted.read(path)
    except Refusal as refusal:
        say(f"The record of what was noted is damaged: {refusal.problem}. It begins anew.")
        path.unlink(missing_ok=True)
        return None
