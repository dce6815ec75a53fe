"""What `./exitisp paper --check` prints."""

import time
from pathlib import Path

from firstboot.core.fault import listed
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.paper.command import known
from firstboot.site.paper.drift.asking import ask, lines
from firstboot.site.paper.drift.compare import compare
from firstboot.site.paper.drift.sources import SOURCES, read_folder
from firstboot.site.paper.pair import as_one


def check_papers(
    path: Path, folder: Path | None, *, live: bool = False, twin: Path | None = None
) -> bool:
    """Compare what the files of `folder` say is published with the site at `path`, and print each
    difference; no if one of them makes routes invalid or names bogus. `twin` is the site of the
    other box of two.

    Without `folder`, print how to get the files. If `live`, they are asked for first. Raises
    Refusal for a site without what papers need, and, after everything else, for files that cannot
    be read.
    """
    site, details, other = known(path, twin)
    sites = [site] if other is None else [as_one(site, other), as_one(other, site)]
    if site.provided:
        raise Refusal(
            path,
            "the addresses are a provider's, and what is published about them is too",
            "Ask the provider for reverse names, and for a contact for abuse that is yours",
        )
    if folder is None:
        say(lines(sites, details))
        return True
    if live:
        ask(sites, details, folder)
    found = read_folder(folder, site, details)
    now = time.time()
    drifts = [*dict.fromkeys(one for each in sites for one in compare(each, details, found, now))]
    if drifts:
        say("\n".join(map(str, drifts)))
    for word in found.absent:
        say(f"not compared: {SOURCES[word]}, for there is no file {word}* in {folder}")
    if found.damaged:
        say("\n".join(f"not compared: {one}" for one in found.damaged))
        many = len(found.damaged)
        raise Refusal(
            folder,
            f"{many} of its files cannot be read (see above), so not all is known",
            "Fetch them again",
        )
    breaking = sum(one.breaks for one in drifts)
    compared = listed([SOURCES[word] for word in SOURCES if word in found.words])
    say(
        f"{path}: {_counted(len(drifts))} in {compared}"
        + (f", {breaking} of which break something" if breaking else "")
    )
    return not breaking


def _counted(count: int) -> str:
    if not count:
        return "no difference"
    return "one difference" if count == 1 else f"{count} differences"
