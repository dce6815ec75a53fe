"""The own address space: what other networks accept, and what the relays need."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from firstboot.site.address_plan import allot
from firstboot.site.model import Site
from firstboot.site.provided_addresses import RELAYS_AN_ADDRESS
from firstboot.site.rules.finding import Finding, error, for_documentation, warning
from firstboot.site.rules.overlap import overlaps
from firstboot.site.rules.special import purpose_of

LONGEST = {4: 24, 6: 48}
"""Prefix lengths that are accepted everywhere (RFC 7454, section 6.1.3)."""

SHORTEST = {4: 8, 6: 16}


def check(site: Site) -> Iterator[Finding]:
    if not site.scopes:
        yield error(
            ("scopes",),
            "there is no prefix",
            "Name the addresses that the provider gave to this machine"
            if site.provided
            else "Name the prefixes that your registry assigned to you, such as a /24 and a /48",
        )
        return
    yield from _one_by_one(site)
    for (outer, _), (inner, key) in overlaps(
        (scope, ("scopes", at)) for at, scope in enumerate(site.scopes)
    ):
        if inner == outer:
            yield error(key, f"{inner} is listed twice", "Remove one of the two")
        else:
            yield error(key, f"{inner} is part of {outer}", "Name only the larger one")
    yield from _families(site)


def _one_by_one(site: Site) -> Iterator[Finding]:
    for at, scope in enumerate(site.scopes):
        key = ("scopes", at)
        longest, shortest = LONGEST[scope.version], SHORTEST[scope.version]
        if scope.prefixlen > longest and not site.provided:
            yield error(
                key,
                f"a /{scope.prefixlen} is too small: other networks accept no prefix longer than "
                f"/{longest}",
                f"Name the whole /{longest} around it if it is yours, or write addresses: provider "
                "if it is a provider's, who routes it to this box",
            )
        special = purpose_of(scope)
        if special and special.documents(scope):
            yield from for_documentation(site, key, str(scope), "Name the prefix that is yours")
        elif scope.prefixlen < shortest:
            yield error(
                key,
                f"a /{scope.prefixlen} is larger than any operator's address space",
                "Check the prefix length for a missing digit",
            )
        elif special:
            yield error(
                key,
                f"{scope} is, or contains, address space for {special.purpose}",
                "Name the prefix that your registry assigned to you",
            )


def _families(site: Site) -> Iterator[Finding]:
    if not any(isinstance(scope, IPv4Network) for scope in site.scopes):
        yield error(
            ("scopes",),
            "there is no IPv4 scope, and Tor relays connect to each other over IPv4",
            "Ask the provider for IPv4 addresses, two at least"
            if site.provided
            else "Add an IPv4 scope of at least a /24; universities and other operators lend some",
        )
    elif all(isinstance(scope, IPv4Network) for scope in site.scopes):
        yield warning(
            ("scopes",),
            "there is no IPv6 scope, so the relays are exits to the IPv4 Internet only",
            "Ask the provider for some"
            if site.provided
            else "Ask your registry for a /48; with an ASN it costs little or nothing",
        )
    try:
        allot(site)
    except ValueError as reason:
        yield error(
            ("scopes",),
            f"the scope is too small for the address plan: {reason}",
            "Ask the provider for more addresses"
            + (", or run fewer relays" if site.relays.count > RELAYS_AN_ADDRESS else "")
            if site.provided
            else "Put a larger scope first in its family, or run fewer relays",
        )
