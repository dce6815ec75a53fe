"""Waivers, and the version of the site file: what the other rules rest on."""

from collections.abc import Iterator

from firstboot.core.document import quote
from firstboot.site.model import SCHEMA, PortRole, Site
from firstboot.site.registries import ADDRESSES, NUMBERS
from firstboot.site.rules.finding import Remark, advice, error

KNOWN = ("no_management", "documentation")


def check(site: Site) -> Iterator[Remark]:
    yield from check_schema(site.schema)
    for name, reason in site.waivers.items():
        key = ("waivers", name)
        if name not in KNOWN:
            yield error(key, f"{quote(name)} is no waiver", "use one of " + ", ".join(KNOWN))
        elif not reason.strip():
            yield error(key, "it gives no reason, so it waives nothing", "say why, in a sentence")
        elif name == "no_management" and _has_management(site):
            yield advice(key, "there is a management port, with keys", "remove the waiver")
        elif name == "documentation" and not _has_documentation(site):
            yield advice(key, "nothing in the site is for documentation", "remove the waiver")


def check_schema(schema: int) -> Iterator[Remark]:
    if schema > SCHEMA:
        yield error(
            ("schema",),
            f"the file is of version {schema}, and this program knows versions up to {SCHEMA}",
            "use the release that wrote the file, or a newer one",
        )
    elif schema < 1:
        yield error(("schema",), f"there is no version {schema}", f"write {SCHEMA}")


def _has_management(site: Site) -> bool:
    port = any(port.role is PortRole.MANAGEMENT for port in site.ports)
    return port and bool(site.management.keys)


def _has_documentation(site: Site) -> bool:
    asns = [site.asn, *(peer.asn for peer in site.peers)]
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
