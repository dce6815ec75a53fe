"""Reverse zones: names of the plan's addresses, and whether DNSSEC holds (RFC 4034, 4035).

What is judged is what the files have: a DS of the parent against the zone's keys, the signatures of
keys and names, their time. A name is missing only if it was asked for, or if the whole zone is
there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dns.dnssec
import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from firstboot.core.fault import listed
from firstboot.core.values import Address
from firstboot.site import address_plan
from firstboot.site.model import Site
from firstboot.site.paper import reverse
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.paper.drift.objects import servers
from firstboot.site.published.dns import Records
from firstboot.site.published.rdap import Answer, Delegation, Kind
from firstboot.site.published.rpsl import Registry

Sets = Mapping[tuple[dns.name.Name, str], dns.rrset.RRset]

MOST_NAMED = 6
"""Addresses that a sentence names."""

ANSWERED = ("NOERROR", "NXDOMAIN")

DIGESTS = {1: "SHA1", 2: "SHA256", 4: "SHA384"}
SIGNED = ("DNSKEY", "SOA", "NS", "PTR")
"""Types whose signatures are verified."""


def compare(
    site: Site,
    details: Details,
    found: Records,
    delegations: Mapping[str, tuple[Delegation, ...]],
    now: float,
    source: str,
) -> Iterator[Drift]:
    """Compare `found` with the site. `delegations` are the DS records by zone that registries say;
    `now` is the time, in seconds since 1970, at which signatures have to be good."""
    sets = by_name(found)
    for zone in reverse.zones(site.scopes):
        name = dns.name.from_text(reverse.zone_name(zone))
        inside = {key: one for key, one in sets.items() if key[0].is_subdomain(name)}
        if not inside and not any(one.name.is_subdomain(name) for one in found.asked):
            continue
        label = reverse.zone_name(zone)
        ds = [*_of_records(inside.get((name, "DS"))), *delegations.get(label, ())]
        keyless = name in found.whole or any(
            one.name == name and one.kind == "DNSKEY" and one.status in ANSWERED
            for one in found.asked
        )
        asked_for = label in delegations or any(
            one.name == name and one.kind == "DS" and one.status in ANSWERED for one in found.asked
        )
        if ds or asked_for:
            yield from _delegated(label, name, ds, inside, source, keyless=keyless)
        trusted = [key for key in inside.get((name, "DNSKEY"), ()) if _trusted(ds, name, key)]
        if trusted:
            yield from _signatures(name, inside, trusted, now, source)
        listed_servers = inside.get((name, "NS"))
        if listed_servers is not None:
            names = {str(one.target).lower().rstrip(".") for one in listed_servers}
            yield from servers(f"the zone {label}", names, details, source)
    yield from _failed(found, source)
    yield from _names(site, found, sets, source)


def by_name(found: Records) -> dict[tuple[dns.name.Name, str], dns.rrset.RRset]:
    """The sets by name and type; signatures as ``RRSIG PTR``. Sets of several files are joined."""
    sets: dict[tuple[dns.name.Name, str], dns.rrset.RRset] = {}
    for one in found.sets:
        kind = dns.rdatatype.to_text(one.rdtype)
        if one.rdtype == dns.rdatatype.RRSIG:
            kind = f"RRSIG {dns.rdatatype.to_text(one.covers)}"
        name = dns.name.from_text(str(one.name).lower())
        known = sets.get((name, kind))
        both = [*(known or ()), *one]
        sets[name, kind] = _set(name, one.rdtype, both, one.covers)
    return sets


def _set(
    name: dns.name.Name,
    kind: dns.rdatatype.RdataType,
    records: Iterable[Any],
    covers: dns.rdatatype.RdataType = dns.rdatatype.NONE,
) -> dns.rrset.RRset:
    made = dns.rrset.RRset(name, dns.rdataclass.IN, kind, covers)
    for one in records:
        made.add(one, 3600)
    return made


def delegations(answers: Iterable[Answer], registry: Registry) -> dict[str, tuple[Delegation, ...]]:
    """The DS records of each zone that RDAP or an object of the class domain is about."""
    found = {one.name: one.delegations for one in answers if one.kind is Kind.DOMAIN}
    for one in registry.objects:
        if one.kind == "domain":
            lines = [line.split() for line in one.values("ds-rdata")]
            ds = tuple(
                Delegation(int(tag), int(algorithm), int(kind), "".join(digest).lower())
                for tag, algorithm, kind, *digest in (words for words in lines if len(words) > 3)
                if all(each.isascii() and each.isdecimal() for each in (tag, algorithm, kind))
            )
            name = one.name.lower().rstrip(".")
            found[name] = (*found.get(name, ()), *ds)
    return found


def _of_records(records: dns.rrset.RRset | None) -> Iterator[Delegation]:
    for one in records or ():
        yield Delegation(one.key_tag, int(one.algorithm), one.digest_type, one.digest.hex())


def _delegated(
    label: str,
    name: dns.name.Name,
    ds: list[Delegation],
    sets: Sets,
    source: str,
    *,
    keyless: bool,
) -> Iterator[Drift]:
    """Whether the parent's DS records, of which there may be none, are of the zone's keys.
    `keyless`: where its keys are not in `sets`, it is known to have none."""
    keys = sets.get((name, "DNSKEY"))
    if keys is None:
        if ds and keyless:
            yield Drift(
                source,
                f"the registry has a DS of {label}, and the zone has no key",
                "Resolvers that validate answer SERVFAIL for every name in it. Sign the zone, or "
                "have the DS removed",
                breaks=True,
            )
    elif not ds:
        yield Drift(
            source,
            f"{label} is signed, and there is no DS of it",
            "Nobody can verify it, so a forged name passes. Give the registry the DS",
        )
    elif not any(_trusted(ds, name, key) for key in keys):
        tags = listed([str(one.tag) for one in ds])
        have = listed([str(dns.dnssec.key_id(key)) for key in keys])
        yield Drift(
            source,
            f"the DS of {label} (key {tags}) is of none of its keys ({have})",
            "Resolvers that validate answer SERVFAIL for every name in it. Give the registry the "
            "DS of a key that is there",
            breaks=True,
        )


def _trusted(ds: list[Delegation], name: dns.name.Name, key: Any) -> bool:
    """Whether a DS is of `key`; without any, every key of the zone stands for itself."""
    return not ds or any(_is_of(one, name, key) for one in ds)


def _is_of(one: Delegation, name: dns.name.Name, key: Any) -> bool:
    kind = DIGESTS.get(one.digest_type)
    if kind is None or int(key.algorithm) != one.algorithm:
        return False
    try:
        policy = dns.dnssec.allow_all_policy
        made = dns.dnssec.make_ds(name, key, kind, policy=policy, validating=True)
    except (dns.exception.DNSException, ValueError):
        return False
    return bool(made.key_tag == one.tag and made.digest.hex() == one.digest)


def _signatures(
    name: dns.name.Name,
    sets: Sets,
    trusted: list[Any],
    now: float,
    source: str,
) -> Iterator[Drift]:
    keys = sets[name, "DNSKEY"]
    for (owner, kind), records in sets.items():
        if kind not in SIGNED or (owner != name and kind in ("DNSKEY", "SOA", "NS")):
            continue
        signatures = sets.get((owner, f"RRSIG {kind}"))
        signers = keys
        if kind == "DNSKEY":
            signers = _set(name, keys.rdtype, trusted)
        why = _why_bogus(records, signatures, name, signers, now)
        if why:
            yield Drift(
                source,
                f"{kind} of {owner.to_text(omit_final_dot=True)} {why}",
                "Resolvers that validate answer SERVFAIL. Sign the zone again and load it",
                breaks=True,
            )


def _why_bogus(
    records: dns.rrset.RRset,
    signatures: dns.rrset.RRset | None,
    zone: dns.name.Name,
    keys: dns.rrset.RRset,
    now: float,
) -> str | None:
    if not signatures:
        return "has no signature, and the zone is signed"
    if all(one.expiration < now for one in signatures):
        return "has a signature that ended"
    if all(one.inception > now for one in signatures):
        return "has a signature that is not good yet: check the clock of whoever signs"
    try:
        policy = dns.dnssec.allow_all_policy
        dns.dnssec.validate(records, signatures, {zone: keys}, now=now, policy=policy)
    except (dns.exception.DNSException, ValueError) as error:
        return f"has no signature of the zone's keys that holds ({str(error) or 'it is wrong'})"
    return None


def _failed(found: Records, source: str) -> Iterator[Drift]:
    failed = [one for one in found.asked if one.status in ("SERVFAIL", "REFUSED")]
    if failed:
        names = [one.name.to_text(omit_final_dot=True) for one in failed[:MOST_NAMED]]
        yield Drift(
            source,
            f"the resolver answered {failed[0].status} for {listed(names)}",
            "Servers of the zone do not answer, or, if it was asked without +cd, the name may be "
            "bogus. Ask the servers of the zone one by one",
        )


def _names(site: Site, found: Records, sets: Sets, source: str) -> Iterator[Drift]:
    asked = {one.name for one in found.asked if one.kind == "PTR" and one.status in ANSWERED}
    lacking: list[Address] = []
    for address in addresses(site):
        name = dns.name.from_text(address.reverse_pointer)
        known = name in asked or any(map(name.is_subdomain, found.whole))
        if known and (name, "PTR") not in sets and (name, "CNAME") not in sets:
            lacking.append(address)
    if lacking:
        named = listed([str(one) for one in lacking[:MOST_NAMED]])
        more = len(lacking) - MOST_NAMED
        yield Drift(
            source,
            f"{named}{f' and {more} more' if more > 0 else ''} have no name"
            if len(lacking) > 1
            else f"{named} has no name",
            "Whoever sees it in a log does not learn that it is an exit, and complains to your "
            "upstream. Add a PTR to the reverse zone",
        )


def addresses(site: Site) -> list[Address]:
    """Those of the plan that others see: the router's, the resolver's, the relays'."""
    plan = address_plan.allot(site)
    found = [*plan.router, *plan.resolver]
    for relay in plan.relays:
        found += [*relay.listen, *relay.source]
    return list(dict.fromkeys(found))
