"""The examples with everything that papers need, and changed ones."""

from pathlib import Path

from firstboot.core import document
from firstboot.site.check import check
from firstboot.site.model import Site
from tests.firstboot.site.sites import ROOT, changed

RIPE = ROOT / "examples" / "papers" / "member-of-ripe.yaml"
ARIN = ROOT / "examples" / "papers" / "member-of-arin.yaml"
BOTH = (RIPE, ARIN)

RELAYS_ONLY = ROOT / "examples" / "relays-only.yaml"
PROVIDED = (
    "waivers:\n",
    "zones:\n  domain: exit.example.com\n  servers: [ns1.example.net, ns2.example.net]\nwaivers:\n",
)
"""What the example with a provider's addresses needs for its papers."""


def site(*changes: tuple[str, str], of: object = RIPE) -> Site:
    """An example with parts of it replaced. It has no errors."""
    assert isinstance(of, Path)
    text = changed(*changes, *([PROVIDED] if of == RELAYS_ONLY else []), of=of)
    found = document.parse(text, "site.yaml", Site)
    errors = [one for one in check(found) if one.severity.value == "error"]
    assert not errors, errors
    return found.value
