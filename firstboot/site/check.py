"""Everything that is wrong with a site, or could be better, at once, with the lines."""

import re
from dataclasses import dataclass
from pathlib import Path

from firstboot.core import document
from firstboot.core.document import Document, Faulty, Key, spell
from firstboot.core.refusal import Refusal
from firstboot.site.model import SCHEMA, Site
from firstboot.site.rules import (
    addresses,
    asn,
    dns,
    limits,
    management,
    peers,
    performance,
    ports,
    relays,
    scopes,
    secrets,
    text,
    waivers,
)
from firstboot.site.rules.finding import Remark, Rule, Severity

__all__ = [
    "RULES",
    "Examined",
    "Finding",
    "Severity",
    "check",
    "examine",
    "refused",
    "report",
    "told",
]

RULES: tuple[Rule, ...] = (
    waivers.check,
    asn.check,
    scopes.check,
    ports.check,
    peers.check,
    addresses.check,
    relays.check,
    dns.check,
    management.check,
    performance.check,
    text.check,
    secrets.check,
)

FORM = "correct the file and try again"


@dataclass(frozen=True)
class Finding:
    """One thing: how bad, where, why, and what to do. All in printable characters."""

    severity: Severity
    key: Key
    line: int
    reason: str
    remedy: str


@dataclass(frozen=True)
class Examined:
    """A site file and what was found in it; no site if the file has not the form of one."""

    name: str
    site: Document[Site] | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(finding.severity is Severity.ERROR for finding in self.findings)


def check(site_document: Document[Site]) -> list[Finding]:
    """Findings of the rules in `site_document`, by line.

    A site beyond `firstboot.site.rules.limits` has no other findings, so that no input takes long.
    """
    site = site_document.value
    remarks = list(limits.check(site)) or [remark for rule in RULES for remark in rule(site)]
    found = {_finding(site_document, remark): None for remark in remarks}
    return sorted(found, key=lambda finding: finding.line)


def examine(path: Path) -> Examined:
    """Read and check the site in the file at `path`. Faults of form are findings too.

    Raises Refusal if there is no file to read.
    """
    return examine_text(document.read(path), str(path))


def examine_text(data: bytes, name: str) -> Examined:
    """What `examine` does with the file's bytes."""
    try:
        site = document.parse(data, name, Site)
    except Faulty as faulty:
        newer = schema_of(data)
        if newer is not None and newer > SCHEMA:
            remarks = waivers.check_schema(newer)
            return Examined(name, None, tuple(_plain(remark, 1) for remark in remarks))
        return Examined(name, None, of_faults(faulty))
    return Examined(name, site, tuple(check(site)))


def of_faults(faulty: Faulty) -> tuple[Finding, ...]:
    """Faults of form as findings."""
    remarks = (
        (
            Remark(
                Severity.ERROR,
                fault.key,
                f"expected {fault.expected}, found {fault.found}",
                FORM,
            ),
            fault.line,
        )
        for fault in faulty.faults
    )
    return tuple(_plain(remark, line) for remark, line in remarks)


def refused(examined: Examined, remedy: str) -> Refusal:
    """The refusal of a site with errors, once they are told."""
    many = "1 error" if examined.errors == 1 else f"{examined.errors} errors"
    return Refusal(
        examined.name,
        expected="a site without errors",
        found=f"{many}, told above",
        remedy=remedy,
    )


def report(examined: Examined) -> str:
    """All findings, a line each, and a line that counts them."""
    counts = [
        f"{sum(f.severity is severity for f in examined.findings)} {plural}"
        for severity, plural in zip(Severity, ("errors", "warnings", "advice"), strict=True)
    ]
    lines = [told(examined.name, finding) for finding in examined.findings]
    return "\n".join([*lines, f"{examined.name}: " + ", ".join(counts)])


def told(name: str, finding: Finding) -> str:
    """A finding in one line: ``site.yaml:12: error: peers[0].asn: REASON; REMEDY``."""
    where = f"{spell(finding.key)}: " if finding.key else ""
    place = f"{_printable(name)}:{finding.line}"
    return f"{place}: {finding.severity.value}: {where}{finding.reason}; {finding.remedy}"


def _finding(site: Document[Site], remark: Remark) -> Finding:
    return _plain(remark, site.line(*remark.key))


def _plain(remark: Remark, line: int) -> Finding:
    return Finding(
        remark.severity, remark.key, line, _printable(remark.reason), _printable(remark.remedy)
    )


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def schema_of(data: bytes) -> int | None:
    """The version that a file says it has, whatever else is in it."""
    found = re.search(rb"^schema:[ \t]*([0-9]{1,9})\b", data[: document.LARGEST], re.MULTILINE)
    return int(found[1]) if found else None
