"""Waivers, and the version of the site file."""

import difflib
from collections.abc import Iterator

from firstboot.core.document import quote
from firstboot.core.fault import unsecret
from firstboot.site.model import SCHEMA, PeerRole, PortRole, Site
from firstboot.site.registries import ADDRESSES, NUMBERS, is_private
from firstboot.site.rules.finding import Finding, advice, error

KNOWN = ("no_management", "documentation", "private_asn")


def check(site: Site) -> Iterator[Finding]:
    yield from check_schema(site.schema)
    for name, reason in site.waivers.items():
        key = ("waivers", name)
        if name not in KNOWN:
            yield error(key, f"there is no rule {quote(unsecret(name))} to set aside", _known(name))
        elif not reason.strip():
            reason = "the waiver gives no reason, so the rule is not set aside"
            yield error(key, reason, "Say in a sentence why the rule is set aside")
        elif name == "no_management" and _has_management(site):
            yield advice(
                key,
                "there is a management port with keys, so nothing is set aside",
                "Remove the waiver",
            )
        elif name == "private_asn" and not any(
            peer.role is PeerRole.TRANSIT and is_private(peer.asn) for peer in site.peers
        ):
            yield advice(key, "no transit has a private AS number", "Remove the waiver")
        elif name == "documentation" and not _has_documentation(site):
            yield advice(
                key, "no number in the site is reserved for documentation", "Remove the waiver"
            )


def _known(name: str) -> str:
    """What to write in place of the unknown waiver `name`."""
    plain = name.lower().replace("-", "_")
    near = [one for one in KNOWN if one.startswith(plain[:3])]
    near = near or difflib.get_close_matches(plain, KNOWN, 1)
    return f"Write {near[0]}" if near else "Write one of " + ", ".join(KNOWN)


def check_schema(schema: int) -> Iterator[Finding]:
    if schema > SCHEMA:
        yield error(
            ("schema",),
            f"the file has version {schema}, and this program knows versions up to {SCHEMA}",
            "Use the release that wrote the file, or a newer one",
        )
    elif schema < 1:
        yield error(("schema",), f"there is no version {schema}", f"Write {SCHEMA}")


def _has_management(site: Site) -> bool:
    port = any(port.role is PortRole.MANAGEMENT for port in site.ports)
    return port and bool(site.management.keys)


def _has_documentation(site: Site) -> bool:
    asns = [*([site.asn] if site.asn else []), *(peer.asn for peer in site.peers)]
    addresses = [
        *(scope.network_address for scope in site.scopes),
        *(own.ip for port in site.ports for own in port.addresses),
    ]
    return any(
        special.documentation and asn in special for asn in asns for special in NUMBERS
    ) or any(
        special.documentation and address in special.network
        for address in addresses
        for special in ADDRESSES
    )
