"""What pkg(8) on the box knows of the packages: its database, local.sqlite.

Schema 42, that of pkg 2.8: newer versions of pkg bring it up to date when they first write to it,
and older ones read it, because columns and tables were only ever added. Source: libpkg's pkgdb.c.
There, a package is a row of `packages`; files and configuration files refer to it; whatever has
a name of its own (a licence, a user, a shared library) is a row of its own table, and a third
table says which package has which.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing

from image.archive import parse_flags
from image.packages.contents import Contents
from image.packages.manifest import Manifest, Message

PLACE = "var/db/pkg/local.sqlite"

SCHEMA = 42

PHASES = {
    "pre-install": 0, "post-install": 1, "pre-deinstall": 2, "post-deinstall": 3, "install": 6,
    "deinstall": 7,
}  # fmt: skip
"""pkg's numbers for the phases of scripts."""

LOGICS = {"single": 1, "or": ord("|"), "and": ord("&")}
"""pkg's numbers for what a package with several licences asks for."""

WRITER = slice(96, 100)
"""Where the file's header has the version of SQLite that wrote it, big-endian (fileformat2)."""

_PACKAGE = "REFERENCES packages(id) ON DELETE CASCADE ON UPDATE CASCADE"

_NAMED = {
    "script": ("script_id", "script"),
    "option": ("option_id", "option"),
    "categories": ("id", "name"),
    "licenses": ("id", "name"),
    "users": ("id", "name"),
    "groups": ("id", "name"),
    "shlibs": ("id", "name"),
    "annotation": ("annotation_id", "annotation"),
    "provides": ("id", "provide"),
    "requires": ("id", "require"),
    "lua_script": ("lua_script_id", "lua_script"),
}
"""Tables of what has a name: their key and their name."""

_LINKED = {
    "pkg_script": ("script_id", "script", "type INTEGER, PRIMARY KEY (package_id, type)"),
    "pkg_option": ("option_id", "option", "value TEXT, PRIMARY KEY (package_id, option_id)"),
    "pkg_categories": ("category_id", "categories", "PRIMARY KEY (package_id, category_id)"),
    "pkg_licenses": ("license_id", "licenses", "PRIMARY KEY (package_id, license_id)"),
    "pkg_users": ("user_id", "users", "UNIQUE (package_id, user_id)"),
    "pkg_groups": ("group_id", "groups", "UNIQUE (package_id, group_id)"),
    "pkg_shlibs_required": ("shlib_id", "shlibs", "UNIQUE (package_id, shlib_id)"),
    "pkg_shlibs_required_ignore": ("shlib_id", "shlibs", "UNIQUE (package_id, shlib_id)"),
    "pkg_shlibs_provided": ("shlib_id", "shlibs", "UNIQUE (package_id, shlib_id)"),
    "pkg_shlibs_provided_ignore": ("shlib_id", "shlibs", "UNIQUE (package_id, shlib_id)"),
    "pkg_provides": ("provide_id", "provides", "UNIQUE (package_id, provide_id)"),
    "pkg_requires": ("require_id", "requires", "UNIQUE (package_id, require_id)"),
    "pkg_lua_script": (
        "lua_script_id",
        "lua_script",
        "type INTEGER, UNIQUE (package_id, lua_script_id)",
    ),
}
"""Tables that say which package has what: the key of that, its table, and the rest."""

