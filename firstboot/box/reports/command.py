"""`exitisp report`: reads the journal, and prints one of the reports."""

from dataclasses import replace

from firstboot.box.alarms.letter import name_of
from firstboot.box.journal import store
from firstboot.box.journal.entry import Entry
from firstboot.box.journal.signature import public_key
from firstboot.box.machine import Machine
from firstboot.box.output import Say
from firstboot.box.remembered import running
from firstboot.box.reports import html, incident, proof, text
from firstboot.box.reports.document import Report, Section, utc
from firstboot.core.refusal import Refusal

KINDS = ("incident",)


def report(kind: str, when: str, machine: Machine, say: Say, *, as_html: bool) -> bool:
    """Print a report, `when` being the beginning of a time as 2026-11-30 12:05, or "" for the last
    one. Returns whether the journal that it is from is whole and signed. Raises Refusal."""
    if kind not in KINDS:
        raise Refusal(
            "exitisp report", f"there is no report '{kind}'", f"Name one of: {', '.join(KINDS)}"
        )
    site = running(machine).site
    found = store.read(machine)
    made = _incident(found.chain.entries, when, name_of(site))
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
