"""What only papers have: forms that registries and the DNS take. None of it has to be there."""

import re
from collections.abc import Iterator

from firstboot.core.document import Key
from firstboot.core.fault import quote_value
from firstboot.core.values import is_address
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding, error
from firstboot.site.rules.syntax import is_host

COUNTRY = re.compile(r"[A-Z]{2}")
LONGEST_DOMAIN = 200
"""Characters; names of addresses are in front of it."""

HANDLE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,78}[A-Za-z0-9])?")
NETWORK = re.compile(r"[A-Z](?:[A-Z0-9_-]{0,78}[A-Z0-9])?")
AS_SET = re.compile(r"(?i)AS-[A-Z0-9_-]{0,60}[A-Z0-9]")
"""RFC 2622, section 2: names begin with a letter, and end with a letter or a digit."""


def check(site: Site) -> Iterator[Finding]:
    operator, registry = site.operator, site.registry
    forms: tuple[tuple[Key, str | None, re.Pattern[str], str, str], ...] = (
        (("operator", "country"), operator.country, COUNTRY, "a country of ISO 3166", "NL"),
        (("registry", "network"), registry.network, NETWORK, "a name of a network", "EXAMPLE-EXIT"),
        (("registry", "as_set"), registry.as_set, AS_SET, "a name of an as-set", "AS-EXIT"),
        *(
            (("registry", name), getattr(registry, name), HANDLE, "a handle", example)
            for name, example in (
                ("organisation", "ORG-EEF1-RIPE"),
                ("maintainer", "EXAMPLE-MNT"),
                ("contact", "EXA1-RIPE"),
                ("abuse", "EXB1-RIPE"),
            )
        ),
    )
    for key, text, form, what, example in forms:
        if text is not None and not form.fullmatch(text):
            yield error(key, f"{quote_value(text)} is not {what}", f"Write one such as {example}")
    yield from _zones(site)


def _zones(site: Site) -> Iterator[Finding]:
    yield from _domain(site)
    servers = site.zones.servers
    seen: set[str] = set()
    for at, server in enumerate(servers):
        key: Key = ("zones", "servers", at)
        name = server.lower().rstrip(".")
        if is_address(server) or not is_host(server) or "." not in name:
            reason = f"{quote_value(server)} is not the name of a server"
            yield error(key, reason, "Write one such as ns1.example.org")
        elif name in seen:
            yield error(key, f"{server} is listed twice", "Name another one")
        seen.add(name)
    if len(servers) == 1:
        yield error(
            ("zones", "servers"),
            "a zone with one name server is gone when that is down",
            "Name two or more, in different networks (RFC 2182)",
        )


def _domain(site: Site) -> Iterator[Finding]:
    """The zone of the domain has the names of the addresses, and nothing else."""
    domain, key = site.zones.domain, ("zones", "domain")
    if domain is None:
        return
    name = domain.lower().rstrip(".")
    if is_address(domain) or not is_host(domain) or "." not in name or len(name) > LONGEST_DOMAIN:
        reason = f"{quote_value(domain)} is not a domain for names of addresses"
        yield error(key, reason, "Write one such as exit.example.org")
        return
    operator = site.operator
    others = [
        *((one, "takes mail") for one in (operator.abuse, operator.contact)),
        (operator.url, "is a web page"),
        *((one, "serves the zones") for one in site.zones.servers),
    ]
    for other, does in others:
        if f".{_host(other)}".endswith(f".{name}"):
            yield error(
                key,
                f"{other} {does} and is in this domain, which has the names of addresses alone",
                f"Name a domain of its own below it, such as exit.{name}",
            )


def _host(text: str) -> str:
    """The domain of a mail address, of a web page or of a server."""
    without_path = text.rpartition("://")[2].partition("/")[0]
    return without_path.rpartition("@")[2].partition(":")[0].lower().rstrip(".")
