"""What the box runs, also while /cfg cannot be read: its site is remembered in memory, and what
follows from it is rendered anew."""

from dataclasses import dataclass

from firstboot.box.apply import unconfigured, whole
from firstboot.box.generations import Generation
from firstboot.box.machine import Machine, site_of
from firstboot.core.durable import keep, kept
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.site.check import examine_text
from firstboot.site.model import Site
from firstboot.site.render import Rendered, render

PLACE = "site.yaml"


@dataclass(frozen=True, slots=True)
class Running:
    """A site and its rendered files. `remembered` is whether they are not from /cfg."""

    site: Site
    files: tuple[Rendered, ...]
    remembered: bool = False


def running(machine: Machine) -> Running:
    """What the box runs. Raises Refusal if it cannot be read and nobody remembers it."""
    generation = machine.running()
    try:
        return _kept(generation)
    except Refusal:
        data = kept(machine.state / PLACE)
        if data is None:
            raise
        site = whole(examine_text(data, "the site that this box runs")).value
        return Running(site, tuple(render(site, machine.box(), overlays())), remembered=True)


def remember(machine: Machine) -> None:
    """Keep the site that the box runs in memory. Raises Refusal if it cannot be read, and OSError;
    what is remembered stays then."""
    generation = machine.running()
    if generation is None:
        return
    data = site_of(generation)
    path = machine.state / PLACE
    if not path.exists() or path.read_bytes() != data:
        keep(path, data)


def _kept(generation: Generation | None) -> Running:
    if generation is None:
        raise unconfigured()
    content = generation.read()
    site = whole(examine_text(content.site, f"{generation.folder}/site.yaml")).value
    return Running(site, content.files)
