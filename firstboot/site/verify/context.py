"""What the checks go by, and what they find."""

from collections.abc import Mapping
from dataclasses import dataclass

from firstboot.core.resources import overlays
from firstboot.site import services
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Site
from firstboot.site.render import Box


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that must not be in a rendered file, and where it is."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Context:
    """A site, what follows from it, and the box that its files were rendered for."""

    site: Site
    box: Box
    plan: Plan
    management_ports: Mapping[str, tuple[int, ...]]
    """What administrators reach on the management port, by protocol, as services declare it."""

    @classmethod
    def of(cls, site: Site, box: Box) -> "Context":
        plan = allot(site)
        ports = services.management_ports(overlays())
        return cls(site, box, plan, ports)
