"""Secrets of a site, kept out of whatever people are shown."""

from firstboot.site.model import Site

MASK = "********"


def secrets(site: Site) -> list[str]:
    """Texts of the site that nobody but the box and the peer may see."""
    return [peer.md5 for peer in site.peers if peer.md5]


def masked(text: str, *sites: Site) -> str:
    """`text` without the secrets of `sites`; of two that overlap the longer one goes first."""
    hidden = {secret for site in sites for secret in secrets(site)}
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
