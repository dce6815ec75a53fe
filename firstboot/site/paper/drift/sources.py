"""What is published, in a folder: each file by the word that its name begins with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firstboot.core.fault import listed
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift import objects
from firstboot.site.published import dns, peeringdb, rdap, rpki, rpsl
from firstboot.site.published.dns import Records
from firstboot.site.published.peeringdb import PeeringDb
from firstboot.site.published.rdap import Answer
from firstboot.site.published.rpki import Validated
from firstboot.site.published.rpsl import Registry

SOURCES: Mapping[str, str] = {
    "rpki": "ROAs and ASPAs",
    "irr": "routing registries",
    "whois": "WHOIS",
    "rdap": "RDAP",
    "peeringdb": "PeeringDB",
    "dns": "reverse zones",
}
"""What a file has whose name begins with the word."""

MOST_FILES = 2000


@dataclass
class Published:
    """What the files of a folder say, by kind; None and empty where there is no such file.
    `damaged` are the refusals of files that cannot be read."""

    rpki: dict[str, Validated] = field(default_factory=dict)
    registry: dict[str, Registry] = field(default_factory=dict)
    rdap: dict[str, Answer] = field(default_factory=dict)
    peeringdb: dict[str, PeeringDb] = field(default_factory=dict)
    dns: dict[str, Records] = field(default_factory=dict)
    damaged: list[Refusal] = field(default_factory=list)
    words: set[str] = field(default_factory=set)

    @property
    def absent(self) -> list[str]:
        """The kinds of which there is no file."""
        return [word for word in SOURCES if word not in self.words]


def read_folder(folder: Path, site: Site, details: Details) -> Published:
    """Read the files of `folder` that are about `site`. Raises Refusal for a folder without any,
    and for a file whose name says nothing."""
    found = Published()
    for path in _files(folder):
        word = _word(path)
        found.words.add(word)
        try:
            _read(found, word, path, site, details)
        except Refusal as refusal:
            found.damaged.append(refusal)
    return found


def _files(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise Refusal(
            folder,
            f"the folder cannot be read ({error.strerror or error})",
            "Name a folder with what is published: docs/papers.md says what goes into it",
        ) from error
    if not paths:
        raise Refusal(
            folder,
            "the folder is empty, so nothing can be compared",
            "Put into it what is published: docs/papers.md says how to get it",
        )
    if len(paths) > MOST_FILES:
        raise Refusal(folder, f"it has more than {MOST_FILES} files", "Name another folder")
    return paths


def _word(path: Path) -> str:
    word = next((word for word in SOURCES if path.name.lower().startswith(word)), None)
    if word is None or not path.is_file():
        raise Refusal(
            path,
            "it is not known what this is",
            f"Begin the name of a file with {listed(list(SOURCES), 'or')}, or remove it",
        )
    return word


def _read(found: Published, word: str, path: Path, site: Site, details: Details) -> None:
    if word == "rpki":
        found.rpki[path.name] = rpki.load(path, site.as_number, site.scopes)
    elif word in ("irr", "whois"):
        found.registry[path.name] = rpsl.load(path, objects.keep(site, details))
    elif word == "rdap":
        found.rdap[path.name] = rdap.load(path)
    elif word == "peeringdb":
        found.peeringdb[path.name] = peeringdb.load(path)
    else:
        found.dns[path.name] = dns.load(path)
