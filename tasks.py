"""What `./exitisp` (or `invoke`) can do. Each task reads its arguments and calls one function."""

import functools
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from firstboot.core.refusal import Refusal
from image.artifacts import BILL, IMAGE, REHEARSAL
from qemu.failure import Failure

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "image" / "hardenedbsd.lock.yaml"
OVERLAYS = ROOT / "overlays"

TESTED_WITH = {
    "sgdisk": "gdisk",
    "fsck.fat": "dosfstools",
    "ssh-keygen": "openssh-client",
    "openssl": "openssl",
    "sshd": "openssh-server",
    "tor": "tor",
    "unbound-checkconf": "unbound",
    "bgpd": "openbgpd",
    "bird": "bird2",
    "nsd": "nsd",
    "ldns-signzone": "ldnsutils",
    "nft": "nftables",
    "ip": "iproute2",
    "newuidmap": "uidmap",
    "mcopy": "mtools",
    "bmaptool": "bmap-tools",
    "git": "git",
}
"""Programs that judge what is made here, and the Debian packages that have them."""

WORLD_NEEDS = {
    name: TESTED_WITH[name] for name in ("bird", "nsd", "ldns-signzone", "tor", "ip", "newuidmap")
}
"""Programs that the simulated Internet is made of."""


def refusing(body: Callable[..., Any]) -> Callable[..., Any]:
    """Ends a task that says no with its one sentence, or a machine's failure with what it said, and
    exit status 1."""

    @functools.wraps(body)
    def told(*arguments: Any, **options: Any) -> Any:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return body(*arguments, **options)
        except Refusal as refusal:
            raise Exit(f"exitisp: {refusal}", code=1) from None
        except Failure as failure:
            raise Exit(f"exitisp: {failure}", code=1) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Exit(code=128 + signal.SIGPIPE) from None
        except KeyboardInterrupt:
            raise Exit("exitisp: interrupted; nothing half-made was left", code=130) from None

    return told


