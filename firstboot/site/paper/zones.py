"""Zones of the addresses: names to addresses, addresses to names, as master files (RFC 1035,
section 5) that any name server takes.

The box serves none of them. A domain of such names has no mail, no web server and no certificates,
and says so: a null MX (RFC 7505), SPF (RFC 7208) and DMARC (RFC 7489) that let nobody send in its
name, CAA (RFC 8659) by which no authority issues anything. Names that have an address say it too,
because mail goes to the address of a name without an MX.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from types import MappingProxyType

from firstboot.core.values import Address, Network
from firstboot.site.model import Site
from firstboot.site.paper import names, reverse
from firstboot.site.paper.details import Details

TTL = 3600
"""Seconds that records are kept by resolvers: a change, and each step of a roll-over, waits so
long."""

REFRESH, RETRY, EXPIRE = 4 * 3600, 3600, 14 * 86400
"""Seconds: how often a secondary asks for changes, how soon again after it got no answer, and for
how long it serves a zone that it cannot refresh. The last is far less than signatures hold."""

NEGATIVE = 3600
"""Seconds that resolvers remember that a name is not there (RFC 2308)."""

NO_SENDERS = '"v=spf1 -all"'
NO_MAIL = "0 ."


@dataclass(frozen=True)
class Record:
    """`name` is a name inside of the zone, or ``@``; `data` as RFC 1035 writes it."""

    name: str
    kind: str
    data: str

    def __str__(self) -> str:
        return f"{self.name} IN {self.kind} {self.data}"


@dataclass(frozen=True)
class Zone:
    """`name` has no dot at its end. `prefix` is what the names of a reverse zone stand for."""

    name: str
    servers: tuple[str, ...]
    mail: str
    serial: int
    records: tuple[Record, ...]
    prefix: Network | None = field(default=None, compare=False)

    @property
    def file(self) -> str:
        return f"{self.name}.zone"

    @property
    def text(self) -> str:
        times = f"{self.serial} {REFRESH} {RETRY} {EXPIRE} {NEGATIVE}"
        head = [
            Record("@", "SOA", f"{self.servers[0]}. {mailbox(self.mail)} ({times})"),
            *(Record("@", "NS", f"{server}.") for server in self.servers),
        ]
        lines = [f"$ORIGIN {self.name}.", f"$TTL {TTL}", *map(str, (*head, *self.records))]
        return "".join(f"{line}\n" for line in lines)


def all_zones(site: Site, details: Details, serial: int, twin: Site | None = None) -> list[Zone]:
    """The zone of the domain, then the reverse zones of the scopes. `twin` is the site of the other
    box of two, whose names are in the same zones."""
    prefixes = reverse.zones(site.scopes)
    return [
        forward(site, details, serial, twin),
        *(backward(site, details, prefix, serial, twin) for prefix in prefixes),
    ]


def forward(site: Site, details: Details, serial: int, twin: Site | None = None) -> Zone:
    """From names to addresses, and what the domain does not do."""
    records = [
        Record("@", "CAA", '0 issue ";"'),
        Record("@", "CAA", f'0 iodef "mailto:{details.mail}"'),
        Record("@", "MX", NO_MAIL),
        Record("@", "TXT", NO_SENDERS),
        Record("_dmarc", "TXT", '"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s"'),
        Record("*._domainkey", "TXT", '"v=DKIM1; p="'),
    ]
    found = names.names(site, twin)
    records += [Record(one.label, _kind(one.address), str(one.address)) for one in found]
    for label in dict.fromkeys(one.label for one in found):
        records += [Record(label, "MX", NO_MAIL), Record(label, "TXT", NO_SENDERS)]
    return Zone(details.domain, details.servers, details.mail, serial, tuple(records))


def backward(
    site: Site, details: Details, prefix: Network, serial: int, twin: Site | None = None
) -> Zone:
    """From the addresses of `prefix` to their names."""
    records = tuple(
        Record(reverse.label(address, prefix), "PTR", f"{label}.{details.domain}.")
        for address, label in sorted(names.first_names(site, twin).items(), key=_by_number)
        if address in prefix
    )
    name = reverse.zone_name(prefix)
    return Zone(name, details.servers, details.mail, serial, records, prefix)


def of_others(
    site: Site,
    details: Details,
    ds: Mapping[str, str] = MappingProxyType({}),
    twin: Site | None = None,
) -> str:
    """What others are asked to write in their zones: names of addresses that are in no zone of the
    site, and delegations of zones smaller than a /24 by their provider, with what DS records say by
    the names of zones. Empty if there is nothing.
    """
    lines = list(_of_others(site, details, ds, twin))
    return "".join(f"{line}\n" for line in lines)


def _of_others(
    site: Site, details: Details, ds: Mapping[str, str], twin: Site | None
) -> Iterator[str]:
    own = reverse.zones(site.scopes)
    for prefix in own:
        if reverse.in_part(prefix):
            zone = reverse.zone_name(prefix)
            around = reverse.zone_name(prefix.supernet(new_prefix=reverse.WHOLE))
            yield f"; {prefix}: of your provider, in {around} (RFC 2317)"
            yield from (f"{zone}. IN NS {server}." for server in details.servers)
            if zone in ds:
                yield f"{zone}. IN DS {ds[zone]}"
            for address in prefix:
                yield f"{address.reverse_pointer}. IN CNAME {address.packed[-1]}.{zone}."
    foreign = {
        address: label
        for address, label in names.first_names(site, twin).items()
        if not any(address in prefix for prefix in own)
    }
    if foreign:
        yield "; of whoever has the addresses: your provider, an upstream, an exchange"
    for address, label in foreign.items():
        yield f"{address.reverse_pointer}. IN PTR {label}.{details.domain}."


def mailbox(address: str) -> str:
    """A mail address as the SOA record has it (RFC 1035, section 8)."""
    local, _, domain = address.rpartition("@")
    escaped = local.replace(".", r"\.")
    return f"{escaped}.{domain}."


def _kind(address: Address) -> str:
    return "A" if isinstance(address, IPv4Address) else "AAAA"


def _by_number(item: tuple[Address, str]) -> tuple[int, int]:
    return item[0].version, int(item[0])