_TABLES = f"""
CREATE TABLE packages (id INTEGER PRIMARY KEY, origin TEXT NOT NULL, name TEXT NOT NULL,
  version TEXT NOT NULL, comment TEXT NOT NULL, desc TEXT NOT NULL, mtree_id INTEGER,
  message TEXT, arch TEXT NOT NULL, maintainer TEXT NOT NULL, www TEXT, prefix TEXT NOT NULL,
  flatsize INTEGER NOT NULL, automatic INTEGER NOT NULL, locked INTEGER NOT NULL DEFAULT 0,
  licenselogic INTEGER NOT NULL, time INTEGER, manifestdigest TEXT, pkg_format_version INTEGER,
  dep_formula TEXT, vital INTEGER NOT NULL DEFAULT 0);
CREATE TABLE deps (origin TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
  package_id INTEGER {_PACKAGE});
CREATE TABLE files (path TEXT PRIMARY KEY, sha256 TEXT, uname TEXT, gname TEXT, perm INTEGER,
  fflags INTEGER, mtime INTEGER, symlink_target TEXT, package_id INTEGER {_PACKAGE});
CREATE TABLE config_files (path TEXT NOT NULL UNIQUE, content TEXT, package_id INTEGER {_PACKAGE});
CREATE TABLE directories (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, uname TEXT,
  gname TEXT, perm INTEGER, fflags INTEGER);
CREATE TABLE pkg_directories (package_id INTEGER {_PACKAGE},
  directory_id INTEGER REFERENCES directories(id), try INTEGER,
  PRIMARY KEY (package_id, directory_id));
CREATE TABLE pkg_annotation (package_id INTEGER {_PACKAGE},
  tag_id INTEGER NOT NULL REFERENCES annotation(annotation_id),
  value_id INTEGER NOT NULL REFERENCES annotation(annotation_id), UNIQUE (package_id, tag_id));
CREATE TABLE pkg_conflicts (package_id INTEGER NOT NULL {_PACKAGE}, conflict_id INTEGER NOT NULL,
  UNIQUE (package_id, conflict_id));
CREATE TABLE pkg_lock (exclusive INTEGER(1), advisory INTEGER(1), read INTEGER(8));
CREATE TABLE pkg_lock_pid (pid INTEGER PRIMARY KEY);
INSERT INTO pkg_lock VALUES (0, 0, 0);
CREATE VIEW flavors AS SELECT package_id, value.annotation AS flavor FROM pkg_annotation
  JOIN annotation tag ON tag.annotation_id = tag_id
  JOIN annotation value ON value.annotation_id = value_id WHERE tag.annotation = 'flavor';
"""  # noqa: S608

_INDEXES = """
CREATE UNIQUE INDEX packages_unique ON packages (name);
CREATE UNIQUE INDEX deps_unique ON deps (name, version, package_id);
CREATE INDEX deporigini ON deps (origin);
CREATE INDEX deps_package_id ON deps (package_id);
CREATE INDEX files_package_id ON files (package_id);
CREATE INDEX config_files_package_id ON config_files (package_id);
CREATE INDEX pkg_directories_directory_id ON pkg_directories (directory_id);
CREATE INDEX pkg_digest_id ON packages (origin, manifestdigest);
CREATE INDEX pkg_conflicts_cid ON pkg_conflicts (conflict_id);
CREATE INDEX packages_origin ON packages (origin COLLATE NOCASE);
CREATE INDEX packages_name ON packages (name COLLATE NOCASE);
CREATE INDEX provides_provide ON provides (provide);
CREATE INDEX requires_require ON requires (require);
CREATE INDEX pkg_provides_provide_id ON pkg_provides (provide_id);
CREATE INDEX pkg_requires_require_id ON pkg_requires (require_id);
"""


def database(packages: Sequence[Contents], asked: Collection[str], time: int) -> bytes:
    """The database in which `packages` are installed, in seconds since 1970 at `time`.

    Those whose names are not `asked` for are there because others need them. Same input, same
    bytes.
    """
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(_TABLES)
        for table, (key, name) in _NAMED.items():
            connection.execute(
                f"CREATE TABLE {table} ({key} INTEGER PRIMARY KEY, {name} TEXT NOT NULL UNIQUE)"
            )
        for table, (key, named, rest) in _LINKED.items():
            connection.execute(
                f"CREATE TABLE {table} (package_id INTEGER NOT NULL {_PACKAGE}, {key} INTEGER "
                f"NOT NULL REFERENCES {named}({_NAMED[named][0]}), {rest})"
            )
        connection.executescript(_INDEXES)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        for number, contents in enumerate(packages, start=1):
            automatic = contents.manifest.package.name not in asked
            _Registration(connection, number, contents).register(automatic, time)
        connection.commit()
        connection.execute("VACUUM")
        data = bytearray(connection.serialize())
    data[WRITER] = bytes(4)
    return bytes(data)


