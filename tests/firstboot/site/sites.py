"""Sites for tests: the examples, changed ones, and every site that there could be."""

import dataclasses
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st

from firstboot.core import document
from firstboot.core.values import Asn, Mac
from firstboot.site.announcement import Announcement
from firstboot.site.check import Finding, Severity, check
from firstboot.site.community import Community
from firstboot.site.exit_policy import Destination
from firstboot.site.model import (
    Addresses,
    Alarm,
    Clock,
    Dns,
    Family,
    Holding,
    Mail,
    Management,
    Operator,
    Peer,
    PeerRole,
    Performance,
    Policy,
    Port,
    PortRole,
    Protocol,
    Reachable,
    Registry,
    RelayPolicy,
    Relays,
    Rir,
    Routes,
    Site,
    Strictness,
    Webhook,
    Zones,
)

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
ONE = ROOT / "examples" / "one-port-of-each.yaml"
TWO = ROOT / "examples" / "two-transits-and-an-exchange.yaml"


def changed(*changes: tuple[str, str], of: Path = ONE) -> bytes:
    """The text of an example with parts of it replaced; each is there exactly once."""
    text = of.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text.encode()


def found(*changes: tuple[str, str], of: Path = ONE) -> list[Finding]:
    """What is found in an example with parts of it replaced, but for what is in the example."""
    before = {(f.severity, f.key, f.reason) for f in check(document.load(of, Site))}
    after = check(document.parse(changed(*changes, of=of), "site.yaml", Site))
    return [f for f in after if (f.severity, f.key, f.reason) not in before]


def says(
    findings: list[Finding], severity: Severity, key: str, reason: str, line: int | None = None
) -> bool:
    """Whether one of `findings` is such; a failing assert shows all of them."""
    return any(
        finding.severity is severity
        and document.spell(finding.key) == key
        and reason in finding.reason
        and line in (None, finding.line)
        for finding in findings
    )


WORDS = st.sampled_from(
    ["", "~", "null", "no", "1.10", "0x10", "12:30", "2020-01-01", "a: b", "a #b", "- a", "[a]",
     "{n}", "*a", "&a", "!a", "%a", "@a", "`a`", "'", '"', "\\", "a\nb", " a ", "é", "\x85",
     "\u2028", "\ufeff", "\0", "😀", "::", "::1", "a:", "=", "<<", "?", "a\tb", "AS-X",
     "ix0", "x" * 300]
)  # fmt: skip
TEXT = WORDS | st.text(st.characters(codec="utf-8"), max_size=20)
INTEGERS = st.integers(-(10**20) + 1, 10**20 - 1)
ASNS = st.integers(1, 2**32 - 1).map(Asn)
V4 = st.integers(0, 2**32 - 1)
V6 = st.integers(0, 2**128 - 1)
ADDRESSES = V4.map(IPv4Address) | V6.map(IPv6Address)
INTERFACES = st.tuples(V4, st.integers(0, 32)).map(IPv4Interface) | st.tuples(
    V6, st.integers(0, 128)
).map(IPv6Interface)
NETWORKS = st.builds(lambda n, p: IPv4Network((n, p), strict=False), V4, st.integers(0, 32)) | (
    st.builds(lambda n, p: IPv6Network((n, p), strict=False), V6, st.integers(0, 128))
)
DESTINATIONS = st.builds(
    lambda network, ports: Destination.parse(
        (f"[{network}]" if network.version == 6 else str(network)) + f":{ports}"
    ),
    NETWORKS,
    st.sampled_from(["*", "25", "6881-6889"]),
)
MACS = st.binary(min_size=6, max_size=6).map(
    lambda octets: Mac(":".join(f"{o:02x}" for o in bytes([octets[0] & 0xFE]) + octets[1:]))
)


