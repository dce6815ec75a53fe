"""Keeps the secrets of a site out of everything that people are shown."""

from firstboot.core import keys
from firstboot.site.model import Site

MASK = "********"


def secrets(site: Site) -> list[str]:
    """The values of all keys that the model marks as secret."""
    return list(keys.secrets(site))


def masked(text: str, *sites: Site) -> str:
    """`text` without the secrets of `sites`. Longer secrets are replaced first, because one may
    contain another."""
    hidden = {secret for site in sites for secret in secrets(site)}
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
