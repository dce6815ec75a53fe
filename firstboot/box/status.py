"""How the box is, line by line, for `exitisp status` and for the alarms of `exitisp watch`."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from firstboot.box import (
    blackhole,
    clock,
    confirm,
    consensus,
    drain,
    leaks,
    relay_keys,
    resolver,
    restarts,
    rpki,
)
from firstboot.box.alarms import record as alarms
from firstboot.box.apply import unfinished
from firstboot.box.daemons import State, survey, wanted
from firstboot.box.family import missing_key
from firstboot.box.machine import STORAGE, Machine
from firstboot.box.ports import raised, why_lowered
from firstboot.box.remembered import running as remembered
from firstboot.box.restarts import PORTS
from firstboot.box.sessions import Seen, look
from firstboot.box.tend import UNTENDED, untended
from firstboot.box.upgrade.slots import other_disks, slots
from firstboot.core.refusal import Refusal
from firstboot.site.alarms import destinations
from firstboot.site.model import Site
from firstboot.site.reach import sends

VERSION = 2
"""Of the document."""

SOON, LATER, HOURS = 2, 15, 240
"""Looks, a minute apart, at which something has to be so before somebody is told: what a restart
mends is not worth a mail, a clock or RPKI takes a while after a boot, and the network some hours
to list a relay."""

WEB = (80, 443)
"""The ports that a relay has to send to for the network to call it an exit (dir-spec, 3.8.2)."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of status. What is not as it has to be has a `cause`, in words by which it is known
    from one look to the next and which say what will be so again: "relay 2". It is `wrong` if
    status has to say so by its exit status; without that, it is only worth telling, after as many
    looks as in `patience`."""

    text: str
    cause: str = ""
    wrong: bool = True
    patience: int = SOON

    @property
    def bad(self) -> bool:
        return bool(self.cause) and self.wrong


def lines(machine: Machine) -> Iterator[Line]:
    """Every line, as it is found out. Raises Refusal if the site cannot be read."""
    yield from _system(machine)
    running = machine.running()
    if running is None:
        yield Line("not configured: answer the questions of exitisp setup", "it is configured")
        return
    yield from _generations(machine, running.number)
    for service in machine.system.services:
        if not machine.has(service.program):
            yield Line(f"not installed: {service.label}")
    now = remembered(machine)
    site = now.site
    if now.remembered:
        yield Line(
            "UNREADABLE: the running generation; what is judged is what the box remembers of it",
            "the running generation can be read",
        )
    yield from _daemons(site, machine)
    yield from _restarts(site, machine)
    if untended(machine):
        yield Line(
            f"UNTENDED: nothing is restarted, until somebody removes {machine.state / UNTENDED}",
            "the box is tended",
        )
    if not raised(machine):
        why = why_lowered(machine) or "nobody has raised them"
        yield Line(
            f"DOWN: transit and exchange ports: {why}", "the transit and exchange ports are up"
        )
    if told := missing_key(site, machine):
        yield Line(told, "the relays have the secret of their family", wrong=False)
    for text, as_it_has_to_be in relay_keys.told(site, machine):
        what = text.partition(":")[0].lower()
        yield Line(text, f"keys of relays: no {what}", wrong=not as_it_has_to_be)
    for what, told_by, none in (
        ("drains", drain.told, "drained: nobody"),
        ("blackholes", blackhole.told, "blackholed: no address"),
    ):
        try:
            for text in told_by(machine) or [none]:
                yield Line(text)
        except Refusal as refusal:
            yield Line(
                f"UNKNOWN: which {what} end by themselves: {refusal.problem}", f"{what} can be read"
            )
    yield from _leaks(machine)
    yield from _clock_and_rpki(site, machine)
    yield from _resolver(machine)
    yield from _consensus(site, machine)
    (bgpd,) = (service for service in machine.system.services if service.name == "openbgpd")
    if machine.has(bgpd.program) and not site.provided:
        yield from _sessions(look(site, machine, bgpd), raised(machine))
    yield from _alarms(site, machine)
    for verdict in machine.verdicts(site, now.files):
        yield Line(str(verdict), "" if verdict.holds else verdict.what)


def document(machine: Machine) -> dict[str, object]:
    """What status tells, for programs: docs/status.schema.json says what each part is. Raises
    Refusal if the site cannot be read."""
    found = [*lines(machine)]
    running = machine.running()
    told: dict[str, object] = {
        "schema": VERSION,
        "well": not any(one.bad for one in found),
        "time": int(time.time()),
        "system": machine.system.name,
        "running": running.number if running else None,
        "current": machine.generations.current(),
        "ports_up": raised(machine),
        "findings": [
            {"text": one.text, "cause": one.cause or None, "wrong": one.bad} for one in found
        ],
        **dict.fromkeys(
            (
                "sessions",
                "leaks",
                "clock",
                "rpki",
                "resolver",
                "consensus",
                "drained",
                "blackholed",
                "slot",
            )
        ),
    }
    if running is None:
        return told
    site = remembered(machine).site
    (bgpd,) = (service for service in machine.system.services if service.name == "openbgpd")
    if machine.has(bgpd.program) and not site.provided:
        seen = look(site, machine, bgpd)
        told["sessions"] = None if isinstance(seen, str) else [one.document for one in seen]
    with contextlib.suppress(Refusal):
        counted = leaks.look(machine)
        told["leaks"] = asdict(counted) if counted else None
    following = clock.look(machine) if machine.has(clock.NTPQ) else None
    if isinstance(following, clock.Following):
        told["clock"] = {"offset_ms": following.offset, "stratum": following.stratum}
    if not site.provided and (validated := rpki.look(machine)):
        age = None if validated.age is None else int(validated.age)
        told["rpki"] = {"age": age, "well": validated.well}
    with contextlib.suppress(Refusal):
        told["drained"] = drain.drained(machine)
    with contextlib.suppress(OSError):
        told["blackholed"] = [str(one) for one in blackhole.blackholed(machine)]
    with contextlib.suppress(Refusal):
        questions = resolver.look(machine)
        told["resolver"] = asdict(questions) if questions else None
    with contextlib.suppress(Refusal):
        told["consensus"] = _listed(consensus.look(site, machine))
    with contextlib.suppress(Refusal):
        slot = slots(machine).running
        told["slot"] = {"running": slot.label, "trial": slot.trying}
    return told


def _system(machine: Machine) -> Iterator[Line]:
    if machine.system.notice:
        yield Line(machine.system.notice)
    for lacking in machine.system.lacks:
        yield Line(f"not in {machine.system.name}: {lacking}")
    for disk in other_disks(machine):
        yield Line(
            f"another disk with this image: {disk}. The box works on "
            f"{slots(machine).running.disk} alone; take the other one out",
            "no other disk has this image",
            wrong=False,
        )


def _generations(machine: Machine, running: int) -> Iterator[Line]:
    current = machine.generations.current()
    yield Line(f"running: generation {running}")
    cause = "a restart runs what runs now"
    if current is None:
        chosen = machine.generations.chosen()
        which = f"generation {chosen.number}" if chosen else "none"
        yield Line(f"current: none is marked; a restart of the box runs {which}", cause)
    elif current != running:
        yield Line(f"current: generation {current}, which a restart of the box runs", cause)
    for name in (one for one in STORAGE if not machine.mounted(one)):
        yield Line(
            f"NOT MOUNTED: /{name}: what runs goes on; restart the box, which looks at the disk",
            f"/{name} is mounted",
        )
    if touched := unfinished(machine):
        yield Line(
            f"unfinished: a change was cut off, and {len(touched)} files may be of either "
            "generation; exitisp rollback or apply, or a restart, makes them whole",
            "no change is cut off",
        )
    if waits := confirm.told(machine):
        yield Line(f"NOT CONFIRMED: {waits}", "no change waits to be confirmed")
    for damaged in (one for one in machine.generations.all() if not one.sound):
        number = damaged.number
        yield Line(f"damaged: generation {number}", f"generation {number} is whole or gone")


def _daemons(site: Site, machine: Machine) -> Iterator[Line]:
    """Which services run, and each of their daemons that does not."""
    for service, down in survey(site, machine, machine.system.services):
        if not down:
            yield Line(f"up: {service.label}")
        for label, state in down.items():
            yield Line(f"DOWN: {label}: {state.value}", f"{label}: {State.UP.value}")


def _restarts(site: Site, machine: Machine) -> Iterator[Line]:
    try:
        record = restarts.read(machine.state / restarts.PLACE)
    except Refusal as refusal:
        yield Line(
            f"UNKNOWN: what was restarted: the record is damaged: {refusal.problem}",
            "the record of restarts can be read",
        )
        return
    labels = {one.name: one.label for one in wanted(site, machine, machine.system.services)}
    labels[PORTS] = "transit and exchange ports (raised again)"
    now = time.monotonic()
    for name, text in restarts.told(record, labels, now):
        lately = now - record[name].times[-1] < restarts.LATELY
        label = labels.get(name, name)
        cause = f"{label}: no restart within an hour" if lately else ""
        yield Line(text, cause, wrong=False)


def _leaks(machine: Machine) -> Iterator[Line]:
    try:
        found = leaks.look(machine)
    except Refusal as refusal:
        text = f"UNKNOWN: what was stopped lately: {refusal.problem}"
        yield Line(text, "the record of leaks can be read")
        return
    if found:
        cause = "no foreign source was stopped within an hour" if found.last_hour else ""
        yield Line(str(found), cause, wrong=False)


def _clock_and_rpki(site: Site, machine: Machine) -> Iterator[Line]:
    if machine.has(clock.NTPQ):
        following = clock.look(machine)
        cause = "" if isinstance(following, clock.Following) else "the clock follows servers"
        yield Line(f"clock: {clock.sentence(following)}", cause, wrong=False, patience=LATER)
    validated = None if site.provided else rpki.look(machine)
    if validated:
        cause = "" if validated.well else "RPKI is validated"
        yield Line(f"RPKI: {validated.sentence}", cause, wrong=False, patience=LATER)


def _resolver(machine: Machine) -> Iterator[Line]:
    try:
        found = resolver.look(machine)
    except Refusal as refusal:
        text = f"UNKNOWN: what the resolver answers: {refusal.problem}"
        yield Line(text, "the record of the resolver can be read")
        return
    if found:
        cause = "" if found.well else "the resolver finds names"
        yield Line(str(found), cause, wrong=False, patience=LATER)


def _consensus(site: Site, machine: Machine) -> Iterator[Line]:
    """What others think of the relays, which is no fault of the box."""
    try:
        found = consensus.look(site, machine)
    except Refusal as refusal:
        text = f"UNKNOWN: what the Tor network says of the relays: {refusal.problem}"
        yield Line(text, "the consensus can be read", wrong=False)
        return
    if found is None:
        text = "consensus: no relay has one of the Tor network yet"
        yield Line(text, "the relays have a consensus", wrong=False, patience=HOURS)
        return
    listed = [one for one in found.relays if one.flags is not None]
    text = f"of {found.when}: {len(listed)} of {site.relays.count} relays"
    if found.old(time.time()):
        cause = "the relays have a consensus of today"
        yield Line(f"OLD: consensus {text}", cause, wrong=False, patience=LATER)
        return
    yield Line(f"consensus {text}: {found.counts}" if listed else f"consensus {text}")
    exits = all(sends(site, port, None) for port in WEB)
    for one in found.relays:
        name = f"relay {one.number}, {one.nickname}"
        if one.flags is None:
            cause = f"relay {one.number} is in the consensus"
            yield Line(f"NOT LISTED: {name}", cause, wrong=False, patience=HOURS)
        elif "BadExit" in one.flags:
            text = f"BAD EXIT: {name}: clients do not use it. Ask bad-relays@lists.torproject.org"
            yield Line(text, f"relay {one.number} is no bad exit", wrong=False)
        elif exits and "Exit" not in one.flags:
            cause = f"relay {one.number} has the flag Exit"
            yield Line(f"NO EXIT: {name}: the network gives it no such flag", cause, wrong=False)


def _listed(found: consensus.Consensus | None) -> dict[str, object] | None:
    if found is None:
        return None
    relays = [
        {
            "number": one.number,
            "nickname": one.nickname,
            "listed": one.flags is not None,
            "flags": [*(one.flags or ())],
        }
        for one in found.relays
    ]
    return {"valid_after": found.valid_after, "relays": relays}


def _sessions(found: tuple[Seen, ...] | str, connected: bool) -> Iterator[Line]:
    """Each session; while the ports are down, none is expected to be up. One that the other side
    has down, or that brings nothing, is told and no fault of the box."""
    if isinstance(found, str):
        yield Line(found, "bgpd tells of its sessions")
        return
    for one in found:
        cause = f"BGP with {one.name} is as it has to be"
        for text in one.waits:
            yield Line(text, cause)
        if one.lacks and connected:
            yield Line(f"DOWN: BGP with {one.name}: {one.lacks}", cause, wrong=one.unheard)
        elif one.up:
            yield Line(
                f"BGP: {one.name}: up, {one.received} prefixes received, "
                f"{one.announced} of {one.expected} announced"
            )


def _alarms(site: Site, machine: Machine) -> Iterator[Line]:
    try:
        failed = alarms.read(machine.state / alarms.PLACE).told()
    except Refusal as refusal:
        yield Line(
            f"UNKNOWN: which alarms were sent: {refusal.problem}",
            "the record of alarms can be read",
        )
        return
    channels = {one.channel for one in destinations(site)}
    for channel, text in failed:
        if channel in channels:
            yield Line(text, f"alarms go out by {channel}")
