"""Overlays: changes to the base system, one folder for each concern.

`overlay.yaml` is the `Recipe`, and `services.yaml` declares services of the box
(firstboot/site/services.py). Below `files/` lies what is copied as it is. A path belongs to one
overlay, and one that the base has too must be declared with ``replaces: yes``, so that nothing is
covered by accident.
"""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.core.values import Mode
from firstboot.site import services
from firstboot.site.render import Each, Index
from firstboot.site.services import Services
from image.accounts import Accounts
from image.archive import parse_flags
from image.tree import Content, Entry, Extent, Kind, Tree, check_path

ACCOUNT_FILES = ("etc/master.passwd", "etc/passwd", "etc/group", "etc/pwd.db", "etc/spwd.db")
"""Files that are made from the base's accounts, so an overlay cannot have them."""


NO_PACKAGES: Mapping[str, str] = {}


class Mib(int):
    """A size in MiB."""

    @classmethod
    def parse(cls, text: str) -> Self:
        if not re.fullmatch(r"[1-9][0-9]{0,5}", text):
            raise ValueError("a whole number of MiB above 0")
        return cls(text)


@dataclass(frozen=True)
class Drop:
    """Paths of the base that the image leaves out; `*` stops at a slash, `**` does not.

    Dropping a directory drops everything below it.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class File:
    """The owner, mode and so on of a file of `files/`; a file without a rule gets the defaults."""

    path: str
    owner: str = "root"
    group: str = "wheel"
    mode: Mode | None = None
    flags: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    replaces: bool = False


@dataclass(frozen=True)
class Directory:
    path: str
    owner: str = "root"
    group: str = "wheel"
    mode: Mode = Mode(0o755)  # noqa: RUF009


@dataclass(frozen=True)
class Symlink:
    path: str
    target: str


@dataclass(frozen=True)
class Amend:
    """Changes to an entry of the base; fields that are not given stay as they are."""

    path: str
    reason: str
    owner: str | None = None
    group: str | None = None
    mode: Mode | None = None
    flags: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """A directory of the root in memory, of at most `mib` MiB, that every boot fills."""

    path: str
    mib: Mib


@dataclass(frozen=True)
class Wanted:
    """A package that the overlay needs: `name`, or the first of `any` that the repository has.

    The box works without an `optional` package, and `reason` says what it then lacks.
    """

    name: str | None = None
    any: tuple[str, ...] = ()
    optional: bool = False
    reason: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The possible names, the best first."""
        return (self.name,) if self.name else self.any


@dataclass(frozen=True)
class OnSomeKernels:
    """A setting, tunable or module that not every kernel has.

    A kernel has it if it has the setting `with_`, such as the node that it belongs to. Where a
    kernel lacks it, the loader ignores it, so it can be named in loader.conf(5) alone.
    """

    name: str
    with_: str
    reason: str


@dataclass(frozen=True)
class SetId:
    """A program of the base that runs as its owner or group; `keeps`: whether it still may."""

    path: str
    reason: str
    keeps: bool = False


