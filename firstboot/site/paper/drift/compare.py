"""All comparisons of what is published with a site."""

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import add
from typing import TypeVar

from firstboot.site.model import Site
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift import contacts, objects, peeringdb, roas, zones
from firstboot.site.paper.drift.drift import Drift
from firstboot.site.paper.drift.sources import Published
from firstboot.site.published.dns import Records
from firstboot.site.published.peeringdb import PeeringDb
from firstboot.site.published.rpsl import Registry

Said = TypeVar("Said", Registry, PeeringDb, Records)


def compare(site: Site, details: Details, found: Published, now: float) -> list[Drift]:
    """The differences, those that break something first. `now` is in seconds since 1970."""
    drifts = dict.fromkeys(_all(site, details, found, now))
    return sorted(drifts, key=lambda one: not one.breaks)


def _all(site: Site, details: Details, found: Published, now: float) -> Iterator[Drift]:
    for name, validated in found.rpki.items():
        yield from roas.compare(site, validated, name)
    registry = _together(found.registry.values(), Registry())
    if found.registry:
        yield from objects.compare(site, details, registry, _names(found.registry))
    for name, answer in found.rdap.items():
        yield from contacts.compare(site, details, answer, name)
    if found.peeringdb:
        both = _together(found.peeringdb.values(), PeeringDb())
        yield from peeringdb.compare(site, details, both, _names(found.peeringdb))
    if found.dns:
        records = _together(found.dns.values(), Records())
        ds = zones.delegations(found.rdap.values(), registry)
        yield from zones.compare(site, details, records, ds, now, _names(found.dns))


def _together(said: Iterable[Said], nothing: Said) -> Said:
    return reduce(add, said, nothing)


def _names(files: Mapping[str, object]) -> str:
    """What the files are called in a sentence."""
    names = list(files)
    return names[0] if len(names) == 1 else f"{names[0]} and others"
