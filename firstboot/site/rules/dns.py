"""The resolver's cache. Where its questions come from is in `firstboot.site.rules.addresses`."""

from collections.abc import Iterator

from firstboot.site.model import Site
from firstboot.site.rules.finding import Remark, error

CACHE_MIB = (16, 262_144)


def check(site: Site) -> Iterator[Remark]:
    cache = site.dns.cache_mib
    if cache is not None and not CACHE_MIB[0] <= cache <= CACHE_MIB[1]:
        yield error(
            ("dns", "cache_mib"),
            f"{cache} MiB is no size of a cache",
            f"give {CACHE_MIB[0]} to {CACHE_MIB[1]}, or leave it out for what suits the memory",
        )