@dataclass(frozen=True)
class Recipe:
    """The content of an `overlay.yaml`."""

    description: str
    drop: tuple[Drop, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    symlinks: tuple[Symlink, ...] = ()
    amend: tuple[Amend, ...] = ()
    lock: tuple[str, ...] = ()
    """Accounts that must not have a password."""

    memory: tuple[Memory, ...] = ()
    packages: tuple[Wanted, ...] = ()
    setid: tuple[SetId, ...] = ()
    on_some_kernels: tuple[OnSomeKernels, ...] = ()


NO_SERVICES = Document(services.FILE, Services(()), {})


@dataclass(frozen=True)
class Overlay:
    """One folder of overlays/ with its `overlay.yaml` and `services.yaml`."""

    name: str
    folder: Path
    recipe: Document[Recipe]
    services: Document[Services] = NO_SERVICES

    @property
    def files(self) -> Path:
        return self.folder / "files"


def load(folder: Path) -> Overlay:
    """Load the overlay in `folder`. Raises Refusal with the line of a faulty overlay.yaml or
    services.yaml."""
    recipe = document.load(folder / "overlay.yaml", Recipe)
    for kind in ("drop", "directories", "files", "symlinks", "amend", "memory", "setid"):
        seen = set()
        for at, rule in enumerate(getattr(recipe.value, kind)):
            if rule.path in seen:
                raise _refusal(
                    recipe.where(kind, at, "path"),
                    f"'{rule.path}' is twice in '{kind}'",
                    "Keep the one that is meant",
                )
            seen.add(rule.path)
            try:
                check_path(rule.path)
            except Refusal as refusal:
                raise Refusal(
                    recipe.where(kind, at, "path"),
                    f"'{rule.path}': {refusal.problem}",
                    refusal.remedy,
                ) from None
    for at, wanted in enumerate(recipe.value.packages):
        if bool(wanted.name) == bool(wanted.any):
            raise _refusal(
                recipe.where("packages", at),
                f"{'both' if wanted.name else 'neither'} of 'name' and 'any' given",
                "Give the name of the package as 'name', or a list of names of which the "
                "first that "
                "is there will do as 'any'",
            )
        if wanted.optional and not wanted.reason:
            raise _refusal(
                recipe.where("packages", at),
                "an optional package needs a 'reason'",
                "Say what the box lacks without it",
            )
    declared = folder / services.FILE
    found = services.read(declared) if declared.exists() else NO_SERVICES
    return Overlay(folder.name, folder, recipe, found)


def load_all(folder: Path) -> list[Overlay]:
    """Load every overlay below `folder`, sorted by name."""
    return [load(path.parent) for path in sorted(folder.glob("*/overlay.yaml"))]


def dropping(overlays: Iterable[Overlay]) -> tuple[Callable[[str], bool], str]:
    """Whether a path is dropped by any of `overlays`, and a text that stands for the answer."""
    globs = sorted({rule.path for overlay in overlays for rule in overlay.recipe.value.drop})
    pattern = "|".join(_translate(glob) for glob in globs)
    matcher = re.compile(f"(?:{pattern})(?:/.*)?" if globs else r"(?!)", re.DOTALL)
    return lambda path: matcher.fullmatch(path) is not None, pattern


def digest(overlays: Iterable[Overlay]) -> str:
    """Return the SHA-256 of all definitions and files of `overlays`, in hexadecimal."""
    total = hashlib.sha256()
    for overlay in overlays:
        says = [("", overlay.folder / "overlay.yaml")]
        if overlay.services is not NO_SERVICES:
            says.append(("services", overlay.folder / services.FILE))
        for path, source in [*says, *_walk(overlay.files)]:
            facts = source.lstat()
            content = b""
            if stat.S_ISLNK(facts.st_mode):
                content = str(source.readlink()).encode("utf-8", "surrogateescape")
            elif stat.S_ISREG(facts.st_mode):
                with source.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").digest()
            kind = stat.S_IFMT(facts.st_mode) | facts.st_mode & stat.S_IXUSR
            for part in (overlay.name, path, str(kind)):
                total.update(part.encode("utf-8", "surrogateescape") + b"\0")
            total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()


def _translate(glob: str) -> str:
    parts = re.split(r"(\*\*|\*|\?)", glob)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part) or re.escape(part) for part in parts)


def rendered(overlays: Iterable[Overlay]) -> frozenset[str]:
    """The files that the templates of `overlays` become on the box, those per relay apart."""
    indexes = (one.folder / "templates" / "index.yaml" for one in overlays)
    return frozenset(
        template.path
        for index in indexes
        if index.exists()
        for template in document.load(index, Index).value.templates
        if template.each is Each.SITE
    )


def apply(
    overlays: Iterable[Overlay],
    tree: Tree,
    accounts: Accounts,
    time: int,
    packaged: Mapping[str, str] = NO_PACKAGES,
) -> None:
    """Apply `overlays` to `tree`; `time` becomes the mtime of everything new.

    `packaged` maps each path that is from a package to that package. Raises Refusal
    for a path in two overlays, an unknown owner, a replacement that is not declared or replaces
    nothing.
    """
    owners: dict[str, str] = {}
    for overlay in overlays:
        _Layer(overlay, tree, accounts, time, owners, packaged).apply()


