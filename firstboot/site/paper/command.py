"""What `./exitisp paper` prints and writes."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from firstboot.core.document import quote
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.check_pair import sound_pair
from firstboot.site.commands import sound, write
from firstboot.site.model import Rir, Site
from firstboot.site.paper import delegations, peeringdb, routing, rpki, rpsl, zones
from firstboot.site.paper.catalog import catalog
from firstboot.site.paper.delegations import Vouched
from firstboot.site.paper.details import Details, details, missing
from firstboot.site.paper.letters.letters import letters
from firstboot.site.paper.pair import as_one
from firstboot.site.paper.signing.desk import Wanted, apart, prepare, sign, taken
from firstboot.site.paper.signing.ring import Ring
from firstboot.site.render import Rendered

DS = "zones/ds.txt"
"""The paper that only signed zones have."""

UNSIGNED = Vouched()
NONE: Mapping[str, str] = MappingProxyType({})


def write_papers(
    path: Path,
    folder: Path | None,
    overlays: Path,
    wanted: Wanted | None = None,
    twin: Path | None = None,
) -> None:
    """Write the papers of the site at `path` into `folder`, if there is one, and print the list.
    The zones are signed as it is `wanted`, and what comes next with them is printed too. `overlays`
    has the exit notice. Papers of one of two boxes are of both; `twin` is the other one's site.

    Raises Refusal, after its findings, for a site with errors, and after their names, for a site
    without keys that papers need.
    """
    site, details, other = known(path, twin)
    now = int(time.time())
    told: list[str] = []
    keys: Ring | None = None
    if wanted is None:
        _ensure_unsigned(folder)
        files = papers(site, details, site.zones.serial or now, twin=other)
    else:
        if folder is None:
            problem = "signed zones are written, and there is no folder for them"
            raise Refusal("--sign", problem, "Name it with -o")
        apart(wanted.keys, folder)
        files, told, keys = signed_papers(site, details, wanted, now, other)
    files = {**files, **letters(site, details, overlays, other)}
    if folder is not None:
        write(
            (Rendered(name, text, 0o644, "root", "wheel") for name, text in files.items()), folder
        )
    if wanted is not None and keys is not None:
        taken(wanted, keys)
    say("\n".join(str(folder / name) if folder else name for name in files))
    if told:
        say("\n".join(told))


def _ensure_unsigned(folder: Path | None) -> None:
    """Raise Refusal if the zones in `folder` are signed: others without signatures in their place
    would be bogus, for the zones above vouch for their keys."""
    if folder is not None and (folder / DS).exists():
        raise Refusal(
            folder / DS,
            "the zones in this folder are signed, and would not resolve without signatures",
            "Name the folder of their keys with --sign, or another folder with -o",
        )


def known(path: Path, twin: Path | None) -> tuple[Site, Details, Site | None]:
    """The site at `path`, what papers need of it, and the site of the other box of two at `twin`.
    Raises Refusal as `write_papers` does."""
    other: Site | None = None
    if twin is None:
        site = sound(path)
        if site.twin is not None:
            raise Refusal(
                path,
                f"{quote(site.twin.name)} is the other box of two, and papers are of both: an ASPA "
                "without its transits would make its routes invalid",
                "Name the site of the other box with --twin",
            )
    else:
        site, other = sound_pair((path, twin))
    lacking = missing(site)
    if lacking:
        say("\n".join(f"{path}: {one}" for one in lacking))
        many = "a key is" if len(lacking) == 1 else f"{len(lacking)} keys are"
        problem = f"{many} missing that papers need (see above)"
        raise Refusal(path, problem, "Add what is missing, and type the same command again")
    return site, details(site), other


def papers(
    site: Site,
    known: Details,
    serial: int,
    texts: Mapping[str, str] = NONE,
    vouched: Vouched = UNSIGNED,
    twin: Site | None = None,
) -> dict[str, str]:
    """The papers of `site`, of which nothing is missing: texts by their paths in the folder. Zones
    get `serial`, and `texts` by their names in place of those without signatures. `twin` is the
    site of the other box of two."""
    made = zones.all_zones(site, known, serial, twin)
    listed = catalog(made, known.domain)
    asked = zones.of_others(site, known, vouched.ds, twin)
    files = {
        **{f"zones/{zone.file}": texts.get(zone.name, zone.text) for zone in made},
        f"zones/{listed.file}": listed.text,
        **({"zones/of-others.txt": asked} if asked else {}),
        **({DS: delegations.table(made, vouched)} if vouched.ds else {}),
    }
    if site.provided:
        return files
    if twin is not None:
        site = as_one(site, twin)
    requests = rpki.requests(site, known.rir)
    backward = [zone for zone in made if zone.prefix is not None and known.rir is Rir.ARIN]
    return {
        "registry/objects.txt": rpsl.text(routing.objects(site, known, vouched.ds)),
        "registry/remarks.txt": "".join(f"{line}\n" for line in routing.remarks(site)),
        **{f"registry/{one.name}.xml": delegations.for_arin(one, vouched) for one in backward},
        **{f"rpki/{name}": text for name, text in requests.items()},
        "peeringdb/network.json": peeringdb.text(site, known),
        **files,
    }


def signed_papers(
    site: Site, known: Details, wanted: Wanted, now: int, twin: Site | None = None
) -> tuple[dict[str, str], list[str], Ring]:
    """The same with signed zones, what to say of them, and the keys, for `taken` once the papers
    are written. `now` is in seconds since 1970. Raises Refusal."""
    names = [zone.name for zone in zones.all_zones(site, known, 0)]
    keys = prepare(wanted, names, site.zones.serial, now)
    signed = sign(zones.all_zones(site, known, keys.serial, twin), keys, wanted, now)
    vouched = Vouched({name: str(ds) for name, ds in signed.ds.items()}, signed.keys)
    files = papers(site, known, keys.serial, signed.texts, vouched, twin)
    ends = f"Signatures end on {_day(signed.end)}. Sign again before {_day(signed.again)}."
    return files, [*signed.told, ends], keys


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
