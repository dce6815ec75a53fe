"""The commands of `./exitisp`. Each reads its arguments and calls one function.

Functions are imported where they are called: each command starts without the modules of the others.
"""

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit

from firstboot.core.refusal import Refusal
from firstboot.site.paper.signing.roll import Roll
from image.artifacts import IMAGE, REHEARSAL, SBOM, Base, last_built, last_for_the_internet
from image.commandline import command as declaring
from image.commandline.applicable import refuse
from image.commandline.command import Group, Option, day, number
from image.commandline.completion import Shell
from image.commandline.program import Program
from image.freeze.target import Target
from image.seen import Reason
from qemu.failure import Failure
from qemu.firmware import Firmware

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "image" / "hardenedbsd.lock.yaml"
OVERLAYS = ROOT / "overlays"

LONGEST_TEST, LONGEST_FULL_TEST = 2 * 3600, 24 * 3600
"""Seconds after which a test is ended as one that hangs."""

MAKE = Group("Make an image")
TRY = Group("Try an image on this machine")
USE = Group("Put an image on a disk")
SITE = Group("Work on a site file")
PUBLISH = Group("Judge and publish images")
DEVELOP = Group("Work on this project")

command = partial(declaring.command, told=[Failure])

INSTALL = Option("install missing programs of this machine with apt-get, without asking")
IMAGE_BUILT_LAST = Option("the image; default: the one built last", "IMAGE", Path, operand=True)
SETS = Option(
    "folder with MANIFEST, base.txz and kernel.txz, or with a repository of the base's packages; "
    "default: the lock's",
    "FOLDER",
    Path,
)
PACKAGES = Option("folder or address of a package repository; default: the lock's", "REPOSITORY")
PACKAGE_KEYS = Option(
    "folder of the fingerprints to trust for --packages, like usr/share/keys/pkg; default: those "
    "of the base system",
    "FOLDER",
)
SITE_FILE = Option("the site file", "SITE", Path, operand=True)


@command(
    MAKE,
    base=Option(
        "the base system. The rehearsal is a Linux with Debian's packages. Default: hardenedbsd, "
        "or the rehearsal where no sets are given, cached or reachable",
        "BASE",
        Base,
    ),
    sets=SETS,
    packages=Option(f"{PACKAGES.help}. none makes an image without packages", "REPOSITORY"),
    package_keys=PACKAGE_KEYS,
    no_wizard=Option("leave the wizard out of the image"),
    output=Option(
        "where to write the image; its manifest (.json) and its bill of materials (.cdx.json) lie "
        f"beside it; default: {IMAGE} or {REHEARSAL}",
        "FILE",
        Path,
        "o",
    ),
    overlay=Option("lay this overlay over the others", "FOLDER", Path, repeated=True),
    disk=Option("size of the image in MiB; default: the smallest that fits", "MIB", number),
    version=Option("the version of the release, such as 2026.11", "VERSION"),
    commit=Option("the commit that the image is made of, which the box tells", "HASH"),
    accept_version=Option(
        "build although this version has known holes, such as tor=0.4.9.11",
        "NAME=VERSION",
        repeated=True,
    ),
    release_key=Option(
        "file with the public keys that may sign upgrades of this image; without it, the image "
        "takes no upgrades",
        "FILE",
        Path,
    ),
)
def build(
    _: Context,
    base: Base | None = None,
    sets: Path | None = None,
    packages: str = "",
    package_keys: str = "",
    no_wizard: bool = False,
    output: Path | None = None,
    overlay: Sequence[Path] = (),
    disk: int = 0,
    version: str = "",
    commit: str = "",
    accept_version: Sequence[str] = (),
    release_key: Path | None = None,
) -> None:
    """Build an image from a verified base system and packages.

    Where HardenedBSD's mirror cannot be reached, it builds a rehearsal: the same wizard and daemons
    on Linux. A rehearsal takes none of the options that are about HardenedBSD's sets and packages.

    Example: ./exitisp build
    Example: ./exitisp build --sets ~/sets --packages ~/packages
    Example: ./exitisp build --base rehearsal
    """
    from image.request import Request, build_requested

    for_hardenedbsd = {
        "--sets": sets,
        "--packages": packages,
        "--package-keys": package_keys,
        "--no-wizard": no_wizard,
        "--version": version,
        "--commit": commit,
        "--accept-version": accept_version,
        "--release-key": release_key,
    }
    if base is Base.REHEARSAL:
        refuse("with --base rehearsal", for_hardenedbsd)
    elif any(for_hardenedbsd.values()):
        base = Base.HARDENEDBSD
    build_requested(
        Request(
            LOCK,
            OVERLAYS,
            base,
            sets,
            packages,
            package_keys,
            not no_wizard,
            output,
            overlay,
            disk,
            version,
            commit,
            release_key,
            accept_version,
        )
    )


