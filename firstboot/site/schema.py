"""Versions of the site file.

Version 2 has more keys than version 1, each with a default by which a site means what it meant. So
this program reads both, and a program that knows version 1 alone refuses a file of version 2: it
would not do what a new key says.
"""

from collections.abc import Iterator
from dataclasses import replace

from firstboot.core.document import Document
from firstboot.core.keys import walk
from firstboot.site.model import SCHEMA, Site
from firstboot.site.rules.finding import Finding, error


def migrated(site: Site) -> Site:
    """The same site in the newest version."""
    return replace(site, schema=max(site.schema, SCHEMA))


def check_keys(document: Document[Site]) -> Iterator[Finding]:
    """An error for each key that is newer than the version that the file says it has."""
    schema = document.value.schema
    if schema < 1:
        return  # no version at all, which `waivers.check_schema` tells
    since = {one.path: one.about.since for one in walk(Site) if one.about.since > schema}
    for key in document.lines:
        needed = since.get(".".join(part for part in key if isinstance(part, str)))
        if needed and isinstance(key[-1], str):
            yield error(
                key,
                f"this key is known since schema {needed}, and the file has schema {schema}",
                f"Write schema: {needed} in line {document.line('schema')}, or remove the key",
            )
