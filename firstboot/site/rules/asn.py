"""AS numbers that no network may use on the Internet."""

from collections.abc import Iterator

from firstboot.core.document import Key
from firstboot.core.values import Asn
from firstboot.site.model import Peer, PeerRole, Site
from firstboot.site.registries import NUMBERS, is_private
from firstboot.site.rules.finding import Finding, error, for_documentation, waived


def check(site: Site) -> Iterator[Finding]:
    if site.asn is None and not site.provided:
        yield error(
            ("asn",),
            "there is no AS number",
            "Give the one that your registry assigned to you, or write addresses: provider if the "
            "addresses are a provider's, who routes them to this box",
        )
    elif site.asn is not None and site.provided:
        yield error(
            ("asn",),
            "the addresses are a provider's, which announces them with its own AS number",
            "Remove the key asn, or the key addresses if the address space is yours",
        )
    elif site.asn is not None:
        yield from _one(site, ("asn",), site.asn, "Give the ASN that your registry assigned to you")
    for at, peer in enumerate(site.peers):
        key = ("peers", at, "asn")
        if peer.role is PeerRole.TWIN:
            continue  # `twin.check` has its rules
        if peer.asn == site.asn:
            yield error(
                key,
                f"AS{peer.asn} is the ASN of this site",
                "Give the ASN of the peer; the other box of two has this one, and the role twin",
            )
        else:
            yield from _of_peer(site, key, peer)


def _of_peer(site: Site, key: Key, peer: Peer) -> Iterator[Finding]:
    """Transits may have a private number where a waiver says why: it is between the two alone."""
    remedy = "Ask the peer for its public ASN"
    if peer.role is PeerRole.TRANSIT and is_private(peer.asn):
        if waived(site, "private_asn"):
            return
        remedy += ", or set the rule aside for transits: waivers, private_asn"
    yield from _one(site, key, peer.asn, remedy)


def _one(site: Site, key: Key, asn: Asn, remedy: str) -> Iterator[Finding]:
    for special in NUMBERS:
        if asn in special and special.documentation:
            yield from for_documentation(site, key, f"AS{asn}", remedy)
        elif asn in special:
            yield error(key, f"AS{asn} {special.reason}", remedy)
