"""Records of the DNS: zone files (RFC 1035, section 5), and what dig and kdig print.

Their output is a zone file with comments, in which the questions are and how they were answered.
``$INCLUDE`` and ``$GENERATE`` are refused: they read other files, and make many records of a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tokenizer
import dns.transaction
import dns.zonefile

from firstboot.core.limits import MIB
from firstboot.site.published.files import damaged, read_file

ZONE = 16 * MIB
RECORDS = 200_000
"""Lines. A signed zone of a /24 with a name for each address has some 2,000."""

DIRECTIVES = ("$TTL", "$ORIGIN")
STATUS = re.compile(r";; ->>HEADER<<-.*?status: ([A-Z]{2,12})")
QUESTION = re.compile(r";;?\s*(\S{1,255})\s+IN\s+([A-Z0-9]{1,10})\s*")


@dataclass(frozen=True)
class Asked:
    """A question, and how it was answered: NOERROR, NXDOMAIN, SERVFAIL."""

    name: dns.name.Name
    kind: str
    status: str


@dataclass(frozen=True)
class Records:
    """Record sets, and the questions that they answer. `whole` are the zones that are there as a
    whole: those with a SOA in a file without questions."""

    sets: tuple[dns.rrset.RRset, ...] = ()
    asked: tuple[Asked, ...] = ()
    whole: frozenset[dns.name.Name] = frozenset()

    def __add__(self, other: "Records") -> "Records":
        return Records(self.sets + other.sets, self.asked + other.asked, self.whole | other.whole)


def load(path: Path) -> Records:
    """Read the file at `path`. Raises Refusal."""
    return parse(read_file(path, ZONE), str(path))


def parse(data: bytes, name: str) -> Records:
    """What `load` does with the file's bytes."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise damaged(name, "it is neither a zone file nor what dig prints: not UTF-8") from error
    if text.count("\n") > RECORDS:
        raise damaged(name, f"it has more than {RECORDS} lines")
    try:
        sets, asked = _sets(text), tuple(_questions(text))
    except (dns.exception.DNSException, ValueError, OverflowError) as error:
        problem = " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
        raise damaged(name, f"it is neither a zone file nor what dig prints: {problem}") from error
    if not sets and not asked:
        raise damaged(name, "there are neither records nor questions in it")
    heads = (one.name for one in sets if one.rdtype == dns.rdatatype.SOA)
    return Records(sets, asked, frozenset() if asked else frozenset(heads))


class _Collected:
    """What `dns.zonefile.Reader` adds its records to. A transaction of dnspython takes one zone
    alone, and here records of several stand in one file."""

    def __init__(self) -> None:
        self.manager = self
        self.sets: dict[tuple[dns.name.Name, int, int], dns.rrset.RRset] = {}

    def origin_information(self) -> tuple[dns.name.Name, bool, dns.name.Name]:
        return dns.name.root, False, dns.name.root

    def check_put_rdataset(self, _check: object) -> None:
        """Sets of any types may stand beside each other."""

    def _set_origin(self, _origin: dns.name.Name) -> None:
        """The reader keeps it."""

    def add(self, name: dns.name.Name, ttl: int, record: dns.rdata.Rdata) -> None:
        owner = name.canonicalize()
        covers = record.covers()
        key = (owner, record.rdtype, covers)
        if key not in self.sets:
            self.sets[key] = dns.rrset.RRset(owner, record.rdclass, record.rdtype, covers)
        self.sets[key].add(record, ttl)


def _sets(text: str) -> tuple[dns.rrset.RRset, ...]:
    collected = _Collected()
    reader = dns.zonefile.Reader(
        dns.tokenizer.Tokenizer(text, "line"),
        dns.rdataclass.IN,
        cast(dns.transaction.Transaction, collected),
        allow_directives=DIRECTIVES,
        default_ttl=3600,
    )
    reader.read()
    return tuple(collected.sets.values())


def _questions(text: str) -> Iterator[Asked]:
    status, expected = "", False
    for line in text.splitlines():
        if found := STATUS.match(line):
            status = found[1]
        elif line.startswith(";; QUESTION"):
            expected = True
        elif expected and (question := QUESTION.fullmatch(line)):
            yield Asked(dns.name.from_text(question[1].lower()), question[2], status)
            expected = False
