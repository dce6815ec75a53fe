"""A check of a lab: what has to hold, and the function that looks whether it does."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from firstboot.site.model import Site
from qemu.lab.checks import Verdict
from qemu.lab.need import Need, lacking
from qemu.lab.session import Lab

Look = Callable[[Lab], Verdict]


@dataclass(frozen=True, slots=True)
class Probe:
    """Call it with a lab for the verdict, which carries `explanation`: what must hold, as a
    sentence for the reader of a report."""

    name: str
    explanation: str
    look: Look
    needs: tuple[Need, ...] = ()
    """What a site has to have for it to apply."""

    def lack(self, site: Site) -> str:
        """Why it does not apply to `site`; "" if it does."""
        return lacking(site, self.needs)

    def __call__(self, lab: Lab) -> Verdict:
        return replace(self.look(lab), explanation=self.explanation)


def probe(explanation: str, *needs: Need) -> Callable[[Look], Probe]:
    """Make the decorated function a Probe of its name, with underscores as spaces."""

    def made(look: Look) -> Probe:
        return Probe(look.__name__.replace("_", " "), explanation, look, needs)

    return made