@command(
    MAKE,
    update=Option("pin the newest build of the base system, and the newest packages"),
    accept_key=Option(
        "with --update: fingerprint of the key that may replace the pinned signer's",
        "SHA256:...",
    ),
    allow_older=Option(
        "with --update: why base, kernel or packages may be older than what was seen before; the "
        "lock file keeps it",
        "REASON",
        Reason.parse,
    ),
)
def lock(
    _: Context, update: bool = False, accept_key: str = "", allow_older: Reason | None = None
) -> None:
    """Show what the lock file pins, or pin what is newest.

    Nothing is pinned that is older than what was seen before, whatever number a mirror gives it.

    Example: ./exitisp lock
    Example: ./exitisp lock --update
    """
    from image.download.cache import cache_folder
    from image.freeze.packaged import MINORS, python_overlay
    from image.inputs.pin_base import update as pin_sets
    from image.inputs.pin_packages import update as pin_packages
    from image.lock import load, render
    from image.overlay import load_all

    if not update:
        refuse("without --update", {"--accept-key": accept_key, "--allow-older": allow_older})
        print(render(load(LOCK)), end="")
        return
    cache = cache_folder()
    print(pin_sets(LOCK, cache, accept_key=accept_key or None, allow_older=allow_older))
    overlays = [*load_all(OVERLAYS), python_overlay(MINORS)]
    print(pin_packages(LOCK, overlays, cache.parent, allow_older=allow_older))


@command(
    MAKE,
    target=Option("the system that the program is for; default: freebsd", "SYSTEM", Target),
    python_prefix=Option("folder with FreeBSD's Python: /usr/local there", "FOLDER", Path),
    packages=Option(
        "folder or address of a package repository with FreeBSD's Python; default: the lock's",
        "REPOSITORY",
    ),
    package_keys=PACKAGE_KEYS,
    sets=SETS,
    output=Option("folder for the program; default: dist/exitisp-SYSTEM", "FOLDER", Path, "o"),
)
def freeze(
    _: Context,
    target: Target = Target.FREEBSD,
    python_prefix: Path | None = None,
    packages: str = "",
    package_keys: str = "",
    sets: Path | None = None,
    output: Path | None = None,
) -> None:
    """Make the box's program, one folder that needs no Python.

    Every build does this for its image; alone it serves to look at the program.

    Example: ./exitisp freeze --target linux
    Example: ./exitisp freeze --packages ~/packages --sets ~/sets
    """
    from image.download.cache import cache_folder
    from image.freeze.frozen import save
    from image.freeze.request import Request, freeze_requested
    from image.inputs.packages import source
    from image.overlay import load_all

    repository = None
    if target is Target.LINUX:
        for_freebsd = {
            "--python-prefix": python_prefix,
            "--packages": packages,
            "--package-keys": package_keys,
            "--sets": sets,
        }
        refuse("with --target linux", for_freebsd)
    elif python_prefix:
        refuse("with --python-prefix", {"--packages": packages, "--package-keys": package_keys})
    else:
        repository = source(packages, package_keys, LOCK, first=False)
    request = Request(LOCK, sets, python_prefix, repository)
    frozen = freeze_requested(target, request, load_all(OVERLAYS), cache_folder().parent)
    folder = output or Path(f"dist/exitisp-{target.value}")
    save(frozen, folder)
    print(f"{folder / 'exitisp'}: sha256 {frozen.sha256} of the whole folder")


