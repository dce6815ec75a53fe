"""Other forms of complaints: ACNS, feedback reports, and plain text with or without a log.

ACNS, the Automated Copyright Notice System 2.0, is XML at the end of a text. Its few elements are
searched for: notices often are no well-formed XML, and no parser has to be trusted with it.
A feedback report is RFC 5965.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from ipaddress import IPv6Address, ip_address

from firstboot.core.values import Address
from firstboot.site.abuse.complaint import MOST_CLAIMS, Claim, Complaint, Moment
from firstboot.site.abuse.moments import moment, moments
from firstboot.site.abuse.xarf import port
from firstboot.site.complaint_counts import Category

SOURCE = re.compile(r"<Source>(.{0,4000}?)</Source>", re.DOTALL)
ELEMENT = re.compile(
    r"<(IP_Address|TimeStamp|Destination_IP|Destination_Port)>\s{0,20}([^<]{1,100})"
)

IPV4 = re.compile(r"(?<![0-9.])[0-9]{1,3}(?:(?:\.|\[\.\]|\(\.\))[0-9]{1,3}){3}(?!\.?[0-9])")
IPV6 = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{1,4}(?::{1,2}[0-9A-Fa-f]{1,4}){2,7}(?:::)?")
PORT = re.compile(
    r"(?:\bdpt[=: ]|\bdst[_ -]?port[=: ]{1,2}|destination[_ -]?port[=: ]{1,3}|"
    r"target[_ -]?port[=: ]{1,3}|->\s{0,3}[0-9A-Fa-f.:\[\]]{2,45}:)([0-9]{1,5})\b",
    re.IGNORECASE,
)
"""How logs write the port that something was sent to. One after "port" alone is sshd's word for the
port that it came from."""

LONGEST_LINE = 1000
MOST_LINES = 50_000

WORDS = (
    (Category.COPYRIGHT, r"copyright|infring|\bdmca\b|bittorrent"),
    (
        Category.LOGIN,
        r"brute.?force|failed password|invalid user|authentication failure|\bsshd?\b|fail2ban|"
        r"login attempt|failed login|log ?in attack|\brdp\b|sasl login",
    ),
    (Category.SPAM, r"\bspam|unsolicited|\bUCE\b|spamtrap"),
    (
        Category.WEB,
        r"sql injection|\bxss\b|wp-login|xmlrpc\.php|mod_?security|web.?shell|\"(?:get|post) /|"
        r"exploit|web attack|waf\b|scrap(?:ing|er)",
    ),
    (Category.SCAN, r"port.?scan|\bscan|\bdpt=|\bprobe[sd]?\b|\bsyn\b"),
    (Category.FLOOD, r"\bddos|denial.of.service|\bdos attack|flood|amplification"),
    (Category.FRAUD, r"phish|fraud|carding|chargeback|stolen (?:credit )?card"),
    (Category.MALWARE, r"malware|botnet|trojan|sinkhole|\bc2\b|infected"),
)
"""Words by which a text without a form tells what it is about. What has most of them decides, and
of equals the first."""

MOST_WORDS = 30
"""Of each category that count: a log repeats its own."""


def parse_acns(text: str) -> Complaint | None:
    """None if `text` has no notice of ACNS."""
    if "<Infringement" not in text:
        return None
    claims = []
    for source in SOURCE.findall(text)[:MOST_CLAIMS]:
        said = dict(reversed(ELEMENT.findall(source)))
        for address in addresses(said.get("IP_Address", "")):
            destination = next(addresses(said.get("Destination_IP", "")), None)
            to = port(said.get("Destination_Port", "").strip())
            claims.append(Claim(address, moment(said.get("TimeStamp")), to, destination))
    return Complaint("ACNS", Category.COPYRIGHT, tuple(claims)) if claims else None


def of_feedback(fields: Mapping[str, str]) -> Complaint | None:
    """None if the `fields`, by their names in lower case, are no feedback report with a source."""
    when = moment(fields.get("arrival-date") or fields.get("received-date"))
    claims = tuple(Claim(address, when) for address in addresses(fields.get("source-ip", "")))
    if not claims:
        return None
    kind = fields.get("feedback-type", "").strip().lower()
    known = {"fraud": Category.FRAUD, "virus": Category.MALWARE}
    return Complaint("a feedback report", known.get(kind, Category.SPAM), claims)


def parse_plain(text: str, subject: str = "", sent: datetime | None = None) -> Complaint:
    """Every address in `text`, with the time and port of its line; without a time there, the first
    one of the text."""
    lines = [line[:LONGEST_LINE] for line in f"{subject}\n{text}".split("\n")[:MOST_LINES]]
    found: dict[Address, Claim] = {}
    first: Moment | None = None
    for line in lines:
        when = next(moments(line, sent), None)
        first = first or when
        to = PORT.search(line)
        for address in addresses(line):
            before = found.get(address, Claim(address))
            found[address] = Claim(
                address,
                before.moment or when,
                before.port or (port(to[1]) if to else None),
            )
        if len(found) >= MOST_CLAIMS:
            break
    claims = (Claim(one.address, one.moment or first, one.port) for one in found.values())
    return Complaint("plain text", _about(lines), tuple(claims)[:MOST_CLAIMS])


def addresses(text: str) -> Iterator[Address]:
    """The addresses in a line, also those that are written so that nothing becomes a link of them:
    192.0.2[.]1."""
    for found in IPV4.findall(text):
        yield from _address(re.sub(r"[][()]", "", found))
    for found in IPV6.findall(text):
        yield from _address(found)


def _address(text: str) -> Iterator[Address]:
    try:
        address = ip_address(text)
    except ValueError:
        return
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    yield mapped or address


def _about(lines: list[str]) -> Category:
    counts = {
        category: sum(1 for line in lines if re.search(words, line, re.IGNORECASE))
        for category, words in WORDS
    }
    most = max(min(count, MOST_WORDS) for count in counts.values())
    if not most:
        return Category.OTHER
    return next(one for one, count in counts.items() if min(count, MOST_WORDS) == most)
