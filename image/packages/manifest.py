"""A package's manifest: JSON, as libpkg's pkg_manifest.c writes it with libucl.

``+COMPACT_MANIFEST`` describes a package, and each entry of a catalogue has the same keys;
``+MANIFEST`` also lists its content. In both, ``desc`` is percent-encoded (``%`` and every
byte outside of ASCII); in the second so are the scripts, and the paths of files, directories and
configuration files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes

from firstboot.core import bounded_json
from firstboot.core.limits import PACKAGE_MANIFEST, Json
from firstboot.core.refusal import Refusal
from image.packages.checksum import Checksum

PHASES = (
    "pre-install",
    "install",
    "post-install",
    "pre-deinstall",
    "deinstall",
    "post-deinstall",
)
"""The phases in which pkg runs a script."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.@~-]{0,127}")
VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.,~:]{0,63}")
"""The possible names and versions of packages."""

_ORIGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.@~-]*(/[A-Za-z0-9_][A-Za-z0-9_+.@~-]*)*")
_MODE = re.compile(r"[0-7]{1,5}")
_LOGICS = {"single": "single", "or": "or", "dual": "or", "and": "and", "multi": "and"}


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another package that must be installed; `version` is the one at the time of the build."""

    name: str
    origin: str
    version: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package as its compact manifest describes it.

    `flatsize` is its installed size in bytes. `licenselogic` is ``single``, ``and`` or
    ``or``, `licenses` has the ports tree's names (``BSD3CLAUSE``). `shlibs_provided` and
    `shlibs_required` are names of shared libraries (DT_SONAME, DT_NEEDED), `provides` and
    `requires` free names that are matched the same way.
    """

    name: str
    version: str
    origin: str
    comment: str = ""
    desc: str = ""
    maintainer: str = ""
    www: str = ""
    abi: str = ""
    arch: str = ""
    prefix: str = ""
    flatsize: int = 0
    licenselogic: str = "single"
    licenses: tuple[str, ...] = ()
    deps: tuple[Dependency, ...] = ()
    conflicts: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    shlibs_provided: tuple[str, ...] = ()
    shlibs_required: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    options: Mapping[str, str] = field(default_factory=dict, hash=False)
    vital: bool = False

    @property
    def full_name(self) -> str:
        """As pkg calls it: ``tor-0.4.8.14_1``."""
        return f"{self.name}-{self.version}"


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """One entry of ``files``: a file, hard link or symbolic link.

    `path` is relative to the root, as in a `Tree`. For a field that is None or empty, the archive
    decides: a list in the form that pkg once wrote has only the checksum. `flags` are names as
    strtofflags(3) takes them, separated by commas. `mtime` is in seconds since 1970.
    `target` is a symbolic link's.
    """

    path: str
    sum: Checksum | None
    owner: str | None = None
    group: str | None = None
    mode: int | None = None
    mtime: int | None = None
    flags: str = ""
    target: str | None = None


