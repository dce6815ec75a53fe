"""What RDAP says: who takes complaints, and who serves the reverse zones."""

from collections.abc import Iterator

from firstboot.site.model import Site
from firstboot.site.paper import reverse
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.paper.drift.objects import covers, other_mail, servers
from firstboot.site.published.rdap import Answer, Kind


def compare(site: Site, details: Details, found: Answer, source: str) -> Iterator[Drift]:
    if not found.found:
        yield Drift(
            source,
            "the registry has no such object",
            "Nobody can look up whose it is. Ask the registry, or correct what was asked for",
        )
        return
    what = subject(site, found)
    if what is None:
        yield Drift(
            source,
            f"it is about {found.name or 'something'}, which is not of the site",
            "It was not compared. Fetch the one of the site's AS number, prefixes and zones",
        )
        return
    if found.kind is Kind.DOMAIN:
        if found.servers:
            yield from servers(f"the zone {what}", set(found.servers), details, source)
        return
    if not found.abuse:
        yield Drift(
            source,
            f"{what} has no contact for complaints",
            "They go to your upstream, who may end the contract. Give the registry a role for "
            "abuse with a mail address",
        )
    elif site.operator.abuse.lower() not in {mail.lower() for mail in found.abuse}:
        yield other_mail(what, found.abuse[0], site, source)


def subject(site: Site, found: Answer) -> str | None:
    """What of the site the answer is about."""
    if found.kind is Kind.AUTNUM:
        return f"AS{site.asn}" if found.asn == site.asn else None
    if found.kind is Kind.NETWORK:
        within = (
            str(scope) for scope in site.scopes if any(covers(one, scope) for one in found.prefixes)
        )
        return next(within, None)
    zones = {reverse.zone_name(zone) for zone in reverse.zones(site.scopes)}
    return found.name if found.name in zones else None
