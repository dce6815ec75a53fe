"""AS numbers that no network may use on the Internet."""

from collections.abc import Iterator

from firstboot.core.document import Key
from firstboot.core.values import Asn
from firstboot.site.model import Site
from firstboot.site.registries import NUMBERS
from firstboot.site.rules.finding import Finding, error, for_documentation


def check(site: Site) -> Iterator[Finding]:
    yield from _one(site, ("asn",), site.asn, "Give the ASN that your registry assigned to you")
    for at, peer in enumerate(site.peers):
        key = ("peers", at, "asn")
        if peer.asn == site.asn:
            yield error(
                key,
                f"AS{peer.asn} is the ASN of this site",
                "Give the ASN of the peer; sessions inside an AS (iBGP) are not supported",
            )
        else:
            yield from _one(site, key, peer.asn, "Ask the peer for its public ASN")


def _one(site: Site, key: Key, asn: Asn, remedy: str) -> Iterator[Finding]:
    for special in NUMBERS:
        if asn in special and special.documentation:
            yield from for_documentation(site, key, f"AS{asn}", remedy)
        elif asn in special:
            yield error(key, f"AS{asn} {special.reason}", remedy)
