"""The report on an incident, for an exchange or a transit: what left, when, by which layer it was
stopped, and what changed before. Pure functions from entries of the journal.

An incident is what belongs together in time of: packets that the filter stopped because their
source was foreign, conditions against leaks that did not hold, ports that went down for it, and
answers to what the box never asked.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from firstboot.box.journal.entry import Entry, Kind, Note
from firstboot.box.journal.senders import UNKNOWN
from firstboot.box.reports.document import Block, Report, Section, Warn, span, table, utc
from firstboot.box.verdict import Effect
from firstboot.site.listening import NO_JAIL

APART = 3600
"""Seconds without anything after which an incident is over."""

BEFORE = 86_400
"""Seconds before an incident in which a change is told."""

FILTER = "guards every port towards strangers"
"""How the condition ends: it begins with the name of the filter."""
LISTENS = "everybody listens where the plan says"
JAILS = "jails have their own addresses alone"
ADDRESSES = "no interface has a foreign address"

CAUSES = {
    LISTENS: "A program of the box used an address that is not one of the box's own",
    ADDRESSES: "An interface of the box had an address that the site does not give it",
    JAILS: "A jail was not held to its own addresses",
    FILTER: "The packet filter did not guard every port",
}
"""The conditions of the preflight that name what went wrong, those first that say it best."""

LAYERS = (
    ("1. daemons use their own addresses", (LISTENS, ADDRESSES)),
    ("2. jails hold them to these", (JAILS,)),
    ("3. the packet filter stops the rest", (FILTER,)),
)

QUIET = "nothing was found wrong"

CHANGES = (Kind.START, Kind.CONFIGURATION, Kind.PORTS, Kind.CLOCK, Kind.REPAIR)


@dataclass(frozen=True, slots=True)
class Incident:
    """`signals` are the notes that make it one, `during` all notes meanwhile, and `before` the
    changes in the day before."""

    signals: tuple[Note, ...]
    during: tuple[Note, ...]
    before: tuple[Note, ...]

    @property
    def start(self) -> int:
        return self.signals[0].time

    @property
    def end(self) -> int:
        return self.signals[-1].time

    @property
    def stopped(self) -> int:
        """Packets with a foreign source that the filter stopped."""
        return _sum(self.signals, Kind.LEAK)

    @property
    def answers(self) -> int:
        """Packets that answer what was never asked."""
        return _sum(self.signals, Kind.BACKSCATTER)

    @property
    def failed(self) -> tuple[Note, ...]:
        """Conditions that did not hold, by which a foreign packet could have left."""
        return tuple(one for one in self.signals if one.kind is Kind.BEGAN)

    @property
    def from_here(self) -> bool:
        """Whether anything of it is about this box, and not about others that use its addresses."""
        return any(one.kind is not Kind.BACKSCATTER for one in self.signals)


def incidents(entries: Iterable[Entry]) -> tuple[Incident, ...]:
    """All of them, the oldest first."""
    notes = tuple(one.note for one in entries)
    groups: list[list[int]] = []
    for at, note in enumerate(notes):
        if not _is_signal(note):
            continue
        # Answers to others' packets go on for days, and are no part of what the box did.
        if groups and _belongs(notes[groups[-1][-1]], note):
            groups[-1].append(at)
        else:
            groups.append([at])
    return tuple(_incident(notes, group) for group in groups)


def _belongs(last: Note, note: Note) -> bool:
    others = (last.kind is Kind.BACKSCATTER) == (note.kind is Kind.BACKSCATTER)
    return others and abs(note.time - last.time) <= APART


def _incident(notes: Sequence[Note], group: Sequence[int]) -> Incident:
    first, last = group[0], group[-1]
    start, end = notes[first].time, notes[last].time
    during = [one for one in notes[first:] if one.time <= end + APART and one.kind is not _HOURLY]
    before = [
        one for one in notes[:first] if one.time >= start - BEFORE and one.kind is not _HOURLY
    ]
    return Incident(tuple(notes[at] for at in group), tuple(during), tuple(before))


_HOURLY = Kind.COUNTERS


def _is_signal(note: Note) -> bool:
    match note.kind:
        case Kind.LEAK | Kind.BACKSCATTER:
            return True
        case Kind.BEGAN:
            return Effect.LEAK.value in note.text
        case Kind.PORTS:
            return not note.values.get("up") and ":" in note.text
    return False


def _sum(notes: Iterable[Note], kind: Kind) -> int:
    found = (one.values.get("packets", 0) for one in notes if one.kind is kind)
    return sum(one for one in found if isinstance(one, int))


def report(incident: Incident, network: str) -> Report:
    """`network` is whose it is, as others know it: AS65550 (198.51.100.1)."""
    sections = [
        Section("In short", tuple(_short(incident))),
        Section("What the packet filter stopped", tuple(_stopped(incident))),
        Section("By which layer", tuple(_layers(incident))),
        Section("What changed before", tuple(_changed(incident))),
        Section("Minute by minute", (_timeline(incident.during),)),
    ]
    if not incident.from_here:
        sections = [sections[0], sections[4]]
    when = f"{utc(incident.start)} to {utc(incident.end)} UTC"
    return Report(f"Incident at {network}", when, tuple(sections))


def _short(incident: Incident) -> Iterator[Block]:
    if not incident.from_here:
        yield (
            f"Somebody sends with this network's addresses. {incident.answers} answers came to "
            "connections that nobody here opened, in "
            f"{span(incident.end - incident.start + 60)}."
        )
        if any(_is_signal(one) and one.kind is not Kind.BACKSCATTER for one in incident.during):
            yield (
                "In the same time something was wrong with this box, which the journal has as an "
                "incident of its own. Read both."
            )
            return
        yield (
            "Nothing of it left from this box: the packet filter stopped no packet with a foreign "
            "source, and every condition against leaks held. Who sends can be seen by the "
            "networks that the packets enter by, and not from here."
        )
        return
    yield f"Cause: {_cause(incident)}."
    yield _left(incident)
    down = next((one for one in incident.during if _went_down(one)), None)
    if down is not None:
        since = next(iter(incident.failed), incident.signals[0])
        waited = span(down.time - since.time)
        yield f"The transit and exchange ports went down at {utc(down.time)} UTC, {waited} after."
        over = next((one for one in _after(incident.during, down) if _went_up(one)), None)
        if over is not None:
            yield f"They were up again at {utc(over.time)} UTC, when no condition failed any more."
    if incident.answers:
        yield f"Besides, {incident.answers} answers came to what was never asked."


def _cause(incident: Incident) -> str:
    failed = _failed(incident)
    named = [f"{CAUSES[cause].lower()} ({_reason(failed[cause])})"
             for cause in CAUSES if cause in failed]  # fmt: skip
    if named:
        told = "; and ".join(named)
        return told[0].upper() + told[1:]
    senders = sorted({
        str(one.values["process"])
        for one in incident.signals
        if one.values.get("process", UNKNOWN) != UNKNOWN
    })  # fmt: skip
    if senders:
        return (
            f"packets with a foreign source, probably of {' or '.join(senders)}, which had a "
            "socket at an address that is not its own"
        )
    if failed:
        return "; ".join(_reason(one) for one in failed.values())
    return "not known. The box sent packets with a foreign source, and the filter stopped them"


def _failed(incident: Incident) -> dict[str, Note]:
    """The first note of each condition that did not hold."""
    found: dict[str, Note] = {}
    for one in incident.failed:
        found.setdefault(FILTER if one.cause.endswith(FILTER) else one.cause, one)
    return found


def _reason(note: Note) -> str:
    """The reason of a verdict, without what it is about and what it has for an effect."""
    text = note.text.removesuffix(f" ({Effect.LEAK.value})")
    return text.removeprefix(f"NOT SO: {note.cause}: ")


def _left(incident: Incident) -> str:
    count = incident.stopped
    many = f"{count} packet{'' if count == 1 else 's'} with a foreign source"
    without = next((one for one in incident.failed if one.cause.endswith(FILTER)), None)
    if without is None:
        if count:
            return f"Nothing left: the packet filter stopped {many} on their way out."
        return "Nothing left that the filter knows of: it guarded every port, and stopped nothing."
    end = next(
        (one.time for one in incident.during if one.time >= without.time and
         (_went_down(one) or (one.kind is Kind.ENDED and one.cause.endswith(FILTER)))),
        None,
    )  # fmt: skip
    until = f"{utc(end)} UTC" if end is not None else "the end of what the journal has"
    stopped = f" Otherwise the filter stopped {many}." if count else ""
    return (
        f"Packets may have left, and nothing counted them: from {utc(without.time - 60)} UTC at "
        f"the earliest until {until}, the filter did not guard every port.{stopped}"
    )


def _went_down(note: Note) -> bool:
    return note.kind is Kind.PORTS and not note.values.get("up")


def _went_up(note: Note) -> bool:
    return note.kind is Kind.PORTS and bool(note.values.get("up"))


def _after(notes: Sequence[Note], one: Note) -> Sequence[Note]:
    return notes[notes.index(one) :]


def _stopped(incident: Incident) -> Iterator[Block]:
    leaks = [one for one in incident.signals if one.kind is Kind.LEAK]
    if not leaks:
        yield "Nothing: its rules against foreign sources counted no packet."
        return
    heads = ("minute (UTC)", "packets", "port", "rule", "protocol", "source", "towards",
             "had a socket there")  # fmt: skip
    keys = ("packets", "port", "rule", "protocol", "source", "destination")
    rows = [
        (utc(one.time), *(one.values.get(key, UNKNOWN) for key in keys), _sender(one))
        for one in leaks
    ]
    yield table(heads, rows, 1)


def _sender(leak: Note) -> str:
    process, jail = (leak.values.get(key, UNKNOWN) for key in ("process", "jail"))
    if UNKNOWN in (process, jail):
        return str(process)
    return f"{process}, in no jail" if jail == NO_JAIL else f"{process}, in the jail {jail}"


def _layers(incident: Incident) -> Iterator[Block]:
    failed = _failed(incident)
    rows = []
    for layer, conditions in LAYERS:
        broken = [_reason(failed[one]) for one in conditions if one in failed]
        rows.append((layer, f"did not hold: {'; '.join(broken)}" if broken else QUIET))
    if incident.stopped:
        layer, told = rows[2]
        also = "" if told == QUIET else f"; {told}"
        rows[2] = layer, f"stopped {incident.stopped} packets{also}"
    down = next((one for one in incident.during if _went_down(one)), None)
    rows.append((
        "4. without these, the ports go down",
        f"went down at {utc(down.time)} UTC" if down else "stayed up",
    ))  # fmt: skip
    yield table(("layer", "what it did"), rows)


def _changed(incident: Incident) -> Iterator[Block]:
    changes = [one for one in incident.before if one.kind in CHANGES]
    others = [one for one in incident.before if one.kind in (Kind.BEGAN, Kind.ENDED)]
    if not changes and not others:
        yield "Nothing that the box knows of, in the day before."
        return
    if changes:
        yield _timeline(changes)
    else:
        yield "No start, configuration, port or clock changed in the day before."
    if others:
        yield "What else began or ended in that day:"
        yield _timeline(others[-20:])


def _timeline(notes: Sequence[Note]) -> Block:
    return table(("UTC", "what"), [(utc(one.time), one.text) for one in notes])


def nothing(network: str, since: int | None) -> Report:
    """The report if there was no incident in what the journal has."""
    what: Block = (
        f"The journal has no incident since {utc(since)} UTC."
        if since is not None
        else Warn("The journal has nothing.")
    )
    return Report(f"Incidents at {network}", "none", (Section("In short", (what,)),))
