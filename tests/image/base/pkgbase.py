"""The base system of the miniature sets as packages in a repository, as FreeBSD 15 makes them: a
package for each part, packages without files for sets of them, and a package for each kernel."""

import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tests import sets
from tests.image.packages.repository import (
    TIME,
    Item,
    Made,
    Repository,
    Signer,
    make_repository,
)

VERSION = "15.1.s20261101"

SCRIPTS = {
    "runtime": "    pwd_mkdb -i -p -d  ${PKG_ROOTDIR}/etc ${PKG_ROOTDIR}/etc/master.passwd\n"
    "    services_mkdb ${CAP_MKDB_ENDIAN} -q -o ${PKG_ROOTDIR}/var/db/services.db ${PKG_ROOTDIR}/",
    "utilities": "cap_mkdb ${CAP_MKDB_ENDIAN} ${PKG_ROOTDIR}/etc/login.conf",
    "caroot": "/usr/sbin/certctl -D${PKG_ROOTDIR}/ ${PKG_METALOG:+-U -M $PKG_METALOG} rehash",
}
"""What the scripts of FreeBSD's packages do, by part."""

PARTS: dict[str, Callable[[str], bool]] = {
    "clang": lambda path: path in ("/usr/bin/clang", "/usr/bin/cc"),
    "tests": lambda path: path.startswith("/usr/tests"),
    "caroot": lambda path: path.startswith("/usr/share/certs"),
    "utilities": lambda path: path.startswith("/usr"),
    "runtime": lambda path: True,
}
"""Which part has which file; the first that says so."""


def item(one: sets.Item) -> Item:
    """An entry of a set as a package has it."""
    attributes = {
        name.removeprefix("SCHILY.xattr."): value.encode()
        for name, value in one.headers.items()
        if name.startswith("SCHILY.xattr.")
    }
    return Item(
        one.data,
        one.mode,
        one.owner,
        one.group,
        one.headers.get("SCHILY.fflags", ""),
        attributes,
        symlink=one.link if one.type == tarfile.SYMTYPE else None,
        hardlink=one.link[1:] if one.type == tarfile.LNKTYPE else None,
        directory=one.type == tarfile.DIRTYPE,
    )


def made(system: str, part: str, items: Iterable[sets.Item] = (), deps: Sequence[str] = ()) -> Made:
    """The package of a part of `system`."""
    return Made(
        f"{system}-{part}",
        VERSION,
        {one.path.removeprefix(".") or "/": item(one) for one in items},
        deps={f"{system}-{name}": VERSION for name in deps},
        facts={"prefix": "/", "origin": f"base/{system}-{part}", "categories": ["base"]},
        full={"scripts": {"post-install": SCRIPTS[part].replace("%", "%25")}}
        if part in SCRIPTS
        else {},
    )


def packages(
    base: Iterable[sets.Item] = sets.BASE,
    kernel: Iterable[sets.Item] = sets.KERNEL,
    system: str = "FreeBSD",
    kernels: Sequence[str] = ("generic",),
) -> list[Made]:
    """A base system as packages. Its debug kernel and its sources are never asked for."""
    divided: dict[str, list[sets.Item]] = {part: [] for part in PARTS}
    for one in base:
        path = one.path.removeprefix(".")
        if one.type == tarfile.DIRTYPE:
            divided["runtime"].append(one)
        else:
            divided[next(part for part, has in PARTS.items() if has(path))].append(one)
    parts = [made(system, part, items) for part, items in divided.items()]
    return [
        *parts,
        made(system, "set-minimal", deps=["runtime", "caroot"]),
        made(system, "set-base", deps=["set-minimal", "utilities", "clang", "tests"]),
        made(system, "src", [sets.Item("./usr/src/Makefile", b"all:\n")]),
        *(
            made(system, f"kernel-{name}", [one for one in kernel if one.path != "./boot"])
            for name in kernels
        ),
    ]


def write(folder: Path, made: Sequence[Made], *signers: Signer) -> Repository:
    return make_repository(folder, made, signers=signers or None)


def write_sets(
    folder: Path,
    base: Iterable[sets.Item] = sets.BASE,
    kernel: Iterable[sets.Item] = sets.KERNEL,
) -> Path:
    """The same base system as sets, with the times of the packages."""
    folder.mkdir(parents=True)
    return sets.seal(folder, base=sets.archive(base, TIME), kernel=sets.archive(kernel, TIME))


def changed(packages: Iterable[Made], name: str, **facts: object) -> list[Made]:
    """`packages`, with other facts of the one called `name`."""
    return [replace(one, **facts) if one.name == name else one for one in packages]  # type: ignore[arg-type]