def every(shape: type[T], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Parts of a site with values for every key of their shape; whoever adds one is told."""
    missing = {field.name for field in dataclasses.fields(shape)} - parts.keys()  # type: ignore[arg-type]
    assert not missing, f"no values for {', '.join(sorted(missing))} of {shape.__name__}"
    return st.builds(shape, **parts)


def some(items: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(items, max_size=3).map(tuple)


PORTS = every(
    Port,
    name=TEXT,
    device=TEXT,
    role=st.sampled_from(PortRole),
    addresses=some(INTERFACES),
    gateway=some(ADDRESSES),
    mtu=INTEGERS,
    vlan=st.none() | INTEGERS,
    mac=st.none() | MACS,
    members=some(TEXT),
    reachable=some(
        every(
            Reachable,
            address=ADDRESSES,
            port=st.none() | INTEGERS,
            protocol=st.sampled_from(Protocol),
        )
    ),
)
PEERS = every(
    Peer,
    name=TEXT,
    asn=ASNS,
    role=st.sampled_from(PeerRole),
    addresses=some(ADDRESSES),
    networks=some(NETWORKS),
    gateway=some(ADDRESSES),
    hops=INTEGERS,
    routes=st.sampled_from(Routes),
    md5=st.none() | TEXT,
    gtsm=st.booleans(),
    max_prefix=st.none() | INTEGERS,
    irr=st.none() | TEXT,
    blackhole=st.none() | st.sampled_from([Community("65535:666"), Community("64500:666:0")]),
    announce=some(
        every(
            Announcement,
            scopes=some(NETWORKS),
            prepend=INTEGERS,
            med=st.none() | INTEGERS,
            communities=some(st.sampled_from([Community("0:64500"), Community("64500:1:2")])),
            no_export=st.booleans(),
            withheld=st.booleans(),
        )
    ),
)
RELAYS = every(
    Relays,
    count=st.integers(-5, 40) | INTEGERS,
    nickname=TEXT,
    contact_info=st.none() | TEXT,
    policy=st.sampled_from(Policy),
    rules=some(TEXT),
    policies=some(
        every(
            RelayPolicy,
            relays=some(INTEGERS),
            policy=st.sampled_from(Policy),
            rules=some(TEXT),
        )
    ),
    block=some(DESTINATIONS),
    bandwidth_mbit=st.none() | INTEGERS,
    family=every(Family, ids=some(TEXT), members=some(TEXT)),
    or_addresses=some(ADDRESSES),
    exit_addresses=some(ADDRESSES),
    offline_keys=st.booleans(),
)
SITES = every(
    Site,
    schema=INTEGERS,
    operator=every(
        Operator,
        name=TEXT,
        abuse=TEXT,
        contact=TEXT,
        url=TEXT,
        jurisdiction=TEXT,
        country=st.none() | TEXT,
    ),
    addresses=st.sampled_from(Addresses),
    asn=st.none() | ASNS,
    scopes=some(NETWORKS),
    ports=some(PORTS),
    peers=some(PEERS),
    relays=st.just(Relays()) | RELAYS,
    dns=st.just(Dns())
    | every(
        Dns,
        strictness=st.sampled_from(Strictness),
        cache_mib=st.none() | INTEGERS,
        addresses=some(ADDRESSES),
    ),
    router=some(ADDRESSES),
    management=every(Management, keys=some(TEXT), networks=some(NETWORKS), monitoring=some(TEXT)),
    performance=st.just(Performance())
    | every(
        Performance,
        profiles=st.dictionaries(TEXT, TEXT, max_size=3),
        settings=st.dictionaries(TEXT, INTEGERS, max_size=3),
    ),
    clock=st.just(Clock()) | every(Clock, servers=some(TEXT)),
    waivers=st.dictionaries(
        st.sampled_from(["documentation", "no_management", "k" * 2000]) | TEXT, TEXT, max_size=3
    ),
    registry=st.just(Registry())
    | every(
        Registry,
        rir=st.none() | st.sampled_from(Rir),
        network=st.none() | TEXT,
        organisation=st.none() | TEXT,
        maintainer=st.none() | TEXT,
        contact=st.none() | TEXT,
        abuse=st.none() | TEXT,
        as_set=TEXT,
        holding=st.sampled_from(Holding),
        peeringdb=st.none() | INTEGERS,
    ),
    alarm=st.just(Alarm())
    | every(
        Alarm,
        mail=every(
            Mail,
            relay=st.none() | TEXT,
            port=INTEGERS,
            address=st.none() | ADDRESSES,
            certificate=st.none() | TEXT,
            to=some(TEXT),
            sender=st.none() | TEXT,
            user=st.none() | TEXT,
            password=st.none() | TEXT,
        ),
        webhook=every(
            Webhook,
            url=st.none() | TEXT,
            address=st.none() | ADDRESSES,
            certificate=st.none() | TEXT,
        ),
    ),
    zones=st.just(Zones())
    | every(
        Zones,
        domain=st.none() | TEXT,
        servers=some(TEXT),
        serial=st.none() | st.integers(1, 2**32 - 1),
    ),
)
"""Every form that a site may have, sensible or not."""
