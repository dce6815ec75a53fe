"""What `./exitisp paper` prints and writes."""

import time
from pathlib import Path

from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.commands import sound, write
from firstboot.site.model import Site
from firstboot.site.paper import peeringdb, routing, rpki, rpsl, zones
from firstboot.site.paper.details import Details, details, missing
from firstboot.site.render import Rendered


def write_papers(path: Path, folder: Path | None) -> None:
    """Write the papers of the site at `path` into `folder`, if there is one, and print the list.

    Raises Refusal, after its findings, for a site with errors, and after their names, for a site
    without keys that papers need.
    """
    site, details = known(path)
    files = papers(site, details, site.zones.serial or int(time.time()))
    if folder is not None:
        write(
            (Rendered(name, text, 0o644, "root", "wheel") for name, text in files.items()), folder
        )
    say("\n".join(str(folder / name) if folder else name for name in files))


def known(path: Path) -> tuple[Site, Details]:
    """The site at `path` and what papers need of it. Raises Refusal as `write_papers` does."""
    site = sound(path)
    lacking = missing(site)
    if lacking:
        say("\n".join(f"{path}: {one}" for one in lacking))
        many = "a key is" if len(lacking) == 1 else f"{len(lacking)} keys are"
        problem = f"{many} missing that papers need (see above)"
        raise Refusal(path, problem, "Add what is missing, and type the same command again")
    return site, details(site)


def papers(site: Site, known: Details, serial: int) -> dict[str, str]:
    """The papers of `site`, of which nothing is missing: texts by their paths in the folder. Zones
    get `serial`."""
    asked = zones.of_others(site, known)
    files = {
        **{f"zones/{zone.file}": zone.text for zone in zones.all_zones(site, known, serial)},
        **({"zones/of-others.txt": asked} if asked else {}),
    }
    if site.provided:
        return files
    requests = rpki.requests(site, known.rir)
    return {
        "registry/objects.txt": rpsl.text(routing.objects(site, known)),
        "registry/remarks.txt": "".join(f"{line}\n" for line in routing.remarks(site)),
        **{f"rpki/{name}": text for name, text in requests.items()},
        "peeringdb/network.json": peeringdb.text(site, known),
        **files,
    }
