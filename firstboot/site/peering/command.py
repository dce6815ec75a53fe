"""What `./exitisp exchanges` and `./exitisp peers` print and write."""

import difflib
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from firstboot.core import document, durable
from firstboot.core.characters import decode
from firstboot.core.fault import quote
from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.core.values import Asn
from firstboot.site.commands import sound, write
from firstboot.site.model import PeerRole, Site
from firstboot.site.peering import known
from firstboot.site.peering.edit import edited
from firstboot.site.peering.exchanges import rank
from firstboot.site.peering.networks import NAMED
from firstboot.site.peering.sources import read_sources
from firstboot.site.peering.suggest import exchanges_of, suggest
from firstboot.site.peering.table import Table, lines, of_candidates, of_exchanges, page
from firstboot.site.peering.update import Update, updated, updates
from firstboot.site.published import asked as asking
from firstboot.site.published import bgpq4, peeringdb
from firstboot.site.published.bgpq4 import RESOLVED, Resolved
from firstboot.site.published.files import read_file
from firstboot.site.published.peeringdb import PeeringDb
from firstboot.site.redact import masked
from firstboot.site.render import Rendered

SECONDS = 120


def show_exchanges(
    sources: Sequence[Path],
    facts: Path | None,
    networks: Sequence[str],
    countries: Sequence[str],
    output: Path | None,
) -> None:
    """Print the exchanges of `sources`, ranked; `output` gets them as a page. Raises Refusal."""
    found = read_sources(sources)
    if not found.exchanges:
        raise Refusal(
            "--from",
            "no exchange is in the files",
            "Add PeeringDB's answer for ix, or a dump of all",
        )
    chosen = {country.upper() for country in countries}
    ranked = rank(found, known.load(facts) if facts else {}, named_networks(networks), chosen)
    if not ranked:
        raise Refusal(
            "--country",
            f"no exchange in the files is in {' or '.join(sorted(chosen))}",
            "Write countries in two letters, as in --country NL",
        )
    _show(of_exchanges(ranked), output)


def suggest_peers(
    path: Path, sources: Sequence[Path], networks: Sequence[str], output: Path | None
) -> None:
    """Print whom the site at `path` could peer with; `output` gets it as a page. Raises Refusal."""
    site = sound(path)
    found = read_sources(sources)
    if not exchanges_of(site, found):
        raise Refusal(
            "--from",
            f"nobody in the files is at an exchange of {path}",
            "Add PeeringDB's answer for netixlan, or the exchange's member list; or correct the "
            "addresses of the exchange port",
        )
    _show(of_candidates(suggest(site, found, named_networks(networks))), output)


def named_networks(more: Sequence[str]) -> Mapping[int, str]:
    """The named networks, with those AS numbers that a person added. Raises Refusal."""
    named = dict(NAMED)
    for one in more:
        try:
            asn = Asn.parse(one)
        except ValueError as error:
            problem = f"{quote(one)} is not {error}"
            raise Refusal("--network", problem, "Write it as in --network 64496") from error
        named.setdefault(int(asn), f"AS{asn}")
    return named


def _show(table: Table, output: Path | None) -> None:
    say(lines(table))
    if output is not None:
        try:
            write([Rendered(output.name, page(table), 0o644, "root", "wheel")], output.parent)
        except Refusal as refusal:
            raise Refusal(output, refusal.problem, "Name another file with -o") from refusal
        say(f"{output}: a page with the table and a picture")


