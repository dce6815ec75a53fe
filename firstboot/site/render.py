"""From a site to files: templates in, bytes out, nothing else looked at.

Each overlay may have `templates/index.yaml`, a list of `Template`. The box, the tests and the
host that builds images render the same bytes from the same site and box.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import jinja2

from firstboot.core import document
from firstboot.core.refusal import Refusal
from firstboot.core.values import Mode
from firstboot.site import alarms, bogons, profiles, services, sizes
from firstboot.site.address_plan import Plan, allot
from firstboot.site.model import Addresses, Site

Version = tuple[int, ...]

FAMILY_KEYS = (0, 4, 9)
"""The first Tor with family keys ("happy families", proposal 321)."""


class Each(Enum):
    """What a template is rendered once for."""

    SITE = "site"
    RELAY = "relay"


@dataclass(frozen=True)
class Template:
    """A template and the file that it becomes. `{relay}` in the path is the relay's number."""

    template: str
    path: str
    mode: Mode = Mode(0o644)  # noqa: RUF009
    owner: str = "root"
    group: str = "wheel"
    each: Each = Each.SITE
    only: Addresses | None = None
    """Whose addresses a site must have for it to have this file; None for either."""


@dataclass(frozen=True)
class Index:
    """What `templates/index.yaml` says."""

    templates: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """What the configuration has to know of the machine and the programs on it.

    Versions are what is installed, as far as options depend on it, (1, 25) or (0, 4, 9): options
    that a program does not know yet are not rendered. `devices` are as in `profiles.Machine`.
    `packaged_unbound` says whether the package's Unbound runs in place of the base's, `libevent`
    whether it waits with libevent; with select(2) it has 1024 descriptors. `carriers` says whether
    bgpd knows the kernel's interfaces, and so whether a port has a carrier; Debian's does not.
    """

    cores: int
    memory_mib: int
    unbound: Version
    openbgpd: Version
    tor: Version
    devices: Mapping[str, str] = field(default_factory=dict)
    packaged_unbound: bool = False
    libevent: bool = False
    carriers: bool = True


@dataclass(frozen=True, slots=True)
class Rendered:
    """A file of the configuration. `path` is relative to the root."""

    path: str
    text: str
    mode: int
    owner: str
    group: str


def render(site: Site, box: Box, overlays: Path) -> list[Rendered]:
    """Every file that follows from `site` on `box`, by path, from the templates below `overlays`.

    Raises Refusal for a faulty template or index, a value with control characters, two templates
    of one path, a scope that is too small for the plan, and what `profiles.choose` refuses.
    """
    try:
        plan = allot(site)
    except ValueError as error:
        raise Refusal(
            "scopes",
            f"there is no room for the addresses of router, resolver and relays: {error}",
            "Run fewer relays, or give their addresses in relays.or_addresses and "
            "relays.exit_addresses",
        ) from error
    machine = profiles.Machine(box.cores, box.memory_mib, box.devices)
    tuning = profiles.choose(site, machine, overlays)
    management_ports = services.management_ports(overlays)
    files: dict[str, Rendered] = {}
    for index in sorted(overlays.glob("*/templates/index.yaml")):
        templates = environment(index.parent)
        for template in document.load(index, Index).value.templates:
            if template.only not in (None, site.addresses):
                continue
            for names, path in _each(template, plan):
                if path in files:
                    raise Refusal(
                        index,
                        f"/{path} is made from two templates",
                        "Remove one of them from the indexes",
                    )
                context = {
                    "site": site,
                    "plan": plan,
                    "box": box,
                    "sizes": sizes,
                    "bogons": bogons.of(site),
                    "tuning": tuning,
                    "management_ports": management_ports,
                    "alarms": {
                        "outside": alarms.openings(site, but=alarms.FETCHED),
                        "management": alarms.openings(site),
                    },
                    **names,
                }
                text = template_text(templates, index.parent / template.template, context)
                files[path] = Rendered(
                    path, text, int(template.mode), template.owner, template.group
                )
    return [files[path] for path in sorted(files)]


def notes(site: Site, box: Box) -> list[str]:
    """What of `site` has no effect on `box`, a sentence each."""
    if site.relays.family.ids and box.tor < FAMILY_KEYS:
        version = ".".join(map(str, box.tor))
        return [
            f"relays.family.ids: Tor {version} knows no family keys, so the ids have no effect. "
            "Name the relays in relays.family.members, or use Tor 0.4.9 or newer."
        ]
    return []


def _each(template: Template, plan: Plan) -> Iterator[tuple[dict[str, Any], str]]:
    if template.each is Each.SITE:
        yield {}, template.path
        return
    for relay in plan.relays:
        yield {"relay": relay}, template.path.replace("{relay}", str(relay.number))


def environment(*folders: Path) -> jinja2.Environment:
    """Reads templates from `folders`. A value that is missing, or has a line break in it, is
    refused; what goes into HTML is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(["html.j2"]),
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _plain(value: Any) -> Any:
    """Whatever a template prints. A line break in it would be a line of configuration that no
    template has, so it is refused; None is a fault of the template."""
    if value is None:
        raise jinja2.UndefinedError("a value that the site does not give")
    if isinstance(value, str) and any(unicodedata.category(char) == "Cc" for char in value):
        raise ValueError(f"{value!r} has control characters")
    return value


def template_text(templates: jinja2.Environment, path: Path, context: dict[str, Any]) -> str:
    """What the template at `path` becomes. Raises Refusal."""
    try:
        return templates.get_template(path.name).render(context)
    except (jinja2.TemplateError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise Refusal(
            f"{path}:{line}" if line else path,
            f"the template cannot be rendered for this site: {error}",
            "Correct the template, or the value in the site",
        ) from error