@command(
    TRY,
    image=IMAGE_BUILT_LAST,
    firmware=Option("the machine's firmware; default: uefi", "FIRMWARE", Firmware),
    memory=Option("the machine's memory in MiB; default: 1024", "MIB", number),
    persistent=Option("keep what the machine writes in the image; otherwise it is thrown away"),
    internet=Option("connect the cards to the simulated Internet; otherwise to nothing"),
    install=INSTALL,
)
def boot(
    _: Context,
    image: Path | None = None,
    firmware: Firmware = Firmware.UEFI,
    memory: int = 1024,
    persistent: bool = False,
    internet: bool = False,
    install: bool = False,
) -> None:
    """Boot an image in QEMU, with its console in this terminal.

    The machine has a network card for each port of examples/one-port-of-each.yaml. The management
    card leads to this host, over SSH. Ctrl-] ends the machine.

    Example: ./exitisp boot
    Example: ./exitisp boot dist/exitisp.img --firmware bios
    """
    from image.host import ensure
    from qemu.interactive import boot_interactively
    from qemu.needs import MACHINE, WORLD

    ensure([*MACHINE, *(WORLD if internet else ())], install=install)
    boot_interactively(
        image or last_built(),
        firmware=firmware,
        memory=memory,
        persistent=persistent,
        internet=internet,
    )


@command(
    TRY,
    image=IMAGE_BUILT_LAST,
    base=Option("take the image of this base that was built last", "BASE", Base),
    site=Option(
        "the site file to build the Internet around and to answer the wizard with; default: "
        "examples/two-transits-and-an-exchange.yaml; twice for two boxes",
        "SITE",
        Path,
        repeated=True,
    ),
    fault=Option(
        "try this fault too, or all of them; a name that is none lists those that there are",
        "FAULT",
    ),
    keep=Option("keep everything running at the end, with the console in this terminal"),
    output=Option("folder for the report; default: dist", "FOLDER", Path, "o"),
    install=INSTALL,
)
def lab(
    _: Context,
    image: Path | None = None,
    base: Base | None = None,
    site: Sequence[Path] = (),
    fault: str = "",
    keep: bool = False,
    output: Path = Path("dist"),
    install: bool = False,
) -> None:
    """Run an image in a simulated Internet, and check it from outside.

    With two sites of a pair, two boxes run in one simulated Internet, with a wire between them.

    The exit status is 1 if something does not hold.

    Example: ./exitisp lab
    Example: ./exitisp lab --site examples/relays-only.yaml
    Example: ./exitisp lab --site examples/two-edges-a.yaml --site examples/two-edges-b.yaml
    Example: ./exitisp lab --base rehearsal --fault bgpd-killed
    """
    from image.host import ensure
    from qemu.lab.lab_site import EXAMPLE
    from qemu.lab.run import run_lab
    from qemu.lab.run_pair import run_pair
    from qemu.lab.systems import system_of
    from qemu.needs import MACHINE, WORLD

    if image:
        refuse("with an IMAGE", {"--base": base})
    image = image or last_built(base)
    ensure([*MACHINE, *WORLD], install=install)
    folder = ROOT / "build/lab"
    system = system_of(image)
    match list(site):
        case []:
            holds = run_lab(image, system, EXAMPLE, fault, keep, folder, output)
        case [only]:
            holds = run_lab(image, system, only, fault, keep, folder, output)
        case [one, other]:
            holds = run_pair(image, system, (one, other), fault, keep, folder, output)
        case _:
            raise Refusal("--site", f"{len(site)} sites are given", "Give one, or two of a pair")
    if not holds:
        raise Exit(code=1)


@command(
    USE,
    image=Option(
        "the image, plain or compressed with xz or zstd; default: the one built last",
        "IMAGE",
        Path,
        operand=True,
    ),
    device=Option(
        "the disk to write to, such as /dev/sdb; without it, the disks are listed",
        "DEVICE",
        Path,
        operand=True,
    ),
    site=Option("a site file for the box to take on its first boot", "FILE", Path),
)
def flash(
    _: Context, image: Path | None = None, device: Path | None = None, site: Path | None = None
) -> None:
    """Write an image to a stick or a disk, or list the disks.

    A disk that is in use is refused. You type the name of the disk before anything is written, and
    what was written is read back.

    Example: ./exitisp flash
    Example: ./exitisp flash /dev/sdb
    Example: ./exitisp flash dist/exitisp.img /dev/sdb --site examples/one-port-of-each.yaml
    """
    from image.flash.command import flash as write
    from image.flash.command import list_disks
    from image.flash.devices import Host

    if device is None and image is not None and image.is_relative_to("/dev"):
        image, device = None, image
    if device is None:
        refuse("without a DEVICE", {"--site": site})
        list_disks(image or Path(IMAGE), Host())
        return
    by_name = f"To write it all the same, name it: ./exitisp flash {REHEARSAL} {device}"
    write(image or last_for_the_internet(by_name), device, site, Host())


