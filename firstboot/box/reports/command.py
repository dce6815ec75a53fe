"""`exitisp report`: reads the journal, and prints one of the reports."""

import time
from dataclasses import replace

from firstboot.box.alarms.letter import name_of
from firstboot.box.journal import store
from firstboot.box.journal.entry import Entry
from firstboot.box.journal.signature import public_key
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.remembered import running
from firstboot.box.reports import html, incident, month, proof, text, transparency
from firstboot.box.reports.complaints import counted
from firstboot.box.reports.document import Report, Section, utc
from firstboot.box.reports.period import period
from firstboot.core.refusal import Refusal

KINDS = ("incident", "month", "transparency")


def report(kind: str, when: str, machine: Machine, say: Say, *, as_html: bool) -> bool:
    """Print a report. `when` is the beginning of the time of an incident as 2026-11-30 12:05, or a
    month or year; "" stands for the last incident, and this month. Returns whether the journal that
    it is from is whole and signed. Raises Refusal."""
    if kind not in KINDS:
        raise Refusal(
            "exitisp report", f"there is no report '{kind}'", f"Name one of: {', '.join(KINDS)}"
        )
    network = name_of(running(machine).site)
    found = store.read(machine)
    entries = found.chain.entries
    notes = [one.note for one in entries]
    match kind:
        case "incident":
            made = _incident(entries, when, network)
        case "month":
            made = month.report(notes, period(when, int(time.time())), network)
        case _:
            counts = counted(machine)
            made = transparency.report(notes, counts, period(when, int(time.time())), network)
    try:
        key = public_key(machine)
    except Refusal:
        key = ""
    trust = proof.of(found, key)
    # What is not sound stands before everything else.
    sections = (*made.sections, trust) if found.sound else (trust, *made.sections)
    made = replace(made, sections=sections, sound=found.sound)
    say((html if as_html else text).written(made).rstrip("\n"))
    return found.sound


def _incident(entries: tuple[Entry, ...], when: str, network: str) -> Report:
    found = incident.incidents(entries)
    chosen = [one for one in found if utc(one.start).startswith(when)]
    if when and not chosen:
        times = ", ".join(utc(one.start) for one in found[-10:]) or "none"
        raise Refusal(
            "exitisp report",
            f"no incident began at {when}",
            f"Name one of those that the journal has: {times}",
        )
    if not chosen:
        return incident.nothing(network, entries[0].note.time if entries else None)
    made = incident.report(chosen[-1], network)
    others = [utc(one.start) for one in found if one is not chosen[-1]]
    if not others:
        return made
    also = f"The journal has others, which began at (UTC): {', '.join(others[-10:])}."
    return replace(made, sections=(*made.sections, Section("Other incidents", (also,))))
