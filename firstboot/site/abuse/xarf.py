"""XARF, in which machines report abuse: version 4 and version 3 in JSON, and X-ARF 0.1 and 0.2 in
lines of names and values (https://xarf.org).

Version 4 has `xarf_version`, `category`, `type`, `source_identifier`, `timestamp`. Version 3 has
`Report` with `ReportType`, `Date` and `SourceIp`, or `Source` with `IP`. Versions 0.x have
`Source`, `Date`, `Report-Type`.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from firstboot.core import bounded_json
from firstboot.core.limits import COMPLAINT_JSON
from firstboot.core.values import Address
from firstboot.site.abuse.complaint import MOST_CLAIMS, Claim, Complaint
from firstboot.site.abuse.mail import mail_address
from firstboot.site.abuse.moments import moment
from firstboot.site.complaint_counts import Category

TYPES = (
    ("login|auth|brute", Category.LOGIN),
    ("scan|reconnaissance", Category.SCAN),
    ("spam|messag|mail", Category.SPAM),
    ("copyright|p2p|cyberlocker|usenet|infring", Category.COPYRIGHT),
    ("ddos|dos|flood|amplification", Category.FLOOD),
    ("phish|fraud|brand", Category.FRAUD),
    ("malware|bot|infected|compromis|c2|virus", Category.MALWARE),
    ("sql|web|scrap|inject|xss|defacement|exploit", Category.WEB),
)
"""Words in types of reports, all versions together; the first that fits decides."""

FIELD = re.compile(r"(?m)^[ \t]*([A-Z][A-Za-z-]{1,30}):[ \t]*([^\n]{1,300})$")


def parse_json(text: str) -> Complaint | None:
    """None if `text` is no XARF of version 3 or 4."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None
    try:
        found = bounded_json.read(text[start : end + 1].encode(), COMPLAINT_JSON)
    except ValueError:
        return None
    reports = found if isinstance(found, list) else [found]
    complaints = [one for one in map(_report, reports) if one]
    if not complaints:
        return None
    claims = tuple(claim for one in complaints for claim in one.claims)
    first = complaints[0]
    return Complaint(first.form, first.category, claims[:MOST_CLAIMS], first.contact)


def parse_lines(text: str) -> Complaint | None:
    """None if `text` is no X-ARF 0.1 or 0.2."""
    fields = {name.lower(): value.strip().strip("'\"") for name, value in FIELD.findall(text)}
    if not {"report-type", "source", "date"} <= {*fields}:
        return None
    claims = tuple(
        Claim(address, moment(fields["date"]), port(fields.get("port")))
        for address in _addresses(fields["source"])
    )
    contact = mail_address(fields.get("reported-from", ""))
    return Complaint("X-ARF 0.2", category(fields["report-type"]), claims, contact)


def category(*words: object) -> Category:
    """Of what a report calls its type and category, the more telling word first."""
    for word in words:
        if isinstance(word, str):
            for pattern, found in TYPES:
                if re.search(pattern, word[:100].lower()):
                    return found
    return Category.OTHER


def port(value: object) -> int | None:
    """The number of a port, however a report writes it."""
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch("[0-9]{1,5}", text):
        return None
    return int(text) if 0 < int(text) < 65536 else None


def _report(found: Any) -> Complaint | None:
    match found:
        case {"xarf_version": str(version)} if version.startswith("4"):
            return _four(found)
        case {"Report": {"ReportType": _}}:
            return _three(found)
    return None


def _four(found: Mapping[str, Any]) -> Complaint:
    when = moment(found.get("timestamp"))
    destination = next(_addresses(found.get("destination_ip")), None)
    claims = tuple(
        Claim(address, when, port(found.get("destination_port")), destination)
        for address in _addresses(found.get("source_identifier"))
    )
    kind = category(found.get("type"), found.get("category"))
    return Complaint("XARF 4", kind, claims, _contact(found.get("reporter"), "contact"))


def _three(found: Mapping[str, Any]) -> Complaint:
    report = found["Report"]
    source = report.get("Source")
    said = report.get("SourceIp") or (source.get("IP") if isinstance(source, dict) else None)
    destination = next(_addresses(report.get("DestinationIp")), None)
    claims = tuple(
        Claim(address, moment(report.get("Date")), port(report.get("DestinationPort")), destination)
        for address in _addresses(said)
    )
    kind = category(report.get("ReportType"), report.get("ReportClass"))
    reporter = found.get("ReporterInfo")
    contact = _contact(reporter, "ReporterContactEmail") or _contact(reporter, "ReporterOrgEmail")
    return Complaint("XARF 3", kind, claims, contact)


def _contact(reporter: object, name: str) -> str:
    return mail_address(reporter.get(name)) if isinstance(reporter, dict) else ""


def _addresses(value: object) -> Iterator[Address]:
    if isinstance(value, str):
        try:
            yield ip_address(value.strip()[:100])
        except ValueError:
            return
