"""The letters of a site, from its templates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.model import Peer, PeerRole, Port, PortRole, Site
from firstboot.site.paper import names
from firstboot.site.paper.details import Details
from firstboot.site.paper.letters.checklist import tasks
from firstboot.site.paper.pair import as_one
from firstboot.site.paper.rpki import aspa
from firstboot.site.render import environment, template_text

HERE = Path(__file__).parent
NOTICE = "exit-notice.html.j2"
LANGUAGES = ("en", "de", "fr", "es")


def letters(
    site: Site, details: Details, overlays: Path, twin: Site | None = None
) -> dict[str, str]:
    """Texts by their paths in the folder of papers. `overlays` has the exit notice of the box,
    `twin` is the site of the other box of two.

    Raises Refusal for a value that a template cannot have.
    """
    labels = names.first_names(site, twin)
    if twin is not None:
        site = as_one(site, twin)
    templates = environment(HERE, overlays / "tor" / "templates")
    sessions = allot(site).sessions
    limits = {version: sum(one.version == version for one in site.scopes) for version in (4, 6)}
    always: dict[str, Any] = {
        "site": site,
        "details": details,
        "limits": limits,
        "aspa": not site.provided and aspa(site) is not None,
    }

    def text(template: str, **more: object) -> str:
        return template_text(templates, HERE / template, {**always, **more})

    found: dict[str, str] = {}
    for language in LANGUAGES:
        template = NOTICE if language == "en" else f"exit-notice.{language}.html.j2"
        found[f"exit-notice.{language}.html"] = text(template)
    if site.provided:
        ports = [port for port in site.ports if port.role.outside]
        asked = pointers(labels, details, ports)
        found["notice-provider.txt"] = text("notice.txt.j2", peer="our provider", pointers=asked)
    for peer in site.peers:
        if peer.role is PeerRole.TRANSIT:
            found[f"authority-{peer.name}.txt"] = text("authority.txt.j2", peer=peer)
            ports = [one.port for one in sessions if one.peer == peer]
            found[f"notice-{peer.name}.txt"] = text(
                "notice.txt.j2", peer=_named(peer), pointers=pointers(labels, details, ports)
            )
    for port in site.ports:
        if port.role is PortRole.EXCHANGE:
            own = [one for one in sessions if one.port == port]
            found[f"port-{port.name}.txt"] = text("port.txt.j2", port=port, sessions=own)
    if not site.provided:
        found["manrs.txt"] = text("manrs.txt.j2")
    listed = tasks(site)
    titles: Mapping[str, str] = {task.key: task.title for task in listed}
    found["checklist.html"] = text("checklist.html.j2", tasks=listed, titles=titles)
    return {f"letters/{name}": said for name, said in found.items()}


def pointers(labels: Mapping[Address, str], details: Details, ports: list[Port]) -> list[str]:
    """PTR records for the addresses of `ports` in networks of others; `labels` are all names."""
    addresses = dict.fromkeys(face.ip for port in ports for face in port.addresses)
    return [
        f"{address.reverse_pointer}. PTR {labels[address]}.{details.domain}."
        for address in addresses
        if address in labels
    ]


def _named(peer: Peer) -> str:
    return f"{peer.name} (AS{peer.asn})"