@command(
    SITE,
    sites=Option("a site file", "SITE", Path, operand=True, repeated=True),
    pair=Option("the two sites are of two boxes of one operator: prove that they fit"),
)
def check(_: Context, sites: Sequence[Path], pair: bool = False) -> None:
    """Say what is wrong with site files, what could be better, and what they ask of the machine.

    Example: ./exitisp check examples/*.yaml
    Example: ./exitisp check --pair examples/two-edges-a.yaml examples/two-edges-b.yaml
    """
    from firstboot.site.check_pair import check_two
    from firstboot.site.check_sites import check_sites

    if pair:
        check_two(sites)
    else:
        check_sites(sites)


@command(
    SITE,
    site=SITE_FILE,
    output=Option("folder to write the files to; without it, they are listed", "FOLDER", Path, "o"),
    diff=Option("an older site file: show what SITE changes in the files", "OLD", Path),
    box=Option(
        "the box to render for, such as cores=8,memory=32768,unbound=1.24,openbgpd=8.9,tor=0.4.9,"
        "resolver=package",
        "FACTS",
    ),
)
def render(
    _: Context, site: Path, output: Path | None = None, diff: Path | None = None, box: str = ""
) -> None:
    """Write every configuration file that follows from a site file.

    Example: ./exitisp render examples/one-port-of-each.yaml -o dist/site
    Example: ./exitisp render --diff old.yaml new.yaml
    """
    from firstboot.site.commands import parse_box, render_site, show_difference

    if diff:
        refuse("with --diff", {"--output": output})
        show_difference(diff, site, parse_box(box), OVERLAYS)
    else:
        render_site(site, output, parse_box(box), OVERLAYS)


@command(
    SITE,
    site=SITE_FILE,
    folder=Option("the folder with the rendered files", "FOLDER", Path, operand=True),
    box=Option("the box that they were rendered for, as for render", "FACTS"),
    explain=Option("print what passes each port and each BGP session, and by which line"),
    picture=Option("write what passes the ports as a drawing (SVG)", "FILE", Path),
)
def verify(
    _: Context,
    site: Path,
    folder: Path,
    box: str = "",
    explain: bool = False,
    picture: Path | None = None,
) -> None:
    """Prove that rendered files do what a site file says, and nothing else.

    Tor, unbound-checkconf and sshd are asked what they understand, where this machine has them.

    Example: ./exitisp verify examples/one-port-of-each.yaml dist/site
    """
    from firstboot.site.commands import parse_box, verify_folder

    verify_folder(site, folder, parse_box(box), explained=explain, picture=picture)


@command(
    SITE,
    site=SITE_FILE,
    output=Option("folder to write them to; without it, they are listed", "FOLDER", Path, "o"),
    sign=Option("sign the zones with the keys in this folder, which are made once", "KEYS", Path),
    days=Option("with --sign: for how long signatures hold; default: 60", "DAYS", number),
    roll=Option("with --sign: the next step of replacing the keys", kind=Roll),
    check=Option("write nothing: compare what is published with the site"),
    from_=Option(
        "with --check: folder with what is published; without it, the commands that get it are "
        "printed",
        "FOLDER",
        Path,
    ),
    live=Option("with --from: ask registries and name servers first, and fill the folder"),
    twin=Option("the site of the other box, if there are two: papers are of both", "SITE", Path),
)
def paper(
    _: Context,
    site: Path,
    output: Path | None = None,
    sign: Path | None = None,
    days: int | None = None,
    roll: Roll | None = None,
    check: bool = False,
    from_: Path | None = None,
    live: bool = False,
    twin: Path | None = None,
) -> None:
    """Write what registries, exchanges and other networks want to have in writing.

    Objects for the routing registry, requests for ROAs and an ASPA, the record for PeeringDB,
    forward and reverse zones, letters, a checklist.
    Keys of the site that papers need and a box does not are asked for by name.

    With --check, the exit status is 1 if something that is published makes routes invalid or names
    bogus, or if a file cannot be read.

    Example: ./exitisp paper examples/papers/member-of-ripe.yaml -o dist/papers
    With --sign, BIND's programs sign the zones, and the keys stay in KEYS, which is not below the
    folder of the papers. The same command again renews the signatures.

    Example: ./exitisp paper site.yaml -o dist/papers --sign ~/zone-keys
    Example: ./exitisp paper --check site.yaml --from published
    """
    from firstboot.site.paper.command import write_papers
    from firstboot.site.paper.drift.command import check_papers
    from firstboot.site.paper.signing.desk import Wanted

    if not check:
        refuse("without --check", {"--from": from_, "--live": live})
        if sign is None:
            refuse("without --sign", {"--days": days, "--roll": roll})
        wanted = None if sign is None else Wanted(sign, days or 60, roll)
        write_papers(site, output, OVERLAYS, wanted, twin)
        return
    refuse("with --check", {"--output": output, "--sign": sign, "--days": days, "--roll": roll})
    if from_ is None:
        refuse("without --from", {"--live": live})
    if not check_papers(site, from_, live=live, twin=twin):
        raise Exit(code=1)