class _Registration:
    """The package `number` on its way into the database."""

    def __init__(self, connection: sqlite3.Connection, number: int, contents: Contents) -> None:
        self._connection = connection
        self._number = number
        self._contents = contents

    def register(self, automatic: bool, time: int) -> None:
        manifest = self._contents.manifest
        package = manifest.package
        self._insert(
            "packages",
            id=self._number,
            origin=package.origin,
            name=package.name,
            version=package.version,
            comment=package.comment,
            desc=package.desc,
            message=_messages(manifest.messages),
            arch=package.abi,
            maintainer=package.maintainer,
            www=package.www,
            prefix=package.prefix,
            flatsize=package.flatsize,
            automatic=int(automatic),
            licenselogic=LOGICS[package.licenselogic],
            time=time,
            vital=int(package.vital),
        )
        for dep in package.deps:
            self._insert(
                "deps",
                origin=dep.origin,
                name=dep.name,
                version=dep.version,
                package_id=self._number,
            )
        self._files(manifest)
        for table, names in (
            ("pkg_categories", package.categories),
            ("pkg_licenses", package.licenses),
            ("pkg_users", package.users),
            ("pkg_groups", package.groups),
            ("pkg_shlibs_required", package.shlibs_required),
            ("pkg_shlibs_provided", package.shlibs_provided),
            ("pkg_provides", package.provides),
            ("pkg_requires", package.requires),
        ):
            for name in dict.fromkeys(names):
                self._link(table, name)
        for phase, text in manifest.scripts.items():
            self._link("pkg_script", text, type=PHASES[phase])
        for phase, texts in manifest.lua_scripts.items():
            for text in dict.fromkeys(texts):
                self._link("pkg_lua_script", text, type=PHASES[phase])
        for option, value in package.options.items():
            self._link("pkg_option", option, value=value)
        for tag, value in package.annotations.items():
            self._insert(
                "pkg_annotation",
                package_id=self._number,
                tag_id=self._named("annotation", tag),
                value_id=self._named("annotation", value),
            )

    def _files(self, manifest: Manifest) -> None:
        members = {member.path: member for member in self._contents.members}
        for file in manifest.files:
            first = members[file.path]
            member = members[first.link] if first.link else first
            self._insert(
                "files",
                path=f"/{file.path}",
                sha256=str(file.sum),
                uname=member.owner,
                gname=member.group,
                perm=member.mode,
                fflags=member.flags,
                mtime=member.mtime,
                symlink_target=member.target or None,
                package_id=self._number,
            )
        for path in manifest.config:
            content = self._contents.read(path)
            self._insert(
                "config_files",
                path=f"/{path}",
                content=content.decode("utf-8", "surrogateescape"),
                package_id=self._number,
            )
        for directory in manifest.directories:
            member = members[directory.path]
            flags = parse_flags(directory.flags, f"/{directory.path}")
            self._connection.execute(
                "INSERT OR IGNORE INTO directories (path, uname, gname, perm, fflags) "
                "VALUES (CAST(? AS TEXT), ?, ?, ?, ?)",
                (_bytes(f"/{directory.path}"), member.owner, member.group, member.mode, flags),
            )
            self._connection.execute(
                "INSERT INTO pkg_directories SELECT ?, id, 1 FROM directories "
                "WHERE path = CAST(? AS TEXT)",
                (self._number, _bytes(f"/{directory.path}")),
            )

    def _insert(self, table: str, **values: str | int | None) -> None:
        """Bytes of a text that are no UTF-8 arrive as they are."""
        marks = ("CAST(? AS TEXT)" if isinstance(value, str) else "?" for value in values.values())
        self._connection.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(marks)})",  # noqa: S608
            [_bytes(value) if isinstance(value, str) else value for value in values.values()],
        )

    def _link(self, table: str, name: str, **more: str | int) -> None:
        key, named, _ = _LINKED[table]
        self._insert(table, package_id=self._number, **{key: self._named(named, name)}, **more)

    def _named(self, table: str, name: str) -> int:
        """The key of `name` in `table`, where it is then."""
        key, column = _NAMED[table]
        add = f"INSERT OR IGNORE INTO {table} ({column}) VALUES (CAST(? AS TEXT))"  # noqa: S608
        find = f"SELECT {key} FROM {table} WHERE {column} = CAST(? AS TEXT)"  # noqa: S608
        self._connection.execute(add, (_bytes(name),))
        rows: Iterable[tuple[int]] = self._connection.execute(find, (_bytes(name),))
        return next(number for (number,) in rows)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _messages(messages: Sequence[Message]) -> str | None:
    """As pkg keeps them: JSON."""
    if not messages:
        return None
    said = [
        {"message": one.text.strip(), **({"type": one.when} if one.when else {})}
        for one in messages
    ]
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False)