@dataclass(frozen=True, slots=True)
class PackagedDirectory:
    """One entry of ``directories``: a directory beside those of the package's files. The empty path
    is the root, which one package of a base system has."""

    path: str
    owner: str | None = None
    group: str | None = None
    mode: int | None = None
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A text for the administrator; `when` is ``install``, ``remove``, ``upgrade`` or, for
    always, empty."""

    text: str
    when: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole ``+MANIFEST``, with its bytes as `raw`.

    `scripts` is phase -> text of sh(1), `lua_scripts` phase -> texts of Lua. Bytes in them that
    are no UTF-8 are lone surrogates (``surrogateescape``).
    """

    package: Package
    files: tuple[PackagedFile, ...]
    directories: tuple[PackagedDirectory, ...]
    config: tuple[str, ...]
    scripts: Mapping[str, str]
    lua_scripts: Mapping[str, tuple[str, ...]]
    messages: tuple[Message, ...]
    raw: bytes


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read a ``+MANIFEST``. `where` names it in refusals. Raises Refusal."""
    facts = parse_object(data, where)
    read = _Reader(facts, where)
    return Manifest(
        parse_package(facts, where),
        tuple(_file(path, value, where) for path, value in read.mapping("files").items()),
        _directories(read, where),
        tuple(_path(text, where) for text in read.strings("config")),
        {phase: _decoded(text) for phase, text in _phases(read, "scripts", str)},
        {
            phase: tuple(_Reader({phase: texts}, where).strings(phase))
            for phase, texts in _phases(read, "lua_scripts", list)
        },
        _messages(read),
        data,
    )


def parse_package(data: Mapping[str, Any], where: str) -> Package:
    """Read a package from the object of a compact manifest, a manifest or a catalogue.

    `where` names the object in refusals. Unknown keys are ignored, as pkg does. Raises Refusal.
    """
    read = _Reader(data, where)
    logic = read.string("licenselogic", "single")
    if logic not in _LOGICS:
        raise malformed(where, f"licenselogic is {quote(logic)}, not one of {', '.join(_LOGICS)}")
    return Package(
        name=read.word("name", NAME, "a package's name such as tor"),
        version=read.word("version", VERSION, "a version such as 0.4.8.14_1"),
        origin=read.word("origin", _ORIGIN, "an origin such as security/tor"),
        comment=read.string("comment"),
        desc=_decoded(read.string("desc")),
        maintainer=read.string("maintainer"),
        www=read.string("www"),
        abi=read.string("abi"),
        arch=read.string("arch"),
        prefix=read.string("prefix"),
        flatsize=read.number("flatsize", 0),
        licenselogic=_LOGICS[logic],
        licenses=read.strings("licenses"),
        deps=_dependencies(read, where),
        conflicts=read.strings("conflicts"),
        provides=read.strings("provides"),
        requires=read.strings("requires"),
        shlibs_provided=read.strings("shlibs_provided"),
        shlibs_required=read.strings("shlibs_required"),
        users=read.strings("users"),
        groups=read.strings("groups"),
        categories=read.strings("categories"),
        annotations=read.texts("annotations"),
        options=read.texts("options"),
        vital=data.get("vital") is True,
    )


def parse_object(data: bytes, where: str, bounds: Json = PACKAGE_MANIFEST) -> dict[str, Any]:
    """Read one JSON object within `bounds`. Raises Refusal, also for a duplicate key.

    Bytes that are not UTF-8 become U+FFFD, and control characters are allowed: comments may have
    them, names may not.
    """
    try:
        value = bounded_json.read(data, bounds, lenient=True)
    except ValueError as error:
        raise malformed(where, f"this cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise malformed(where, f"this is a {type(value).__name__}, not a JSON object")
    return value


def malformed(where: str, problem: str) -> Refusal:
    return Refusal(
        where,
        problem,
        "Fetch it again. If that does not help, the repository is broken",
    )


def quote(value: object) -> str:
    """Quote `value` for a refusal, cut after 60 characters."""
    text = str(value)
    return f"'{text[:60]}{'...' if len(text) > 60 else ''}'"


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    return unquote_to_bytes(text).decode("utf-8", "surrogateescape")


def _path(text: str, where: str) -> str:
    """Turn a percent-encoded absolute path into one relative to the root."""
    path = _decoded(text).removeprefix("/").removesuffix("/")
    if not text.startswith("/") or "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise malformed(
            where, f"{quote(text)} is not an absolute path without empty, '.' or '..' parts"
        )
    return path


def _file(path: str, value: Any, where: str) -> PackagedFile:
    if isinstance(value, str):
        return PackagedFile(_path(path, where), _sum(value, f"{where}: {path}"))
    read = _Reader(value, f"{where}: {path}")
    return PackagedFile(
        _path(path, where),
        _sum(read.string("sum", "-"), read.where),
        read.string("uname") or None,
        read.string("gname") or None,
        read.mode(),
        read.number("mtime", 0) or None,
        read.string("fflags"),
        read.string("symlink_target") or None,
    )


def _sum(text: str, where: str) -> Checksum | None:
    """Parse a checksum; None for the hyphen that pkg writes without one."""
    if len(text) < 2:
        return None
    try:
        return Checksum.parse(text)
    except ValueError as error:
        raise malformed(where, f"{quote(text)} is not {error}") from error


def _directories(read: "_Reader", where: str) -> tuple[PackagedDirectory, ...]:
    found = []
    for path, value in read.mapping("directories").items():
        name = _path(path, where) if path.strip("/") else ""
        if isinstance(value, str | bool):
            found.append(PackagedDirectory(name))
            continue
        facts = _Reader(value, f"{where}: {path}")
        owner, group = facts.string("uname") or None, facts.string("gname") or None
        found.append(PackagedDirectory(name, owner, group, facts.mode(), facts.string("fflags")))
    return tuple(found)


def _dependencies(read: "_Reader", where: str) -> tuple[Dependency, ...]:
    found = []
    for name, value in read.mapping("deps").items():
        facts = _Reader(value, f"{where}: the dependency on {name}")
        if not NAME.fullmatch(name):
            raise malformed(where, f"{quote(name)} cannot be the name of a package")
        found.append(Dependency(name, facts.string("origin"), facts.string("version")))
    return tuple(found)


def _phases(read: "_Reader", key: str, kind: type) -> list[tuple[str, Any]]:
    found = list(read.mapping(key).items())
    for phase, value in found:
        if phase not in PHASES or not isinstance(value, kind):
            raise malformed(
                read.where,
                f"{quote(phase)} in {key} is not a script for one of the phases "
                f"{', '.join(PHASES)}",
            )
    return found


def _messages(read: "_Reader") -> tuple[Message, ...]:
    found = read.facts.get("messages", [])
    if isinstance(found, str):
        return (Message(found),)
    if not isinstance(found, list):
        raise malformed(read.where, f"messages is {quote(found)}, not a list")
    parts = (_Reader(one, f"{read.where}: messages") for one in found)
    return tuple(Message(part.string("message"), part.string("type")) for part in parts)


class _Reader:
    """One JSON object, and its name in refusals."""

    def __init__(self, facts: Any, where: str) -> None:
        if not isinstance(facts, Mapping):
            raise malformed(where, f"{quote(facts)} is not a JSON object")
        self.facts: Mapping[str, Any] = facts
        self.where = where

    def string(self, key: str, default: str = "") -> str:
        """Return a text; a number counts too: libucl writes ``"version": 15`` without quotes."""
        value = self.facts.get(key, default)
        if isinstance(value, str):
            return value
        if not isinstance(value, int) or isinstance(value, bool):
            raise malformed(self.where, f"{key} is {quote(value)}, not a text")
        return str(value)

    def word(self, key: str, form: re.Pattern[str], what: str) -> str:
        value = self.string(key)
        if not form.fullmatch(value):
            raise malformed(
                self.where, f"{quote(value)} is not {what}" if value else f"{key} is missing"
            )
        return value

    def number(self, key: str, default: int) -> int:
        value = self.facts.get(key, default)
        text = str(value)
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,15}", text):
            raise malformed(self.where, f"{key} is {quote(value)}, not a whole number")
        return int(text)

    def mode(self) -> int | None:
        """Return the permission bits; None if they are missing or 0, which pkg writes for none."""
        text = self.string("perm", "0")
        if not _MODE.fullmatch(text) or int(text, 8) > 0o7777:
            raise malformed(self.where, f"perm is {quote(text)}, not a mode in octal")
        return int(text, 8) or None

    def strings(self, key: str) -> tuple[str, ...]:
        value = self.facts.get(key, [])
        if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
            raise malformed(self.where, f"{key} is {quote(value)}, not a list of texts")
        return tuple(value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.facts.get(key, {})
        if not isinstance(value, Mapping):
            raise malformed(self.where, f"{key} is {quote(value)}, not a JSON object")
        return value

    def texts(self, key: str) -> Mapping[str, str]:
        """Return texts by name; options may also be true or false."""
        inner = _Reader(self.mapping(key), f"{self.where}: {key}")
        return {
            name: ("off", "on")[value] if isinstance(value, bool) else inner.string(name)
            for name, value in inner.facts.items()
        }