@command(
    SITE,
    mail=Option("file with the mail; default: standard input", "MAIL", Path, operand=True),
    site=Option("required: the site file of the network", "SITE", Path),
    answers=Option(
        "folder with texts of your own; those that it does not have are the shipped ones",
        "FOLDER",
        Path,
    ),
    output=Option("file for the answer, a mail; without it, it is printed", "FILE", Path, "o"),
    count=Option("file in which to add one to what the complaint is about", "FILE", Path),
    since=Option(
        "the day since when the network is as SITE has it, such as 2026-11-30", "DAY", day
    ),
)
def abuse(
    _: Context,
    site: Path,
    mail: Path | None = None,
    answers: Path | None = None,
    output: Path | None = None,
    count: Path | None = None,
    since: date | None = None,
) -> None:
    """Say whether a complaint can be so, and write an answer to it.

    It reads XARF, ACNS, feedback reports and plain text. It keeps nothing of the complaint, and
    sends nothing.

    Example: ./exitisp abuse --site site.yaml complaint.eml
    Example: ./exitisp abuse --site site.yaml --answers ~/answers --count ~/complaints.json mail.eml
    """
    from firstboot.site.abuse.command import Desk, answer_complaint

    answer_complaint(mail, Desk(site, answers, output, count, since))


WHO_IS_WHERE = Option(
    "file of PeeringDB (an answer of its API, or a dump), or an exchange's member list (Euro-IX)",
    "FILE",
    Path,
    repeated=True,
)
NETWORK = Option(
    "another network that counts, beside Akamai, Cloudflare, Facebook and Google: its AS number",
    "ASN",
    repeated=True,
)
PAGE = Option("write the table with a picture as a page (HTML)", "FILE", Path, "o")


@command(
    SITE,
    from_=WHO_IS_WHERE,
    facts=Option("table (CSV) with what you found out about exchanges", "FILE", Path),
    network=NETWORK,
    country=Option("only exchanges of this country, in two letters", "COUNTRY", repeated=True),
    output=PAGE,
)
def exchanges(
    _: Context,
    from_: Sequence[Path] = (),
    facts: Path | None = None,
    network: Sequence[str] = (),
    country: Sequence[str] = (),
    output: Path | None = None,
) -> None:
    """Rank exchanges by what a Tor exit operator wants of one.

    By participants, named networks and DNS root servers there, whether it is nonprofit, what it
    costs, whether it forbids surveillance, and undersea cables nearby. Unknown is shown as unknown.

    Example: ./exitisp exchanges --from examples/peering/peeringdb.json
    """
    from firstboot.site.peering.command import show_exchanges

    show_exchanges(from_, facts, network, country, output)


