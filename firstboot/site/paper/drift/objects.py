"""Objects of routing registries and of the numbers' registry, in RPSL."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, ip_address, ip_network, summarize_address_range

from firstboot.core.fault import listed
from firstboot.core.values import Network
from firstboot.site.model import Site
from firstboot.site.paper import reverse
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.published.rpki import overlap
from firstboot.site.published.rpsl import ROUTES, Keep, Published, Registry

NUMBERS = ("inetnum", "inet6num", "netrange", "cidr")
POLICY = ("import", "export", "mp-import", "mp-export")
ABUSE = ("abuse-c", "abuse-mailbox", "mnt-irt", "orgabuseemail", "rabuseemail", "org")
"""What leads to whoever takes complaints; the organisation does so at RIPE and AFRINIC."""


def keep(site: Site, details: Details) -> Keep:
    """Which objects of a dump are about the site."""
    own = f"AS{site.asn}"
    zones = {reverse.zone_name(zone) for zone in reverse.zones(site.scopes)}

    def about(one: Published) -> bool:
        if one.kind == "aut-num":
            return one.name.upper() == own
        if one.kind == "as-set":
            return one.name.upper() == details.as_set.upper()
        if one.kind in ROUTES:
            origin = (one.first("origin") or "").upper()
            return origin == own or any(
                overlap(prefix, scope) for prefix in prefixes(one) for scope in site.scopes
            )
        if one.kind in NUMBERS:
            return any(scope in prefixes(one) for scope in site.scopes)
        return one.kind == "domain" and one.name.lower().rstrip(".") in zones

    return about


def prefixes(one: Published) -> list[Network]:
    """Those of a route, or of a range of addresses; none if they cannot be read."""
    first, dash, last = one.name.partition("-")
    try:
        if dash:
            both = ip_address(first.strip()), ip_address(last.strip())
            return list(summarize_address_range(*both))
        return [ip_network(one.name.strip())]
    except (TypeError, ValueError):
        return []


def compare(site: Site, details: Details, found: Registry, source: str) -> Iterator[Drift]:
    known = found.classes | ({"aut-num", "as-set", *ROUTES} if found.nothing else set())
    by_class: dict[str, list[Published]] = {}
    for one in found.objects:
        by_class.setdefault(one.kind, []).append(one)
    if "as-set" in known:
        yield from _as_set(site, details, by_class.get("as-set", []), source)
    if details.form.policy:
        if "aut-num" in known:
            yield from _aut_num(site, by_class.get("aut-num", []), source)
        if known & {*ROUTES}:
            for kind in ROUTES:
                yield from _routes(site, kind, by_class.get(kind, []), source)
    for one in (one for one in found.objects if one.kind in NUMBERS):
        yield from _contacts(one, details, source)
    for one in by_class.get("domain", []):
        yield from _servers(one, details, source)
    yield from _mails(site, found, source)


def _as_set(
    site: Site, details: Details, sets: Iterable[Published], source: str
) -> Iterator[Drift]:
    own = f"AS{site.asn}"
    found = list(sets)
    if not found:
        yield Drift(
            source,
            f"there is no as-set {details.as_set}",
            "Peers who make filters from it take none of your routes. Write it as in "
            "registry/objects.txt",
        )
    for one in found:
        members = members_of(one)
        if own not in members:
            yield Drift(
                source,
                f"the as-set {one.name} does not have {own}",
                "Filters made from it let none of your routes pass. Add it to members",
            )
        strangers = sorted(members - {own})
        if strangers:
            yield Drift(
                source,
                f"the as-set {one.name} has {listed(strangers[:5])}"
                + (" and others" if len(strangers) > 5 else ""),
                "Peers take their routes from you too, as if they were customers. Take them out of "
                "members",
            )


def members_of(one: Published) -> set[str]:
    listed_ = one.values("members", "mp-members")
    return {word.upper() for value in listed_ for word in re.split(r"[,\s]+", value) if word}


def _aut_num(site: Site, found: list[Published], source: str) -> Iterator[Drift]:
    own = f"AS{site.asn}"
    if not found:
        yield Drift(
            source,
            f"there is no aut-num {own}",
            "Nobody can look up your policy, and some peers ask for it. Write it as in "
            "registry/objects.txt",
        )
    wanted = {f"AS{peer.asn}" for peer in site.peers}
    for one in found:
        words = {
            word.upper()
            for line in one.values(*POLICY)
            for word in re.findall(r"(?i)\b(?:from|to)\s+(AS[0-9]+)", line)
        }
        lacking = sorted(wanted - words)
        if lacking:
            yield Drift(
                source,
                f"the aut-num {own} has no import or export for {listed(lacking)}",
                "Networks that make filters from it do not know of the peering. Add the lines of "
                "registry/objects.txt",
            )
        gone = sorted(words - wanted)
        if gone:
            yield Drift(
                source,
                f"the aut-num {own} has {listed(gone)}, who is no peer of the site",
                "It says that they get your routes or send you theirs. Remove the lines",
            )


def _routes(site: Site, kind: str, found: list[Published], source: str) -> Iterator[Drift]:
    own = f"AS{site.asn}"
    version = 4 if kind == "route" else 6
    scopes = [scope for scope in site.scopes if scope.version == version]
    for scope in scopes:
        exact = [one for one in found if scope in prefixes(one)]
        origins = {(one.first("origin") or "").upper() for one in exact}
        others = sorted(origins - {own, ""})
        if own not in origins:
            instead = f"; the one that is there has the origin {listed(others)}" if others else ""
            yield Drift(
                source,
                f"there is no {kind} {scope} with the origin {own}{instead}",
                "Upstreams and route servers that filter by the registry take the prefix from "
                + (f"{listed(others)}, and not from you" if others else "nobody")
                + ". Write it as in registry/objects.txt",
            )
        elif others:
            yield Drift(
                source,
                f"there is also a {kind} {scope} with the origin {listed(others)}",
                "Filters let it announce your prefix. Ask for the object to be deleted",
            )
    for one in found:
        inside = any(overlap(prefix, scope) for prefix in prefixes(one) for scope in site.scopes)
        if (one.first("origin") or "").upper() == own and not inside:
            yield Drift(
                source,
                f"the {kind} {one.name} with the origin {own} is of no prefix of the site",
                "Filters let you announce what you no longer have. Delete it, or add the prefix",
            )


def _contacts(one: Published, details: Details, source: str) -> Iterator[Drift]:
    if not one.values(*ABUSE):
        yield Drift(
            source,
            f"{one.kind} {one.name} has nobody who takes complaints",
            "They go to your upstream, or to whoever maintains the object. Add "
            f"{details.form.abuse}, as in registry/objects.txt",
        )


def _servers(one: Published, details: Details, source: str) -> Iterator[Drift]:
    found = {value.split()[0].lower().rstrip(".") for value in one.values("nserver")}
    yield from servers(f"the domain {one.name}", found, details, source)


def servers(what: str, found: set[str], details: Details, source: str) -> Iterator[Drift]:
    """How the name servers of a reverse zone differ from those of the site."""
    wanted = {server.lower() for server in details.servers}
    if found - wanted:
        yield Drift(
            source,
            f"{what} is delegated to {listed(sorted(found - wanted))} too",
            "Questions that it gets have no answer, or an old one. Remove it from the delegation",
        )
    if wanted - found:
        yield Drift(
            source,
            f"{what} is not delegated to {listed(sorted(wanted - found))}",
            "If the others fail, addresses have no names. Add it to the delegation",
        )


def _mails(site: Site, found: Registry, source: str) -> Iterator[Drift]:
    wanted = site.operator.abuse.lower()
    said = [(what, mail) for what, mail in found.abuse if _of_the_site(what, site)]
    for one in found.objects:
        said += [(one.name, mail) for mail in one.values("abuse-mailbox", "orgabuseemail")]
    for what, mail in dict.fromkeys(said):
        if mail.lower() != wanted:
            yield other_mail(what, mail, site, source)


def other_mail(what: str, mail: str, site: Site, source: str) -> Drift:
    return Drift(
        source,
        f"complaints about {what} go to {mail}, and the site says {site.operator.abuse}",
        "Complaints that nobody reads are taken to your upstream. Correct the contact",
    )


def _of_the_site(what: str, site: Site) -> bool:
    found = prefixes(Published((("inetnum", what),)))
    return what.upper() == f"AS{site.asn}" or any(scope in found for scope in site.scopes)


def covers(prefix: Network, scope: Network) -> bool:
    if isinstance(prefix, IPv4Network) != isinstance(scope, IPv4Network):
        return False
    return overlap(prefix, scope) and prefix.prefixlen <= scope.prefixlen
