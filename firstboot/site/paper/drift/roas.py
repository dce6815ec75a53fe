"""ROAs and the ASPA, as validators of other networks see them (RFC 6811, RFC 9319)."""

from collections.abc import Iterator

from firstboot.core.fault import listed
from firstboot.core.values import Network
from firstboot.site.model import Site
from firstboot.site.paper import rpki as papers
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.published.rpki import Payload, Validated, overlap


def compare(site: Site, found: Validated, source: str) -> Iterator[Drift]:
    for scope in site.scopes:
        yield from _scope(site, scope, found, source)
    for payload in found.payloads:
        elsewhere = not any(overlap(payload.prefix, scope) for scope in site.scopes)
        if payload.asn == site.asn and elsewhere:
            yield Drift(
                source,
                f"the ROA for {payload} is of no prefix of the site",
                "It lets this AS announce what it no longer has. Delete it, or add the prefix",
            )
    yield from _aspa(site, found, source)


def _scope(site: Site, scope: Network, found: Validated, source: str) -> Iterator[Drift]:
    covering = [one for one in found.payloads if _covers(one, scope)]
    valid = [one for one in covering if one.asn == site.asn and one.longest >= scope.prefixlen]
    others = sorted({one.asn for one in covering if one.asn != site.asn})
    if not covering:
        yield Drift(
            source,
            f"no ROA covers {scope}",
            "Whoever announces it is believed, and its hijack is not noticed. Ask the registry for "
            "the ROA of rpki/roas.csv",
        )
    elif not valid:
        whose = listed([f"AS{asn}" for asn in others]) or f"AS{site.asn} up to another length"
        yield Drift(
            source,
            f"{scope} of AS{site.asn} is invalid: ROAs cover it, for {whose}",
            "Networks that validate drop the announcement, your upstreams among them. Make the ROA "
            "of rpki/roas.csv, and find out who made the others",
            breaks=True,
        )
    elif others:
        yield Drift(
            source,
            f"ROAs let {listed([f'AS{asn}' for asn in others])} announce {scope} too",
            "Their announcement would be valid beside yours. Delete these ROAs, unless it is "
            "agreed",
        )
    longer = [
        one
        for one in found.payloads
        if one.asn == site.asn and overlap(one.prefix, scope) and one.longest > scope.prefixlen
    ]
    for one in longer:
        yield Drift(
            source,
            f"the ROA for {one} lets parts of {scope} be announced",
            f"Whoever pretends to be behind AS{site.asn} takes over a part of it, and it is valid "
            f"(RFC 9319). Make maxLength {scope.prefixlen}",
        )


def _covers(payload: Payload, scope: Network) -> bool:
    return overlap(payload.prefix, scope) and payload.prefix.prefixlen <= scope.prefixlen


def _aspa(site: Site, found: Validated, source: str) -> Iterator[Drift]:
    wanted = papers.aspa(site)
    if found.providers is None or wanted is None:
        return
    lacking = [asn for asn in wanted.providers if asn not in found.providers]
    surplus = [asn for asn in found.providers if asn not in wanted.providers]
    if lacking:
        yield Drift(
            source,
            f"the ASPA of AS{site.asn} lacks the transit {listed([f'AS{one}' for one in lacking])}",
            "Networks that verify paths take your routes behind it for a leak, and drop them. Add "
            "it to the ASPA before the session is up",
            breaks=True,
        )
    if surplus:
        yield Drift(
            source,
            f"the ASPA of AS{site.asn} has {listed([f'AS{one}' for one in surplus])}, which is no "
            "transit of the site",
            "A leak of your routes there is not noticed. Take it out of the ASPA",
        )
