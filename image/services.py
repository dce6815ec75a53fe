"""Scripts of rc(8): the image has those that an overlay lists in `services`, and each is on or off
as the list says.

A script of the base or of a package that no overlay lists is left out, so it cannot run, and costs
no time at a start. One that an overlay brings has to be listed. Sources: rc.subr(8) for `rcvar` and
`checkyesno`, rc.conf(5) for where its value comes from.
"""

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from firstboot.core.refusal import Refusal
from firstboot.site.services import On, Service
from image.overlay import Overlay
from image.tree import Kind, Tree, parent

BASE = "etc/rc.d"
FOLDERS = (BASE, "usr/local/etc/rc.d", "etc/local/rc.d")
DEFAULTS = ("etc/defaults/rc.conf", "etc/defaults/vendor.conf", "etc/rc.conf")
"""Read one after the other, and then etc/rc.conf.d/NAME; the last value counts (rc.conf(5))."""

TRUE = ("yes", "true", "on", "1")
"""What checkyesno of rc.subr(8) takes for a yes, in any case."""

ASSIGNMENT = re.compile(r"""^\s*(?:: \$\{)?(\w+)(?::?=)(["']?)([^"'#}\s]*)\2""", re.MULTILINE)
"""``name="value"``, and ``: ${name:="value"}`` for a name that has none yet."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A service, and where it is listed, as ``file:line``."""

    service: Service
    where: str


def listed(overlays: Iterable[Overlay]) -> dict[str, Listed]:
    """The services of `overlays` by name. Raises Refusal for one in two lists."""
    found: dict[str, Listed] = {}
    for one in overlays:
        for at, service in enumerate(one.services.value.services):
            where = one.services.where("services", at)
            if service.name in found:
                raise Refusal(
                    where,
                    f"the service '{service.name}' is listed in {found[service.name].where} too",
                    "Keep the entry that is meant",
                )
            found[service.name] = Listed(service, where)
    return found


def leave_out(tree: Tree, overlays: Iterable[Overlay], packaged: Container[str] = ()) -> None:
    """Remove the scripts of the base, and of packages, that no overlay lists.

    `packaged` has the paths that packages brought. Raises Refusal.
    """
    wanted = listed(overlays)
    for path in _scripts(tree, FOLDERS):
        if (parent(path) == BASE or path in packaged) and path.rpartition("/")[2] not in wanted:
            del tree[path]


def check(tree: Tree, overlays: Iterable[Overlay]) -> None:
    """Raises Refusal for a script that no overlay lists, and for one that is on where the list
    says it is off, or off where it says on. What a site turns on is in etc/rc.conf.d."""
    wanted = listed(overlays)
    settings = _settings(tree, DEFAULTS)
    for path in _scripts(tree, FOLDERS):
        name = path.rpartition("/")[2]
        if name not in wanted:
            raise Refusal(
                f"/{path}",
                "no overlay lists this service",
                "Add it to the services.yaml of an overlay, with the reason",
            )
        one = wanted[name]
        script = _text(tree, path)
        own = {}
        if one.service.on is not On.SITE:
            own = _settings(tree, (f"etc/rc.conf.d/{_named(script)}",))
        if is_on(script, settings | own) is not (one.service.on is On.ALWAYS):
            raise Refusal(
                one.where,
                f"{name} is '{one.service.on.value}' here, but rc.conf and its defaults have "
                f"it {'off' if one.service.on is On.ALWAYS else 'on'} in the image",
                "Correct the list, or etc/rc.conf of overlays/base",
            )


def is_on(script: str, settings: Mapping[str, str]) -> bool:
    """Whether rc(8) starts `script` with these values of rc.conf(5). One without an `rcvar`, such
    as those that only other scripts come before, is always on."""
    variable = rcvar(script)
    if not variable:
        return True
    own = {name: value for name, _, value in ASSIGNMENT.findall(script)}
    return settings.get(variable, own.get(variable, "")).lower() in TRUE


def rcvar(script: str) -> str:
    """The variable of rc.conf(5) that turns `script` on; empty if there is none."""
    found = re.search(r"""(?m)^rcvar=["']?([\w${}]*)""", script)
    return found[1].replace("${name}", _named(script)) if found else ""


def _named(script: str) -> str:
    found = re.search(r"""(?m)^name=["']?([\w-]+)""", script)
    return found[1] if found else ""


def _settings(tree: Tree, paths: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        if path in tree:
            found |= {name: value for name, _, value in ASSIGNMENT.findall(_text(tree, path))}
    return found


def _scripts(tree: Tree, folders: tuple[str, ...]) -> list[str]:
    return [
        path for path, entry in tree.items() if parent(path) in folders and entry.kind is Kind.FILE
    ]


def _text(tree: Tree, path: str) -> str:
    return tree[path].content.read().decode("utf-8", "replace")