def update_peers(
    path: Path,
    sources: Sequence[Path],
    irr: Sequence[Path],
    *,
    ask_irr: bool,
    irr_host: str,
    writes: bool,
    ask_peeringdb: bool = False,
) -> None:
    """Print what PeeringDB and the registries change of the peers in the site at `path`, as a
    difference of the file; if it `writes`, the file is replaced.

    `irr` are outputs of bgpq4; with `ask_irr` it is run, and asks `irr_host`. With `ask_peeringdb`
    its API is asked about the peers. Raises Refusal, and then the file is what it was.
    """
    site = sound(path)
    found = of_api(site) if ask_peeringdb else PeeringDb()
    if sources or not ask_peeringdb:
        found += read_sources(sources)
    resolved = [
        one for file in irr for one in bgpq4.parse(read_file(file, RESOLVED.size), str(file))
    ]
    if ask_irr:
        wanted = updated(site, updates(site, found, ()))
        resolved += resolve(wanted, irr_host)
    made = updates(site, found, resolved)
    for one in made:
        for note in one.notes:
            say(f"{one.peer.name}: {note}")
    before = document.read(path)
    after = rewritten(before, str(path), site, made)
    if after == before:
        say(f"{path}: nothing to change")
        return
    old, new = before.decode().splitlines(), after.decode().splitlines()
    changed = difflib.unified_diff(old, new, str(path), str(path), lineterm="", n=2)
    say(masked("\n".join(changed), site))
    if not writes:
        say("Nothing was written. Add --write to change the file")
        return
    target = path.resolve()
    try:
        durable.keep(target, after, stat.S_IMODE(target.stat().st_mode))
    except OSError as error:
        problem = f"the file cannot be written ({error.strerror or error}); it is what it was"
        raise Refusal(path, problem, "Check the permissions, and the room on the disk") from error
    say(f"{path}: written")


def rewritten(data: bytes, name: str, site: Site, made: Sequence[Update]) -> bytes:
    """The file `data` with what `made` changes. It is read again, and is that and nothing else.
    Raises Refusal."""
    edits = {one.number: one.changes for one in made if one.changes}
    if not edits:
        return data
    decode(data)
    after = edited(data.decode(), edits, name).encode()
    if document.parse(after, name, Site).value != updated(site, made):
        raise Refusal(
            name,
            "the change would change something else too, because of how the file is written",
            "Write the keys by hand, as the notes above and ./exitisp check say",
        )
    return after


def of_api(site: Site) -> PeeringDb:
    """What PeeringDB's API says of the peers, asked by curl. Raises Refusal."""
    _ensure("--ask-peeringdb", "curl")
    asns = sorted({int(peer.asn) for peer in site.peers if peer.role is PeerRole.PEER})
    if not asns:
        return PeeringDb()
    url = f"https://www.peeringdb.com/api/net?asn__in={','.join(map(str, asns))}"
    said, _ = _output(["curl", "--silent", "--show-error", "--fail", "--location", url])
    return peeringdb.parse(said, url)


def _ensure(option: str, program: str) -> None:
    if shutil.which(program) is None:
        raise Refusal(
            option,
            f"this machine has no {program}",
            f"Install it, on Debian and Ubuntu with: sudo apt-get install {program}",
        )


def resolve(site: Site, host: str) -> list[Resolved]:
    """What bgpq4 resolves the as-set of each peer to, asking `host` (a name or address, perhaps
    with a port) or the server that it asks by itself. What it cannot resolve is told and left out.
    Raises Refusal where it gets no answer."""
    _ensure("--ask-irr", "bgpq4")
    # AS numbers for documentation are none of the Internet's, and bgpq4 refuses them.
    reserved = ["-p"] if "documentation" in site.waivers else []
    found: list[Resolved] = []
    for peer in site.peers:
        if peer.role is PeerRole.PEER:
            name = peer.irr or f"AS{peer.asn}"
            for family in ("-4", "-6"):
                where = ["-h", host] if host else []
                command = ["bgpq4", *where, *reserved, family, "-j", "-l", name, name]
                said, error = _output(command)
                if error:
                    say(f"{peer.name}: not resolved: {error}")
                else:
                    found += bgpq4.parse(said, f"bgpq4 {family} {name}")
    return found


def _output(command: Sequence[str]) -> tuple[bytes, str]:
    """What `command` prints, and its error: bgpq4 tells what it did not take, prints a set without
    it, and ends with exit status 0."""
    try:
        asked = asking.ask(command, SECONDS)
    except OSError as error:
        raise Refusal(" ".join(command), str(error), "Install it again") from error
    problem = ""
    if asked.late:
        problem = f"no answer within {SECONDS} seconds"
    elif asked.large:
        problem = f"the answer has more than {asking.LARGEST} bytes"
    elif asked.status or not asked.said.strip():
        problem = asked.error or f"it ended with exit status {asked.status}"
    if problem:
        raise Refusal(" ".join(command), problem, "Try it again, or name a file")
    return asked.said, asked.error