@dataclass(frozen=True)
class _Layer:
    """Applies one overlay to the tree. `owners` maps paths to overlays, `packaged` to packages."""

    overlay: Overlay
    tree: Tree
    accounts: Accounts
    time: int
    owners: dict[str, str]
    packaged: Mapping[str, str]

    def apply(self) -> None:
        recipe = self.overlay.recipe.value
        for at, directory in enumerate(recipe.directories):
            self._directory(directory, ("directories", at))
        self._files({rule.path: (at, rule) for at, rule in enumerate(recipe.files)})
        for at, link in enumerate(recipe.symlinks):
            self._claim(link.path, ("symlinks", at), replaces=False)
            self.tree[link.path] = Entry(Kind.SYMLINK, 0o755, mtime=self.time, target=link.target)
        for at, amend in enumerate(recipe.amend):
            self._amend(amend, ("amend", at))

    def _where(self, *key: str | int) -> str:
        return self.overlay.recipe.where(*key)

    def _directory(self, rule: Directory, key: tuple[str, int]) -> None:
        if rule.path in self.tree and not self.tree.is_directory(rule.path):
            raise _refusal(self._where(*key, "path"), f"/{rule.path} is a file, not a directory")
        uid, gid = self._ids(rule.owner, rule.group, key)
        self.tree[rule.path] = Entry(Kind.DIRECTORY, rule.mode, uid, gid, mtime=self.time)

    def _files(self, rules: dict[str, tuple[int, File]]) -> None:
        found = dict(_walk(self.overlay.files))
        for path, (at, _) in rules.items():
            if path not in found:
                raise _refusal(
                    self._where("files", at, "path"),
                    f"there is no file {self.overlay.files / path}",
                    "Remove the rule or add the file",
                )
        for path, source in found.items():
            at, rule = rules.get(path, (-1, File(path)))
            key = ("files", at) if at >= 0 else ()
            facts = source.lstat()
            if stat.S_ISDIR(facts.st_mode):
                if at >= 0:
                    raise _refusal(
                        self._where(*key, "path"),
                        f"{source} is a directory",
                        "List it in 'directories'",
                    )
                if path not in self.tree:
                    self.tree[path] = Entry(Kind.DIRECTORY, 0o755, mtime=self.time)
                continue
            self._claim(path, key, rule.replaces)
            uid, gid = self._ids(rule.owner, rule.group, key)
            if stat.S_ISLNK(facts.st_mode):
                target = str(source.readlink())
                self.tree[path] = Entry(
                    Kind.SYMLINK, 0o755, uid, gid, mtime=self.time, target=target
                )
                continue
            if not stat.S_ISREG(facts.st_mode) or not os.access(source, os.R_OK):
                raise _refusal(
                    str(source),
                    "neither a readable file, a directory nor a symbolic link",
                    "Remove it, or correct its permissions",
                )
            executable = facts.st_mode & stat.S_IXUSR
            extents = (Extent(0, facts.st_size, source),) if facts.st_size else ()
            self.tree[path] = Entry(
                Kind.FILE,
                rule.mode if rule.mode is not None else (0o755 if executable else 0o644),
                uid,
                gid,
                flags=parse_flags(rule.flags, self._where(*key, "flags")),
                mtime=self.time,
                attributes=self._attributes(rule.attributes, (*key, "attributes")),
                content=Content(facts.st_size, extents),
            )

    def _amend(self, rule: Amend, key: tuple[str, int]) -> None:
        if rule.path not in self.tree:
            raise _refusal(
                self._where(*key, "path"),
                f"the base has no /{rule.path}",
                "Correct the path or remove the rule",
            )
        entry = self.tree[rule.path]
        uid, gid = self._ids(rule.owner or str(entry.uid), rule.group or str(entry.gid), key)
        flags = entry.flags
        if rule.flags is not None:
            flags = parse_flags(rule.flags, self._where(*key, "flags"))
        added = self._attributes(rule.attributes, (*key, "attributes"))
        self.tree.amend(
            rule.path,
            uid=uid,
            gid=gid,
            mode=entry.mode if rule.mode is None else rule.mode,
            flags=flags,
            attributes={**entry.attributes, **added},
        )

    def _claim(self, path: str, key: tuple[str | int, ...], replaces: bool) -> None:
        if path in ACCOUNT_FILES:
            raise _refusal(
                self._where(*key),
                f"the file would replace /{path}, the accounts of the base",
                "Change accounts by keys such as 'lock'",
            )
        if path in self.owners:
            raise Refusal(
                self._where(*key),
                f"/{path} is in the overlay '{self.owners[path]}' and in '{self.overlay.name}'",
                "Keep the one that is meant",
            )
        self.owners[path] = self.overlay.name
        if replaces and path not in self.tree:
            raise _refusal(
                self._where(*key, "replaces"),
                f"the base has no /{path} to replace",
                "Remove the key 'replaces'",
            )
        if path in self.tree:
            if self.tree[path].kind is Kind.DIRECTORY:
                raise _refusal(self._where(*key), f"/{path} is a directory of the base")
            if not replaces:
                package = self.packaged.get(path)
                raise _refusal(
                    self._where(*key),
                    f"{'the base' if package is None else package} has /{path} too",
                    "List the file with 'replaces: yes' if it is meant to replace that one",
                )

    def _ids(self, owner: str, group: str, key: tuple[str | int, ...]) -> tuple[int, int]:
        try:
            uid = self.accounts.uid(owner)
        except KeyError:
            raise self._unknown("user", owner, "etc/master.passwd", (*key, "owner")) from None
        try:
            return uid, self.accounts.gid(group)
        except KeyError:
            raise self._unknown("group", group, "etc/group", (*key, "group")) from None

    def _unknown(self, what: str, name: str, file: str, key: tuple[str | int, ...]) -> Refusal:
        return _refusal(
            self._where(*key), f"the base's {file} has no {what} '{name}'", "Correct the name"
        )

    def _attributes(self, values: dict[str, str], key: tuple[str | int, ...]) -> dict[str, bytes]:
        for name in values:
            if not re.fullmatch(r"(system|user)\..{1,255}", name):
                raise _refusal(
                    self._where(*key, name),
                    f"the attribute '{name}' has no namespace",
                    "Name it system.NAME or user.NAME",
                )
        return {name: value.encode() for name, value in values.items()}


def _walk(folder: Path) -> list[tuple[str, Path]]:
    """Return everything below `folder`, directories before their content."""
    return [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*"))]


def _refusal(where: str, problem: str, remedy: str = "Correct the path") -> Refusal:
    return Refusal(where, problem, remedy)
