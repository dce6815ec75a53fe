"""The examples with everything that papers need, and changed ones."""

from firstboot.core import document
from firstboot.site.check import check
from firstboot.site.model import Site
from tests.firstboot.site.sites import ROOT, changed

RIPE = ROOT / "examples" / "papers" / "member-of-ripe.yaml"
ARIN = ROOT / "examples" / "papers" / "member-of-arin.yaml"
BOTH = (RIPE, ARIN)


def site(*changes: tuple[str, str], of: object = RIPE) -> Site:
    """An example with parts of it replaced. It has no errors."""
    assert of in BOTH
    text = changed(*changes, of=RIPE if of == RIPE else ARIN)
    found = document.parse(text, "site.yaml", Site)
    errors = [one for one in check(found) if one.severity.value == "error"]
    assert not errors, errors
    return found.value
