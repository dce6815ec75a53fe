"""What pkg on the box knows of the packages: read back with SQLite, and with pkg where it is."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from image.packages.contents import Contents, unpack
from image.packages.registration import PLACE, SCHEMA, database
from image.tree import Kind
from tests.image.packages.fixtures import FIXTURES, needs_fixtures
from tests.image.packages.given import fixture, unpacked
from tests.image.packages.repository import ABI, TIME, Item, Made

NOW = 1_700_000_000

TOOL = Made(
    "tool",
    "1.2_1,3",
    items={
        "/usr/local/bin/tool": Item(b"a program", 0o4555, "daemon", "operator", "schg"),
        "/usr/local/bin/alias": Item(hardlink="/usr/local/bin/tool"),
        "/usr/local/etc/tool.conf": Item(b"x = \xe9\n", 0o600),
        "/usr/local/lib/libtool.so": Item(symlink="/usr/local/lib/libtool.so.1"),
        "/usr/local/share/Größe, 100%": Item(b""),
        "/var/db/tool": Item(directory=True, mode=0o700, owner="_tool", group="_tool"),
    },
    deps={"library": "1.0"},
    facts={
        "users": ["_tool"], "groups": ["_tool"], "licenses": ["MIT", "ISCL"], "licenselogic": "or",
        "categories": ["misc", "net"], "shlibs_required": ["libc.so.7"], "provides": ["a tool"],
        "requires": ["something"], "options": {"DOCS": "on"}, "annotations": {"flavor": "plain"},
        "messages": [{"message": "Hello. ", "type": "install"}, {"message": "Always"}],
        "vital": True,
    },
    full={
        "config": ["/usr/local/etc/tool.conf"],
        "scripts": {"pre-install": "echo %ff", "post-deinstall": "true"},
        "lua_scripts": {"post-install": ["print(1)", "print(2)", "print(1)"]},
    },
)  # fmt: skip
LIBRARY = Made("library", facts={"shlibs_provided": ["libtool.so.1"]})


@pytest.fixture
def installed(tmp_path: Path) -> list[Contents]:
    return [unpacked(tmp_path, LIBRARY), unpacked(tmp_path, TOOL)]


def ask(data: bytes, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.text_factory = bytes
        connection.deserialize(data)
        rows = connection.execute(query).fetchall()
    return [
        tuple(one.decode(errors="replace") if isinstance(one, bytes) else one for one in row)
        for row in rows
    ]


def test_it_is_a_sound_database_of_the_schema(installed: list[Contents]) -> None:
    data = database(installed, {"tool"}, NOW)
    assert ask(data, "PRAGMA user_version") == [(SCHEMA,)]
    assert ask(data, "PRAGMA integrity_check") == [("ok",)]
    assert ask(data, "PRAGMA foreign_key_check") == []


def test_packages_are_there_with_what_they_say(installed: list[Contents]) -> None:
    data = database(installed, {"tool"}, NOW)
    rows = ask(
        data,
        "SELECT name, version, origin, arch, automatic, licenselogic, time, vital FROM packages",
    )
    assert rows == [
        ("library", "1.0", "misc/library", ABI, 1, 1, NOW, 0),
        ("tool", "1.2_1,3", "misc/tool", ABI, 0, ord("|"), NOW, 1),
    ]
    assert ask(data, "SELECT * FROM deps") == [("misc/library", "library", "1.0", 2)]
    (messages,) = (row for (row,) in ask(data, "SELECT message FROM packages WHERE id = 2"))
    assert json.loads(messages) == [
        {"message": "Hello.", "type": "install"},
        {"message": "Always"},
    ]


def test_files_have_the_facts_that_the_tree_has(installed: list[Contents]) -> None:
    rows = ask(
        database(installed, (), NOW),
        "SELECT path, substr(sha256, 1, 2), uname, gname, perm, fflags, mtime, symlink_target, "
        "package_id FROM files ORDER BY rowid",
    )
    link = "/usr/local/lib/libtool.so.1"
    assert rows == [
        ("/usr/local/bin/tool", "1$", "daemon", "operator", 0o4555, 0x20000, TIME, None, 2),
        ("/usr/local/bin/alias", "1$", "daemon", "operator", 0o4555, 0x20000, TIME, None, 2),
        ("/usr/local/etc/tool.conf", "1$", "root", "wheel", 0o600, 0, TIME, None, 2),
        ("/usr/local/lib/libtool.so", "1$", "root", "wheel", 0o644, 0, TIME, link, 2),
        ("/usr/local/share/Größe, 100%", "1$", "root", "wheel", 0o644, 0, TIME, None, 2),
    ]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT path, hex(content), package_id FROM config_files",
         [("/usr/local/etc/tool.conf", b"x = \xe9\n".hex().upper(), 2)]),
        ("SELECT path, uname, gname, perm FROM directories JOIN pkg_directories "
         "ON id = directory_id WHERE package_id = 2", [("/var/db/tool", "_tool", "_tool", 0o700)]),
        ("SELECT hex(script), type FROM script JOIN pkg_script USING (script_id)",
         [(b"echo \xff".hex().upper(), 0), (b"true".hex().upper(), 3)]),
        ("SELECT lua_script, type FROM lua_script JOIN pkg_lua_script USING (lua_script_id)",
         [("print(1)", 1), ("print(2)", 1)]),
        ("SELECT name FROM licenses JOIN pkg_licenses ON id = license_id WHERE package_id = 2",
         [("MIT",), ("ISCL",)]),
        ("SELECT name FROM users JOIN pkg_users ON id = user_id", [("_tool",)]),
        ("SELECT name FROM groups JOIN pkg_groups ON id = group_id", [("_tool",)]),
        ("SELECT name FROM categories JOIN pkg_categories ON id = category_id "
         "WHERE package_id = 2", [("misc",), ("net",)]),
        ("SELECT name FROM shlibs JOIN pkg_shlibs_required ON id = shlib_id", [("libc.so.7",)]),
        ("SELECT name FROM shlibs JOIN pkg_shlibs_provided ON id = shlib_id",
         [("libtool.so.1",)]),
        ("SELECT provide FROM provides JOIN pkg_provides ON id = provide_id", [("a tool",)]),
        ("SELECT require FROM requires JOIN pkg_requires ON id = require_id", [("something",)]),
        ("SELECT option, value FROM option JOIN pkg_option USING (option_id)", [("DOCS", "on")]),
        ("SELECT * FROM flavors", [(2, "plain")]),
        ("SELECT * FROM pkg_lock", [(0, 0, 0)]),
    ],
)  # fmt: skip
def test_all_else_is_where_pkg_looks(
    installed: list[Contents], query: str, rows: list[tuple[Any, ...]]
) -> None:
    assert ask(database(installed, (), NOW), query) == rows


def test_the_same_packages_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = (
        database([unpacked(tmp_path / name, TOOL)], {"tool"}, NOW) for name in ("a", "b")
    )
    assert first == second
    assert first[96:100] == bytes(4)
    assert first != database([unpacked(tmp_path, TOOL)], (), NOW)


NAMES = ("openbgpd-7.7", "tor-0.4.9.11", "fixture-base-1.0", "fixture-tool-1.2_1")


@needs_fixtures
class TestRealPkg:
    @pytest.fixture(scope="class")
    def root(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Packages as the image would have them, but for owners and flags."""
        folder = tmp_path_factory.mktemp("root")
        cache = tmp_path_factory.mktemp("cache")
        packages = [unpack(fixture(FIXTURES / "All" / f"{name}.pkg"), cache) for name in NAMES]
        for contents in packages:
            lay(contents, folder)
        place = folder / PLACE
        place.parent.mkdir(parents=True)
        place.write_bytes(database(packages, {"tor", "openbgpd", "fixture-tool"}, NOW))
        return folder

    def run(self, pkg: str, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"ABI": ABI, "OSVERSION": "1500000", "PATH": os.environ["PATH"], "TZ": "UTC"}
        return subprocess.run(
            [pkg, "-r", root, *arguments], capture_output=True, text=True, env=environment
        )

    def test_it_lists_the_packages(self, pkg: str, root: Path) -> None:
        told = self.run(pkg, root, "query", "%n-%v %a")
        assert told.returncode == 0, told.stderr
        assert sorted(told.stdout.splitlines()) == sorted(
            f"{name} {int(name == 'fixture-base-1.0')}" for name in NAMES
        )

    def test_it_finds_no_file_changed(self, pkg: str, root: Path) -> None:
        told = self.run(pkg, root, "check", "-s", "-a", "-q")
        assert (told.returncode, told.stdout, told.stderr) == (0, "", "")

    def test_it_finds_a_file_that_was_changed(self, pkg: str, root: Path) -> None:
        path = root / "usr/local/sbin/bgpd"
        before = path.read_bytes()
        path.write_bytes(before + b"\0")
        try:
            told = self.run(pkg, root, "check", "-s", "-a", "-q")
        finally:
            path.write_bytes(before)
        assert told.returncode != 0
        assert "openbgpd-7.7: checksum mismatch for /usr/local/sbin/bgpd" in told.stderr

    def test_it_knows_whose_a_file_is(self, pkg: str, root: Path) -> None:
        told = self.run(pkg, root, "which", "-q", "/usr/local/bin/tor")
        assert told.stdout == "tor-0.4.9.11\n"

    def test_it_shows_what_a_package_says(self, pkg: str, root: Path) -> None:
        told = self.run(pkg, root, "info", "-f", "tor").stdout
        assert "Installed on   : Tue Nov 14 22:13:20 2023 UTC" in told
        assert "Licenses       : BSD3CLAUSE" in told
        message = self.run(pkg, root, "info", "-D", "fixture-tool").stdout
        assert "Read fixture-tool.conf before the first start." in message


def lay(contents: Contents, folder: Path) -> None:
    for member in contents.members:
        path = folder / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.kind is Kind.DIRECTORY:
            path.mkdir(exist_ok=True)
        elif member.kind is Kind.SYMLINK:
            path.symlink_to(member.target)
        elif member.link:
            path.hardlink_to(folder / member.link)
        else:
            path.write_bytes(contents.read(member.path))


def test_a_package_of_no_files_is_registered(tmp_path: Path) -> None:
    data = database([unpacked(tmp_path, replace(LIBRARY, facts={}))], (), NOW)
    assert ask(data, "SELECT count(*) FROM files") == [(0,)]
