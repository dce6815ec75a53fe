"""Autonomous system numbers that nobody may be known by on the Internet.

IANA's registry of special-purpose AS numbers: RFC 7607 (0), 6793 (AS_TRANS), 5398
(documentation), 6996 (private), 7300 (last of each range), 7534 (AS112).
"""

from collections.abc import Iterator

from firstboot.document import Key
from firstboot.rules.remark import Remark, error, for_documentation
from firstboot.site import Site
from firstboot.values import Asn

DOCUMENTATION = ((64496, 64511), (65536, 65551))

SPECIAL = (
    (0, 0, "is reserved (RFC 7607)"),
    (112, 112, "is the AS112 project's, for everybody's private reverse zones (RFC 7534)"),
    (23456, 23456, "is AS_TRANS, a stand-in for numbers of 32 bits (RFC 6793)"),
    (64512, 65534, "is for private use (RFC 6996)"),
    (65535, 65535, "is reserved (RFC 7300)"),
    (65552, 131071, "is reserved by IANA"),
    (4200000000, 4294967294, "is for private use (RFC 6996)"),
    (4294967295, 4294967295, "is reserved (RFC 7300)"),
)


def check(site: Site) -> Iterator[Remark]:
    yield from _one(site, ("asn",), site.asn, "give the ASN that your registry assigned to you")
    for at, peer in enumerate(site.peers):
        key = ("peers", at, "asn")
        if peer.asn == site.asn:
            yield error(
                key,
                f"AS{peer.asn} is the site's own",
                "give the peer's; sessions within an AS are not part of this appliance",
            )
        else:
            yield from _one(site, key, peer.asn, "ask the peer for the number it is known by")


def _one(site: Site, key: Key, asn: Asn, remedy: str) -> Iterator[Remark]:
    for first, last in DOCUMENTATION:
        if first <= asn <= last:
            yield for_documentation(site, key, f"AS{asn}", remedy)
    for first, last, reason in SPECIAL:
        if first <= asn <= last:
            yield error(key, f"AS{asn} {reason}", remedy)
