"""The catalog zone (RFC 9432): secondaries that know it take every zone that is in it, and drop
those that leave it."""

import hashlib
from collections.abc import Sequence

from firstboot.site.paper.zones import Record, Zone

NOBODY = "invalid"
"""The name server of a catalog zone, which nobody asks (RFC 9432, section 4.2)."""


def catalog(zones: Sequence[Zone], domain: str) -> Zone:
    """The catalog of `zones`. A zone keeps its label for good: a new one would make secondaries
    forget what they have of it (section 4.4.1)."""
    members = [Record(f"{_label(zone)}.zones", "PTR", f"{zone.name}.") for zone in zones]
    version = Record("version", "TXT", '"2"')
    first = zones[0]
    name = f"catalog.{domain}"
    return Zone(name, (NOBODY,), first.mail, first.serial, (version, *members))


def _label(zone: Zone) -> str:
    return hashlib.sha256(zone.name.encode()).hexdigest()[:32]