@command(
    SITE,
    site=SITE_FILE,
    suggest=Option("list networks at your exchanges to peer with, root servers first"),
    update=Option("show what limits and as-sets of your peers are now"),
    from_=WHO_IS_WHERE,
    network=NETWORK,
    output=Option(f"with --suggest: {PAGE.help}", "FILE", Path, "o"),
    ask_peeringdb=Option("with --update: ask PeeringDB about your peers"),
    irr=Option("with --update: output of bgpq4 -j -l NAME AS-SET", "FILE", Path, repeated=True),
    ask_irr=Option("with --update: run bgpq4 for each peer"),
    irr_host=Option("with --ask-irr: the server that bgpq4 asks", "HOST"),
    write=Option("with --update: change the site file"),
)
def peers(
    _: Context,
    site: Path,
    suggest: bool = False,
    update: bool = False,
    from_: Sequence[Path] = (),
    network: Sequence[str] = (),
    output: Path | None = None,
    ask_peeringdb: bool = False,
    irr: Sequence[Path] = (),
    ask_irr: bool = False,
    irr_host: str = "",
    write: bool = False,
) -> None:
    """Find networks to peer with, or renew limits and as-sets of the peers in a site file.

    With --update it shows the difference; the file changes with --write alone, as a whole or not
    at all, and its comments stay.

    Example: ./exitisp peers --suggest site.yaml --from peeringdb.json
    Example: ./exitisp peers --update site.yaml --ask-peeringdb --ask-irr --write
    """
    from firstboot.site.peering.command import suggest_peers, update_peers

    for_update = {
        "--ask-peeringdb": ask_peeringdb,
        "--irr": irr,
        "--ask-irr": ask_irr,
        "--irr-host": irr_host,
        "--write": write,
    }
    if suggest:
        refuse("with --suggest", {"--update": update, **for_update})
        suggest_peers(site, from_, network, output)
        return
    refuse("without --suggest", {"--output": output, "--network": network})
    if not update:
        refuse("without --update", for_update)
        problem = "it is not said what to do with the peers"
        raise Refusal("peers", problem, "Add --suggest or --update")
    if not ask_irr:
        refuse("without --ask-irr", {"--irr-host": irr_host})
    update_peers(
        site,
        from_,
        irr,
        ask_irr=ask_irr,
        irr_host=irr_host,
        writes=write,
        ask_peeringdb=ask_peeringdb,
    )


@command(
    SITE,
    site=SITE_FILE,
    folder=Option("the folder of the master keys", "FOLDER", Path, operand=True),
    renew=Option("make new signing keys with the master keys that are there"),
    days=Option("for how long the signing keys are good; default: 180", "DAYS", number),
    passphrase=Option("ask for a passphrase, and encrypt new master keys with it"),
)
def relay_keys(
    _: Context,
    site: Path,
    folder: Path,
    renew: bool = False,
    days: int = 180,
    passphrase: bool = False,
) -> None:
    """Make the master keys of relays, and what a box needs of them.

    The master keys stay in FOLDER; box.relay-keys there goes to the box. Tor makes them.

    Example: ./exitisp relay-keys site.yaml ~/relay-keys --passphrase
    Example: ./exitisp relay-keys site.yaml ~/relay-keys --renew
    """
    from firstboot.site.master_keys import make_keys

    if renew:
        refuse("with --renew", {"--passphrase": passphrase})
    make_keys(site, folder, days, renew=renew, encrypted=passphrase)


@command(
    PUBLISH,
    old=Option("an image with its manifest beside it, or the manifest", "OLD", Path, operand=True),
    new=Option("another one; default: the image built last", "NEW", Path, operand=True),
)
def compare(_: Context, old: Path, new: Path | None = None) -> None:
    """Tell how two images differ: packages, settings, files.

    Example: ./exitisp compare last-release.json dist/exitisp.img
    """
    from image.diff import show

    show(old, new or last_built())


@command(
    PUBLISH,
    sbom=Option(
        "an image's bill of materials; default: that of the image built last",
        "SBOM",
        Path,
        operand=True,
    ),
    feed=Option("VuXML, plain, xz or bzip2; default: the one of the last time", "FILE", Path),
)
def audit(_: Context, sbom: Path | None = None, feed: Path | None = None) -> None:
    """Say which known vulnerabilities an image has.

    The exit status is 1 if there are any.

    Example: ./exitisp audit --feed vuln.xml.xz
    """
    from image.audit import audit as compare_with_feed
    from image.download.cache import cache_folder

    if sbom is None:
        last_for_the_internet("It has no bill of materials: name that of another image")
    if compare_with_feed(sbom or Path(SBOM), feed, cache_folder().parent / "feeds"):
        raise Exit(code=1)


