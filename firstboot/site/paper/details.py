"""What papers need that a box does not, and how it is asked for.

`Details` has it all as given. `missing` names the keys of a site that have to be filled in first:
what each is for, and what one looks like.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from firstboot.site.model import Holding, Rir, Site
from firstboot.site.paper.forms import FORMS, Form


@dataclass(frozen=True)
class Missing:
    """A `key` of a site that is not there. `use` completes "it is missing, and ...", `example` is
    its last part as the file has it."""

    key: str
    use: str
    example: str

    def __str__(self) -> str:
        section, _, _ = self.key.partition(".")
        return (
            f"{self.key}: it is missing, and {self.use}. "
            f"Write it under {section}, for instance {self.example}"
        )


@dataclass(frozen=True)
class Details:
    form: Form
    rir: Rir
    network: str
    organisation: str
    maintainer: str
    contact: str
    abuse: str
    as_set: str
    """With the AS number in front: only its holder can make such a name (RFC 2622, section 5)."""
    holding: Holding
    peeringdb: int
    country: str
    domain: str
    """Of the names of the addresses, without a dot at its end."""
    servers: tuple[str, ...]
    mail: str


def details(site: Site) -> Details:
    """What papers need. Call it for a site of which nothing is `missing`."""
    registry = site.registry
    rir = registry.rir or Rir.RIPE
    return Details(
        form=FORMS[rir],
        rir=rir,
        network=registry.network or "",
        organisation=registry.organisation or "",
        maintainer=registry.maintainer or "",
        contact=registry.contact or "",
        abuse=registry.abuse or "",
        as_set=f"AS{site.asn}:{registry.as_set.upper()}",
        holding=registry.holding,
        peeringdb=registry.peeringdb or 0,
        country=site.operator.country or "",
        domain=(site.zones.domain or "").lower().rstrip("."),
        servers=tuple(server.lower().rstrip(".") for server in site.zones.servers),
        mail=site.operator.contact,
    )


def missing(site: Site) -> list[Missing]:
    """The keys that have to be filled in before there are papers."""
    return list(_missing(site))


def _missing(site: Site) -> Iterator[Missing]:
    if not site.provided:
        yield from _missing_at_registries(site)
    if site.zones.domain is None:
        use = "the addresses have names below it"
        yield Missing("zones.domain", use, "domain: exit.example.org")
    if not site.zones.servers:
        use = "the zones are delegated to them; the box serves none"
        yield Missing("zones.servers", use, "servers: [ns1.example.org, ns2.example.net]")


def _missing_at_registries(site: Site) -> Iterator[Missing]:
    operator, registry = site.operator, site.registry
    if registry.rir is None:
        names = ", ".join(rir.value for rir in Rir)
        use = f"each registry has its own forms ({names})"
        yield Missing("registry.rir", use, "rir: ripe")
    form = FORMS[registry.rir or Rir.RIPE]
    if operator.country is None and form.statuses:
        use = "objects of prefixes name the country"
        yield Missing("operator.country", use, "country: NL")
    if registry.network is None:
        use = "the AS number and the prefixes have a short name in the registry"
        yield Missing("registry.network", use, "network: EXAMPLE-EXIT")
    if registry.organisation is None:
        use = "requests are made in its name: the handle that the registry gave you"
        yield Missing("registry.organisation", use, "organisation: ORG-EEF1-RIPE")
    if registry.maintainer is None:
        use = "every object names who may change it"
        yield Missing("registry.maintainer", use, "maintainer: EXAMPLE-MNT")
    if registry.contact is None:
        use = "every object names a role or a person to ask"
        yield Missing("registry.contact", use, "contact: EXA1-RIPE")
    if registry.abuse is None and form.statuses:
        use = "complaints go where it says, and not to your upstream"
        yield Missing("registry.abuse", use, "abuse: EXB1-RIPE")
    if registry.peeringdb is None:
        use = "a network at PeeringDB belongs to an organisation; its page has the number"
        yield Missing("registry.peeringdb", use, "peeringdb: 12345")