def source_date_epoch() -> int | None:
    """The age of what is new in an image, in seconds since 1970, as reproducible-builds.org
    specifies the environment variable. None if it is not set."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 10:
        raise Refusal(
            "SOURCE_DATE_EPOCH",
            expected="seconds since 1970 in decimal",
            found=repr(text),
            remedy="correct or unset it",
        )
    return int(text)


def machine_needs() -> list[Any]:
    """What a virtual machine needs of this one."""
    from image.host import any_file, program
    from qemu.firmware import OVMF

    return [
        program("qemu-system-x86_64", "qemu-system-x86"),
        any_file((str(one.code) for one in OVMF), "ovmf"),
    ]


@task(
    iterable=["overlay"],
    help={
        "base": "hardenedbsd, or rehearsal: Debian's packages on Linux; default: the latter only "
        "where no sets are given, cached or reachable",
        "sets": "folder with MANIFEST, base.txz and kernel.txz; default: what the lock pins",
        "packages": "folder or address of a package repository, or none for an image without "
        "packages; default: what the lock pins",
        "package-keys": "folder of fingerprints to trust for --packages, like usr/share/keys/pkg; "
        "default: those of the base",
        "wizard": "freeze the wizard with the repository's Python, and put it into the image",
        "output": "where the image goes; its manifest lies beside it as .json, its bill of "
        f"materials as .cdx.json ({IMAGE}, {REHEARSAL})",
        "overlay": "one more overlay folder; may be given several times",
        "disk": "size of the image in MiB, if it is to be more than it must be",
        "version": "of the release that this is to be, such as 2026.11",
        "release-key": "file of the public keys that may sign upgrades of this image; without it, "
        "the image takes none",
    },
)
@refusing
def build(
    _: Context,
    base: str = "",
    sets: str = "",
    packages: str = "",
    package_keys: str = "",
    wizard: bool = True,
    output: str = "",
    overlay: list[str] | None = None,
    disk: int = 0,
    version: str = "",
    release_key: str = "",
) -> None:
    """Make the image.

    Example: ./exitisp build --sets ~/sets --packages ~/packages
    Example: ./exitisp build --base rehearsal
    """
    from image import layout
    from image.build import Freezing
    from image.build import build as make
    from image.download.cache import cache_folder
    from image.inputs.choice import choose, parse
    from image.inputs.packages import source
    from image.overlay import load, load_all
    from image.packages.reviewed import load as load_reviewed
    from image.rehearsal.build import build as rehearse
    from image.release_stamp import release

    named = release(version, Path(release_key) if release_key else None)
    folder = cache_folder()
    age = source_date_epoch()
    more = [load(Path(extra)) for extra in overlay or ()]
    repository = source(packages, package_keys, LOCK, first=not sets)
    chosen = choose(parse(base), Path(sets) if sets else None, LOCK, folder)
    if chosen is None:
        print(rehearse(more, Path(output or REHEARSAL), folder.parent, size_mib=disk, time=age))
        return
    built = make(
        chosen,
        [*load_all(OVERLAYS), *more],
        Path(output or IMAGE),
        folder.parent,
        packages=repository,
        reviewed=load_reviewed(OVERLAYS / "packages.yaml"),
        wizard=Freezing.PACKAGED if wizard and repository else None,
        release=named,
        size_mib=disk or layout.SMALLEST_MIB,
        time=age,
    )
    for one in (chosen.base, chosen.kernel):
        print(f"{one.path.name}: {one.provenance}")
    for package in built.obtained.packages:
        print(f"{package.listed.package.full_name}: {package.provenance}")
    if not built.obtained.packages:
        print("no packages: relays, BGP and the wizard are not in it")
    print(f"{built.image}: for disks of {built.size_mib} MiB and more")


@task(
    help={
        "image": "the image (the one in dist/ that was built last)",
        "firmware": "uefi or bios",
        "memory": "of the machine, in MiB",
        "persistent": "keep what the machine writes to the image",
    },
)
@refusing
def boot(
    _: Context,
    image: str = "",
    firmware: str = "uefi",
    memory: int = 1024,
    persistent: bool = False,
) -> None:
    """Boot an image in QEMU, with its serial console in this terminal.

    Example: ./exitisp boot --firmware bios
    """
    from image.artifacts import newest
    from image.host import ensure
    from qemu.firmware import named
    from qemu.interactive import boot_interactively

    kind = named(firmware)
    ensure(machine_needs())
    boot_interactively(
        Path(image) if image else newest(),
        firmware=kind,
        memory=memory,
        persistent=persistent,
    )


@task(
    help={
        "base": "hardenedbsd or rehearsal",
        "fault": "try this fault too, or all; without a name of one, they are listed",
        "keep": "leave it running at the end, with the console in this terminal",
        "image": "the image, as it was built; default: the one that build makes of this base",
        "output": "folder for the report",
    },
)
@refusing
def lab(
    _: Context,
    base: str = "hardenedbsd",
    fault: str = "",
    keep: bool = False,
    image: str = "",
    output: str = "dist",
) -> None:
    """Run an image in a simulated Internet; exit status 1 if something does not hold.

    Example: ./exitisp lab --fault bgpd-killed
    """
    from image.host import ensure, program
    from qemu.lab.rehearsal import rehearse
    from qemu.lab.systems import system

    ensure([*machine_needs(), *(program(*one) for one in WORLD_NEEDS.items())])
    on = system(base)
    if not rehearse(Path(image or on.image), on, fault, keep, ROOT / "build/lab", Path(output)):
        raise Exit(code=1)


@task(
    help={
        "update": "pin the newest build of the base system, and the newest packages",
        "accept-key": "fingerprint (SHA256:...) of a signer's key that may replace the one pinned",
    },
)
@refusing
def lock(_: Context, update: bool = False, accept_key: str = "") -> None:
    """Show what the lock file pins, or pin what is newest.

    Example: ./exitisp lock --update
    """
    from image import lock as locking
    from image.download.cache import cache_folder
    from image.freeze.packaged import MINORS, asking
    from image.inputs.pin_base import update as pin_newest
    from image.inputs.pin_packages import update as pin_newest_packages
    from image.overlay import load_all

    if update or accept_key:
        folder = cache_folder()
        print(pin_newest(LOCK, folder, accept_key=accept_key or None))
        asked = [*load_all(OVERLAYS), asking(MINORS)]
        print(pin_newest_packages(LOCK, asked, folder.parent))
    else:
        print(locking.render(locking.load(LOCK)), end="")


@task(
    help={
        "target": "freebsd or linux",
        "python-prefix": "folder with FreeBSD's Python: what is /usr/local there",
        "packages": "folder or address of a package repository with FreeBSD's Python; default: "
        "what the lock pins",
        "package-keys": "folder of fingerprints to trust for --packages; default: the base's",
        "sets": "folder with the base sets to go by; default: what the lock pins",
        "output": "folder for the program (dist/exitisp-TARGET)",
    },
)
@refusing
def freeze(
    _: Context,
    target: str = "freebsd",
    python_prefix: str = "",
    packages: str = "",
    package_keys: str = "",
    sets: str = "",
    output: str = "",
) -> None:
    """Make the wizard one program that needs no Python.

    Example: ./exitisp freeze --target linux
    """
    from image.download.cache import cache_folder
    from image.freeze import save
    from image.freeze.request import Request, freeze_requested
    from image.freeze.target import parse
    from image.inputs.packages import source
    from image.overlay import load_all

    wanted = parse(target)
    prefix = Path(python_prefix) if python_prefix else None
    repository = None if prefix else source(packages, package_keys, LOCK, first=False)
    request = Request(LOCK, Path(sets) if sets else None, prefix, repository)
    frozen = freeze_requested(wanted, request, load_all(OVERLAYS), cache_folder().parent)
    place = Path(output or f"dist/exitisp-{wanted.value}")
    save(frozen, place)
    print(f"{place / 'exitisp'}: sha256 {frozen.sha256} of the whole folder")


@task(
    iterable=["also"],
    help={
        "site": "the site file; ./exitisp takes several",
        "also": "one more site file; may be given several times",
    },
)
@refusing
def check(_: Context, site: str, also: list[str] | None = None) -> None:
    """Say everything that is wrong with a site file, or could be better.

    Example: ./exitisp check examples/*.yaml
    """
    from firstboot.site.commands import check_sites

    check_sites(Path(path) for path in (site, *(also or ())))


@task(
    help={
        "site": "the site file",
        "output": "folder to write the files to; without it, they are listed",
        "diff": "an older site file: show what the change from it to SITE changes",
        "box": "what to render for: cores=8,memory=32768,unbound=1.24,openbgpd=8.9,tor=0.4.9",
    },
)
@refusing
def render(_: Context, site: str, output: str = "", diff: str = "", box: str = "") -> None:
    """Write every file of configuration that follows from a site.

    Example: ./exitisp render examples/one-port-of-each.yaml -o dist/site
    Example: ./exitisp render --diff old.yaml new.yaml
    """
    from firstboot.site.commands import parse_box, render_site, show_difference

    if diff:
        show_difference(Path(diff), Path(site), parse_box(box), OVERLAYS)
    else:
        render_site(Path(site), Path(output) if output else None, parse_box(box), OVERLAYS)


@task(
    positional=["old", "new"],
    help={
        "old": "an image with its manifest beside it, or the manifest",
        "new": "another one",
    },
)
@refusing
def diff(_: Context, old: str, new: str) -> None:
    """Tell how two images differ: base, packages, settings, files.

    Example: ./exitisp diff last-release.json dist/exitisp.img
    """
    from image.diff import show

    show(Path(old), Path(new))


@task(
    positional=["version"],
    help={
        "version": "what the release is called, such as 2026.11",
        "key": "the key that signs it: a private one, or the public one of a key in your agent",
        "previous": "the release before: its manifest, or its image with the manifest beside it",
        "output": "folder to make (dist/exitisp-VERSION)",
    },
)
@refusing
def release(_: Context, version: str, key: str, previous: str = "", output: str = "") -> None:
    """Build what is committed and pinned twice, compare, and lay out a signed release.

    Example: ./exitisp release 2026.11 --key ~/.ssh/exitisp-release --previous exitisp-2026.10.json
    """
    from image.release.release import release as make

    place = Path(output or f"dist/exitisp-{version}")
    names = make(ROOT, version, place, Path(key), Path(previous) if previous else None)
    for name in names:
        print(f"{place / name}: {(place / name).stat().st_size} bytes")


@task(
    help={
        "image": f"the image, plain or compressed with xz or zstd ({IMAGE})",
        "device": "the disk to write to, such as /dev/sdb; without it, disks are listed",
        "site": "a site file for the box to find on its first boot",
    },
)
@refusing
def flash(_: Context, image: str = IMAGE, device: str = "", site: str = "") -> None:
    """Write an image to a stick or a disk, and read it back; or list the disks there are.

    Example: ./exitisp flash dist/exitisp.img /dev/sdb --site examples/one-port-of-each.yaml
    """
    from image.flash.command import flash as put
    from image.flash.command import list_disks
    from image.flash.devices import Host

    if device:
        put(Path(image), Path(device), Path(site) if site else None, Host())
    else:
        list_disks(Path(image), Host())


@task(
    help={
        "sbom": f"the image's bill of materials ({BILL})",
        "feed": "VuXML, plain, xz or bzip2; default: the one of the last time",
    },
)
@refusing
def audit(_: Context, sbom: str = BILL, feed: str = "") -> None:
    """Say which known vulnerabilities there are in an image; exit status 1 if there are any.

    Example: ./exitisp audit --feed vuln.xml.xz
    """
    from image.audit import audit as compare
    from image.download.cache import cache_folder

    if compare(Path(sbom), Path(feed) if feed else None, cache_folder().parent / "feeds"):
        raise Exit(code=1)


@task
@refusing
def docs(_: Context) -> None:
    """Make the parts of docs/ anew that follow from the code.

    Example: ./exitisp docs
    """
    from firstboot.site.reference import renew

    renew(ROOT / "docs", OVERLAYS)


@task
def lint(context: Context) -> None:
    """Check style and types.

    Example: ./exitisp lint
    """
    with context.cd(ROOT):
        context.run("ruff check .")
        context.run("ruff format --check .")
        context.run("mypy")


@task(
    pre=[lint],
    help={
        "only": "what pytest is to run, as it takes it: tests/image, 'tests/image -k gpt'",
        "boot": "also boot real base sets, where there are any",
        "full": "also boots that take hours in emulation: every bad upgrade, every fault of a lab",
    },
)
@refusing
def test(context: Context, only: str = "tests", boot: bool = True, full: bool = False) -> None:
    """Lint, then test. Boots virtual machines where there are base sets to boot.

    Example: ./exitisp test --only 'tests/image -k ufs2'
    """
    from image.host import ensure, program

    ensure([*machine_needs(), *(program(*one) for one in TESTED_WITH.items())])
    marks = "" if boot else " -m 'not boot'"
    with context.cd(ROOT):
        context.run(
            f"pytest -n auto --dist loadgroup{marks} {only}",
            pty=sys.stdout.isatty(),
            env={"EXITISP_FULL": "yes"} if full else {},
        )


@task(
    help={
        "sets": "folder with MANIFEST, base.txz and kernel.txz; default: what the lock pins",
        "boot": "measure how long an image takes from power-on to its prompt, and where the time "
        "goes, against a stock installation of the sets",
        "network": "measure what the configuration does to the speed of resolver, packet filter "
        "and Tor, against a stock system, in a simulated Internet",
        "image": f"the image for --boot and --network ({IMAGE})",
        "configured": "with --boot: the image with a site, as ./exitisp flash IMAGE FILE --site "
        "makes one",
        "routes": "with --network: how many IPv4 routes a neighbour has, and 23 of IPv6 for each "
        "hundred; take fewer than a whole table where there is no KVM",
        "output": "where the figures go (dist/bench.json, dist/bench-boot.json or "
        "dist/bench-network.json)",
    },
)
@refusing
def bench(
    _: Context,
    sets: str = "",
    boot: bool = False,
    network: bool = False,
    image: str = IMAGE,
    configured: str = "",
    routes: int = 1_000_000,
    output: str = "",
) -> None:
    """Measure builds against the least that any build must do, or a box against a stock system.

    Example: ./exitisp bench --sets ~/sets
    Example: ./exitisp bench --boot --sets ~/sets
    Example: ./exitisp bench --network --sets ~/sets --routes 20000
    """
    from image.bench import measure
    from image.host import ensure, program

    folder = Path(sets) if sets else None
    if boot:
        from image.reference_image import made
        from qemu.boottime import measure as measure_starts

        ensure(machine_needs())
        with made(folder, LOCK) as stock:
            images = {"stock": stock, "unconfigured": Path(image)}
            if configured:
                images["configured"] = Path(configured)
            measure_starts(images, Path(output or "dist/bench-boot.json"))
        return
    if network:
        from image.reference_image import made
        from qemu.bench.network import measure as measure_network
        from qemu.bench.routes import possible

        count = possible(routes)
        needs = [program(*one) for one in (*WORLD_NEEDS.items(), ("dnsperf", "dnsperf"))]
        ensure([*machine_needs(), *needs])
        with made(folder, LOCK) as stock:
            target = Path(output or "dist/bench-network.json")
            measure_network(Path(image), stock, count, ROOT / "build/bench", target)
        return
    ensure([program("xz", "xz-utils"), program("zstd", "zstd")])
    measure(ROOT, folder, Path(output or "dist/bench.json"))


@task
def clean(_: Context) -> None:
    """Remove what was made here; the cache of downloads stays.

    Example: ./exitisp clean
    """
    for name in ("dist", "build"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
