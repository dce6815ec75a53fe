"""Everything that is wrong with a site, or could be better, at once, with the lines."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.core import document
from firstboot.core.document import Document, Faulty, spell
from firstboot.core.refusal import Refusal
from firstboot.site import leases, schema, unsupported
from firstboot.site.model import SCHEMA, Site
from firstboot.site.rules import (
    addresses,
    alarm,
    announcements,
    asn,
    limits,
    management,
    papers,
    peers,
    performance,
    ports,
    provider,
    reachable,
    relays,
    scopes,
    secrets,
    text,
    twin,
    waivers,
)
from firstboot.site.rules.finding import Finding, Rule, Severity

__all__ = [
    "RULES",
    "Examined",
    "Finding",
    "Severity",
    "check",
    "examine",
    "examine_text",
    "refused",
    "report",
    "sentences",
    "told",
]

RULES: tuple[Rule, ...] = (
    waivers.check,
    asn.check,
    scopes.check,
    ports.check,
    peers.check,
    announcements.check,
    twin.check,
    provider.check,
    addresses.check,
    relays.check,
    reachable.check,
    management.check,
    performance.check,
    text.check,
    papers.check,
    alarm.check,
    secrets.check,
)

MOST_PLACES = 12
"""Further places that the line about a group of findings names."""


@dataclass(frozen=True)
class Examined:
    """A site file and what was found in it; no site if the file has not the form of one."""

    name: str
    site: Document[Site] | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many lines of the report are errors: findings of one kind are one of them."""
        return sum(group[0].severity is Severity.ERROR for group in _groups(self.findings))


def check(site_document: Document[Site]) -> list[Finding]:
    """What the rules find in `site_document`, by line.

    What is beyond `firstboot.site.rules.limits` is a finding of its own, and the other rules look
    at the site without it, so that no input takes long.
    """
    site = site_document.value
    found = list(limits.check(site))
    within = limits.within(site) if found else site
    found += schema.check_keys(site_document)
    found += [finding for rule in RULES for finding in rule(within)]
    placed = dict.fromkeys(
        _printable_finding(replace(finding, line=site_document.line(*finding.key)))
        for finding in found
    )
    return sorted(placed, key=lambda finding: finding.line)


def examine(path: Path) -> Examined:
    """Read and check the site in the file at `path`. Mistakes of form are findings too.

    Raises Refusal if there is no file to read.
    """
    return examine_text(document.read(path), str(path))


def examine_text(data: bytes, name: str) -> Examined:
    """What `examine` does with the file's bytes. The same bytes are looked through once, however
    many steps of a command read them."""
    found = _examined(data)
    site = None if found.site is None else replace(found.site, name=name)
    return replace(found, name=name, site=site)


@functools.lru_cache(maxsize=4)
def _examined(data: bytes) -> Examined:
    try:
        site = document.parse(data, "", Site)
    except Faulty as faulty:
        newer = schema_of(data)
        if newer is not None and newer > SCHEMA:
            found = tuple(replace(one, line=1) for one in waivers.check_schema(newer))
            return Examined("", None, found)
        faulty.faults = unsupported.explained(leases.explained(faulty.faults, data))
        return Examined("", None, of_faults(faulty))
    return Examined("", site, tuple(check(site)))


def of_faults(faulty: Faulty) -> tuple[Finding, ...]:
    """Mistakes of form as findings."""
    return tuple(
        _printable_finding(
            Finding(
                Severity.ERROR,
                fault.key,
                fault.problem,
                fault.remedy,
                fault.line,
                fault.column,
                of_form=True,
            )
        )
        for fault in faulty.faults
    )


def refused(examined: Examined, remedy: str) -> Refusal:
    """The refusal of a site with errors, once they are printed."""
    many = "1 error" if examined.errors == 1 else f"{examined.errors} errors"
    return Refusal(examined.name, f"the site has {many} (see above)", remedy)


def report(examined: Examined) -> str:
    """All findings, a line for each group of them, and a line that counts the lines."""
    severities = [group[0].severity for group in _groups(examined.findings)]
    words = (("error", "errors"), ("warning", "warnings"), ("advice", "advice"))
    counts = [
        f"{severities.count(severity)} {one if severities.count(severity) == 1 else many}"
        for severity, (one, many) in zip(Severity, words, strict=True)
    ]
    return "\n".join([*sentences(examined), f"{_printable(examined.name)}: {', '.join(counts)}"])


def sentences(examined: Examined) -> list[str]:
    """A line for each finding; findings that say the same of several parts share one."""
    return [
        told(examined.name, group[0]) + _elsewhere(group[1:])
        for group in _groups(examined.findings)
    ]


def told(name: str, finding: Finding) -> str:
    """A finding in one line: ``site.yaml:12: peers[0].asn: REASON. REMEDY.``

    Warnings and advice say so in front of the key.
    """
    where = f"{_printable(name)}:{finding.line}"
    if finding.column:
        where += f":{finding.column}"
    kind = "" if finding.severity is Severity.ERROR else f"{finding.severity.value}: "
    key = f"{spell(finding.key)}: " if finding.key else ""
    return f"{where}: {kind}{key}{finding.reason}. {finding.remedy}."


def _groups(findings: Iterable[Finding]) -> list[list[Finding]]:
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        same = finding.kind or (finding.reason, finding.remedy)
        groups.setdefault((finding.severity, same), []).append(finding)
    return list(groups.values())


def _elsewhere(others: list[Finding]) -> str:
    if not others:
        return ""
    places = [f"{spell(one.key)} (line {one.line})" for one in others[:MOST_PLACES]]
    more = f" and {len(others) - MOST_PLACES} more" if len(others) > MOST_PLACES else ""
    return f" The same is true of {', '.join(places)}{more}."


def _printable_finding(finding: Finding) -> Finding:
    return replace(finding, reason=_printable(finding.reason), remedy=_printable(finding.remedy))


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def schema_of(data: bytes) -> int | None:
    """The version that a file says it has, whatever else is in it."""
    found = re.search(rb"^schema:[ \t]*([0-9]{1,9})\b", data[: document.LARGEST], re.MULTILINE)
    return int(found[1]) if found else None