@command(
    PUBLISH,
    version=Option("the name of the release, such as 2026.11", "VERSION", operand=True),
    key=Option(
        "required: the key that signs it, a private one, or the public one of a key in your agent; "
        "with --unsigned and --verify the public one",
        "FILE",
        Path,
    ),
    unsigned=Option("sign nothing: .ci/sign.sh does it, where nothing is installed"),
    verify=Option(
        "make no release: build the one in this folder again, and compare everything",
        "FOLDER",
        Path,
    ),
    previous=Option(
        "the release before: its manifest, or its image with the manifest beside it", "FILE", Path
    ),
    output=Option("folder to make; default: dist/exitisp-VERSION", "FOLDER", Path, "o"),
)
def release(
    _: Context,
    key: Path,
    version: str = "",
    unsigned: bool = False,
    verify: Path | None = None,
    previous: Path | None = None,
    output: Path | None = None,
) -> None:
    """Build what is committed twice, compare, and lay out a signed release.

    It takes what the lock file pins, and nothing else.

    Example: ./exitisp release 2026.11 --key ~/.ssh/exitisp-release --previous exitisp-2026.10.json
    Example: ./exitisp release --verify exitisp-2026.11 --key release.pub --previous old.json
    """
    from image.release.release import release as make
    from image.release.verify import verify as verify_release

    if verify:
        refuse("with --verify", {"VERSION": version, "--unsigned": unsigned, "--output": output})
        for name in verify_release(ROOT, verify, key, previous):
            print(f"{verify / name}: the same")
        return
    folder = output or Path(f"dist/exitisp-{version}")
    for name in make(ROOT, version, folder, key, previous, signed=not unsigned):
        print(f"{folder / name}: {(folder / name).stat().st_size} bytes")


@command(DEVELOP)
def lint(context: Context) -> None:
    """Check style and types.

    Example: ./exitisp lint
    """
    with context.cd(ROOT):
        context.run("ruff check .")
        context.run("ruff format --check .")
        context.run("mypy")


@command(
    DEVELOP,
    pre=[lint],
    only=Option("what pytest runs: tests/image, 'tests/image -k gpt'", "PYTEST"),
    no_boot=Option("do not boot real base sets, which takes hours where there is no KVM"),
    full=Option("also boot what takes hours in emulation: every bad upgrade, every fault of a lab"),
    install=INSTALL,
)
def test(
    context: Context,
    only: str = "tests",
    no_boot: bool = False,
    full: bool = False,
    install: bool = False,
) -> None:
    """Check style and types, and run the tests.

    Where there are base sets, they are booted in virtual machines.

    Example: ./exitisp test --no-boot
    Example: ./exitisp test --only 'tests/image -k ufs2'
    """
    from image.host import ensure
    from qemu.needs import JUDGES, MACHINE, WORLD

    ensure([*MACHINE, *WORLD, *JUDGES], install=install)
    marks = " -m 'not boot'" if no_boot else ""
    timeout = LONGEST_FULL_TEST if full else LONGEST_TEST
    with context.cd(ROOT):
        if install:
            context.run(f"tests/firstboot/site/paper/install-irrd {shlex.quote(sys.executable)}")
        context.run(
            f"pytest -n auto --dist loadgroup --timeout {timeout}{marks} {only}",
            pty=sys.stdout.isatty(),
            env={"EXITISP_FULL": "yes"} if full else {},
        )


@command(DEVELOP)
def docs(_: Context) -> None:
    """Renew what follows from the code: parts of docs/, the box's manual page and completion.

    Example: ./exitisp docs
    """
    from firstboot.box.commandline import pages
    from firstboot.site.reference import renew

    renew(ROOT / "docs", OVERLAYS)
    pages.renew(OVERLAYS)


