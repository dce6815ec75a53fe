"""How what is published is asked for: one command a file, to be typed or to be run.

Everything is public, and nothing but public names and numbers of the site is sent. ROAs are not
asked for: a validator of your own says what others believe.
"""

import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site
from firstboot.site.paper import reverse
from firstboot.site.paper.details import Details
from firstboot.site.paper.drift.zones import addresses
from firstboot.site.published import asked as asking

SECONDS = 60

PACKAGES = {"curl": "curl", "whois": "whois", "dig": "bind9-dnsutils"}
"""Debian's packages of the programs."""

IRR = "whois.radb.net"
"""A mirror of all large routing registries."""


@dataclass(frozen=True)
class Question:
    """A `command` whose output is the file `name`."""

    name: str
    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"{shlex.join(self.command)} > {shlex.quote(self.name)}"


def questions(site: Site, details: Details) -> Iterator[Question]:
    curl = ("curl", "--silent", "--show-error", "--location")
    # RDAP says with status 404 that there is no such object, in a body that is read.
    yield Question(
        "peeringdb.json",
        (*curl, "--fail", f"https://www.peeringdb.com/api/net?asn={site.asn}&depth=2"),
    )
    yield Question("rdap-autnum.json", (*curl, f"https://rdap.org/autnum/{site.asn}"))
    yield Question("irr-autnum.txt", ("whois", "-h", IRR, "--", f"-T aut-num AS{site.asn}"))
    yield Question("irr-as-set.txt", ("whois", "-h", IRR, "--", f"-T as-set {details.as_set}"))
    for number, scope in enumerate(site.scopes, 1):
        yield Question(f"rdap-ip-{number}.json", (*curl, f"https://rdap.org/ip/{scope}"))
        kind = "route" if scope.version == 4 else "route6"
        yield Question(f"irr-{kind}-{number}.txt", ("whois", "-h", IRR, "--", f"-T {kind} {scope}"))
    # Checking disabled: what is bogus has to be seen to be judged.
    dig = ("dig", "+dnssec", "+cdflag")
    for zone in reverse.zones(site.scopes):
        name = reverse.zone_name(zone)
        for kind in ("DS", "DNSKEY", "NS", "SOA"):
            yield Question(f"dns-{name}-{kind}.txt", (*dig, name, kind))
    for address in addresses(site):
        yield Question(f"dns-{address}.txt", (*dig, "-x", str(address)))


def lines(sites: Iterable[Site], details: Details) -> str:
    """The commands as they are typed in the folder that the files are for. Two boxes that share
    the scopes have a site each."""
    told = "# ROAs: copy what rpki-client -j writes (the file json) to rpki.json"
    return "\n".join([told, *map(str, _each_once(sites, details))])


def ask(sites: Iterable[Site], details: Details, folder: Path) -> None:
    """Run the commands, and write their output into `folder`. An answer that does not come is told
    and leaves no file. Raises Refusal if a program is missing or the folder cannot be written."""
    asked = _each_once(sites, details)
    lacking = sorted({one.command[0] for one in asked if shutil.which(one.command[0]) is None})
    if lacking:
        packages = shlex.join(PACKAGES[name] for name in lacking)
        raise Refusal(
            "--live",
            f"this machine has no {' and no '.join(lacking)}",
            f"Install what is missing, on Debian and Ubuntu with: sudo apt-get install {packages}",
        )
    for one in asked:
        _ask(one, folder)


def _each_once(sites: Iterable[Site], details: Details) -> list[Question]:
    return [*dict.fromkeys(one for site in sites for one in questions(site, details))]


def _ask(question: Question, folder: Path) -> None:
    path = folder / question.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        asked = asking.ask(question.command, SECONDS)
        if asked.late:
            say(f"no answer: {question}: nothing within {SECONDS} seconds")
        elif asked.status or asked.large or not asked.said.strip():
            say(f"no answer: {question}: {asked.error or 'an answer that is empty or too large'}")
        else:
            path.write_bytes(asked.said)
    except OSError as error:
        raise Refusal(
            path,
            f"the file cannot be written ({error.strerror or error})",
            "Name another folder with --from",
        ) from error