@command(
    DEVELOP,
    image=Option(
        "with --boot or --network: the image; default: the one of HardenedBSD built last",
        "IMAGE",
        Path,
        operand=True,
    ),
    sets=SETS,
    boot=Option(
        "measure how long an image takes from power-on to its prompt, and where the time goes, "
        "against a stock installation of the sets"
    ),
    network=Option(
        "measure what the configuration does to the speed of resolver, packet filter and Tor, "
        "against a stock system, in a simulated Internet"
    ),
    resolver=Option(
        "measure the rendered resolver on this machine, against one as local-unbound-setup sets it "
        "up: alone, under a flood of made-up names, and beside look-ups of dead domains"
    ),
    bgp=Option(
        "measure on this machine how long OpenBGPD takes for a table of routes with the rendered "
        "policy, and with one rule, and BIRD with an equal policy; and their memory, and how long "
        "another policy takes"
    ),
    hardware=Option(
        "measure a real box from this machine, with network cards that are connected to nothing "
        "else: packets through it, questions to its resolver, and a table of routes; FILE says how "
        "the two are connected, see docs/benchmarks.md",
        "FILE",
        Path,
    ),
    virtual=Option(
        "with --hardware: a Linux machine in network namespaces stands in for the box, to try the "
        "file and this machine"
    ),
    against=Option(
        "with --hardware: compare with the figures of another run, as of the stock configuration",
        "FILE",
        Path,
    ),
    flood=Option(
        "with --resolver: made-up names a second; take fewer on a slow machine; default: 5000",
        "RATE",
        number,
    ),
    configured=Option(
        "with --boot: an image with a site, as ./exitisp flash IMAGE FILE --site makes one",
        "FILE",
        Path,
    ),
    routes=Option(
        "with --network or --bgp: how many IPv4 routes a neighbour has, and 23 of IPv6 for each "
        "hundred; take fewer than a whole table on a slow machine; default: 1000000",
        "COUNT",
        number,
    ),
    output=Option(
        "file for the figures; default: dist/bench.json, dist/bench-boot.json, "
        "dist/bench-network.json, dist/bench-resolver.json, dist/bench-bgp.json or "
        "dist/bench-hardware.json",
        "FILE",
        Path,
        "o",
    ),
    install=INSTALL,
)
def bench(
    _: Context,
    image: Path | None = None,
    sets: Path | None = None,
    boot: bool = False,
    network: bool = False,
    resolver: bool = False,
    bgp: bool = False,
    hardware: Path | None = None,
    virtual: bool = False,
    against: Path | None = None,
    flood: int = 0,
    configured: Path | None = None,
    routes: int = 0,
    output: Path | None = None,
    install: bool = False,
) -> None:
    """Measure builds, or a box against a stock system.

    Without --boot, --network, --resolver, --bgp and --hardware it compares builds with the least
    that any build has to do.

    Example: ./exitisp bench --sets ~/sets
    Example: ./exitisp bench --boot --sets ~/sets
    Example: ./exitisp bench --network --sets ~/sets --routes 20000
    Example: ./exitisp bench --resolver --flood 1000
    Example: ./exitisp bench --bgp --routes 50000
    Example: ./exitisp bench --hardware wires.yaml --output dist/stock.json
    Example: ./exitisp bench --hardware wires.yaml --against dist/stock.json
    """
    from qemu.bench import request as benches

    kinds: dict[str, object] = {
        "--boot": boot,
        "--network": network,
        "--resolver": resolver,
        "--bgp": bgp,
        "--hardware": hardware,
    }
    others: dict[str, object] = {
        "IMAGE": image,
        "--sets": sets,
        "--configured": configured,
        "--routes": routes,
        "--virtual": virtual,
        "--against": against,
        "--flood": flood,
    }
    benches_of: dict[str, tuple[Callable[[benches.Request], None], set[str]]] = {
        "--boot": (benches.measure_boots, {"IMAGE", "--sets", "--configured"}),
        "--network": (benches.measure_network, {"IMAGE", "--sets", "--routes"}),
        "--resolver": (benches.measure_resolver, {"--flood"}),
        "--bgp": (benches.measure_bgp, {"--routes"}),
        "--hardware": (benches.measure_hardware, {"--virtual", "--against"}),
    }
    kind = next((name for name, asked in kinds.items() if asked), None)
    measured, takes = benches_of[kind] if kind else (benches.measure_builds, {"--sets"})
    refuse(
        f"with {kind}" if kind else f"without {', '.join([*kinds][:-1])} or {[*kinds][-1]}",
        {name: one for name, one in (kinds | others).items() if name not in {*takes, kind}},
    )
    measured(
        benches.Request(
            ROOT,
            LOCK,
            sets,
            image,
            configured,
            routes,
            flood,
            hardware,
            virtual,
            against,
            output,
            install,
        )
    )


@command(DEVELOP)
def clean(_: Context) -> None:
    """Remove what was made here; the cache of downloads stays.

    Example: ./exitisp clean
    """
    for name in ("dist", "build"):
        shutil.rmtree(ROOT / name, ignore_errors=True)


@command(DEVELOP, shell=Option("the shell", "SHELL", Shell, operand=True))
def completion(_: Context, shell: Shell) -> None:
    """Print the script that makes a shell complete commands.

    Example: . <(./exitisp completion bash)
    Example: . <(./exitisp completion zsh)
    """
    from image.commandline.completion import script

    print(script(shell, program().commands.values()), end="")


MOVED = {"diff": "Its name is compare: ./exitisp compare OLD NEW"}
"""Words that are no commands of this program, and what to type instead."""


def program() -> Program:
    return Program(Collection.from_module(sys.modules[__name__]), ROOT, MOVED)


if __name__ == "__main__":
    program().run()
