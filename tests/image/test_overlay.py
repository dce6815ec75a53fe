"""Overlays do what their recipe says, and nothing is covered, dropped or owned by accident."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from image import overlay
from image.accounts import Accounts
from image.overlay import Drop, Overlay, Recipe
from image.tree import Entry, Kind, Tree, directory, file, symlink
from tests import sets
from tests.command import ROOT

ACCOUNTS = Accounts.parse(sets.MASTER_PASSWD, sets.GROUP)
TIME = 1_600_000_000


@pytest.fixture
def base() -> Tree:
    tree = Tree()
    for path, entry in (
        ("bin", directory()),
        ("bin/su", file(b"su", 0o4555, flags=0x20000, attributes={"system.old": b"1"})),
        ("etc", directory()),
        ("etc/motd", file(b"hello", 0o444, uid=59, gid=59)),
        ("etc/rc.d", directory(0o700, uid=59)),
        ("var", directory()),
        ("sys", symlink("usr/src/sys")),
    ):
        tree[path] = entry
    tree["bin/switch"] = tree["bin/su"]
    return tree


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def make(
    folder: Path, recipe: str = "", files: Mapping[str, bytes] | None = None, name: str = "one"
) -> Overlay:
    place = folder / name
    place.mkdir(parents=True)
    (place / "overlay.yaml").write_text(f"description: a test\n{recipe}")
    for path, data in (files or {}).items():
        target = place / "files" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return overlay.load(place)


def lay(tree: Tree, *overlays: Overlay) -> Tree:
    overlay.apply(overlays, tree, ACCOUNTS, TIME)
    return tree


def facts(entry: Entry) -> tuple[Kind, int, int, int, int, int]:
    return entry.kind, entry.mode, entry.uid, entry.gid, entry.flags, entry.mtime


def refused(tree: Tree, *overlays: Overlay) -> str:
    with pytest.raises(Refusal) as caught:
        lay(tree, *overlays)
    return str(caught.value)


class TestFiles:
    def test_a_file_that_no_rule_names_belongs_to_root(self, base: Tree, tmp_path: Path) -> None:
        lay(base, make(tmp_path, files={"etc/new/pf.conf": b"block\n"}))
        assert base["etc/new/pf.conf"].content.read() == b"block\n"
        assert facts(base["etc/new/pf.conf"]) == (Kind.FILE, 0o644, 0, 0, 0, TIME)
        assert facts(base["etc/new"]) == (Kind.DIRECTORY, 0o755, 0, 0, 0, TIME)

    @pytest.mark.parametrize(
        ("found", "mode"),
        [
            (0o600, 0o644),
            (0o666, 0o644),
            (0o644, 0o644),
            (0o655, 0o644),
            (0o700, 0o755),
            (0o777, 0o755),
        ],
    )
    def test_a_default_mode_depends_on_the_owner_s_execute_bit_alone(
        self, base: Tree, tmp_path: Path, found: int, mode: int
    ) -> None:
        one = make(tmp_path, files={"etc/rc.d/pf": b""})
        (one.files / "etc/rc.d/pf").chmod(found)
        (one.files / "etc").chmod(0o700)
        assert lay(base, one)["etc/rc.d/pf"].mode == mode

    def test_a_directory_of_the_base_stays_as_it_is(self, base: Tree, tmp_path: Path) -> None:
        before = base["etc/rc.d"]
        assert lay(base, make(tmp_path, files={"etc/rc.d/pf": b""}))["etc/rc.d"] is before

    def test_a_rule_gives_owner_mode_flags_and_attributes(self, base: Tree, tmp_path: Path) -> None:
        recipe = """\
files:
  - path: etc/key
    owner: unbound
    group: operator
    mode: "4710"
    flags: schg,nodump
    attributes: {system.hbsd.pax.nomprotect: 1, user.note: é}
"""
        entry = lay(base, make(tmp_path, recipe, {"etc/key": b"k"}))["etc/key"]
        assert facts(entry) == (Kind.FILE, 0o4710, 59, 5, 0x20001, TIME)
        assert entry.attributes == {
            "system.hbsd.pax.nomprotect": b"1",
            "user.note": b"\xc3\xa9",
        }

    def test_a_symbolic_link_is_copied_and_not_followed(self, base: Tree, tmp_path: Path) -> None:
        one = make(tmp_path, files={"etc/a": b""})
        (one.files / "etc/loop").symlink_to("..")
        (one.files / "etc/nowhere").symlink_to("/nowhere/at all")
        lay(base, one)
        assert base["etc/loop"].target == ".."
        assert base["etc/nowhere"].target == "/nowhere/at all"
        assert base["etc/nowhere"].kind is Kind.SYMLINK

    def test_a_replacement_replaces_one_name_only(self, base: Tree, tmp_path: Path) -> None:
        recipe = "files: [{path: bin/su, replaces: yes}]"
        lay(base, make(tmp_path, recipe, {"bin/su": b"new"}))
        assert base["bin/su"].content.read() == b"new"
        assert facts(base["bin/su"]) == (Kind.FILE, 0o644, 0, 0, 0, TIME)
        assert base["bin/switch"].content.read() == b"su"

    def test_covering_a_file_of_the_base_must_be_meant(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "files: [{path: etc/motd}]", {"etc/motd": b""}))
        assert "one/overlay.yaml:2: the base has /etc/motd too" in told
        assert "replaces: yes" in told

    def test_covering_a_file_without_any_rule_is_refused_too(
        self, base: Tree, tmp_path: Path
    ) -> None:
        assert "the base has /etc/motd too" in refused(base, make(tmp_path, "", {"etc/motd": b""}))

    def test_replacing_nothing_is_refused(self, base: Tree, tmp_path: Path) -> None:
        recipe = "files:\n  - path: etc/new\n    replaces: yes\n"
        told = refused(base, make(tmp_path, recipe, {"etc/new": b""}))
        assert "one/overlay.yaml:4: the base has no /etc/new to replace" in told

    def test_a_file_cannot_replace_a_directory(self, base: Tree, tmp_path: Path) -> None:
        recipe = "files: [{path: etc, replaces: yes}]"
        assert "/etc is a directory of the base" in refused(
            base, make(tmp_path, recipe, {"etc": b""})
        )

    def test_a_file_in_two_overlays_is_refused(self, base: Tree, tmp_path: Path) -> None:
        one = make(tmp_path, "", {"etc/pf.conf": b"1"}, "one")
        two = make(tmp_path, "files:\n- path: etc/pf.conf\n", {"etc/pf.conf": b"2"}, "two")
        told = refused(base, one, two)
        assert told.endswith(
            "two/overlay.yaml:3: /etc/pf.conf is in the overlay 'one' and in 'two'. "
            "Keep the one that is meant."
        )

    def test_a_rule_without_its_file_is_refused(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "files:\n- path: etc/none\n"))
        assert "one/overlay.yaml:3: there is no file" in told

    def test_a_rule_for_a_directory_is_refused(self, base: Tree, tmp_path: Path) -> None:
        recipe = "files:\n- path: etc/new\n  mode: '0700'\n"
        told = refused(base, make(tmp_path, recipe, {"etc/new/x": b""}))
        assert told.endswith("etc/new is a directory. List it in 'directories'.")

    def test_what_is_neither_file_nor_link_is_refused(self, base: Tree, tmp_path: Path) -> None:
        one = make(tmp_path, "", {"etc/a": b""})
        os.mkfifo(one.files / "etc/pipe")
        assert "etc/pipe: neither a readable file" in refused(base, one)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_cannot_be_read_is_refused(self, base: Tree, tmp_path: Path) -> None:
        one = make(tmp_path, "", {"etc/a": b""})
        (one.files / "etc/a").chmod(0)
        assert "etc/a: neither a readable file" in refused(base, one)

    def test_an_overlay_needs_no_files(self, base: Tree, tmp_path: Path) -> None:
        before = dict(base)
        assert dict(lay(base, make(tmp_path))) == before


@pytest.mark.parametrize("kind", ["files", "directories", "amend"])
@pytest.mark.parametrize(("key", "file"), [("owner", "etc/master.passwd"), ("group", "etc/group")])
def test_an_unknown_owner_is_named_with_its_line(
    base: Tree, tmp_path: Path, kind: str, key: str, file: str
) -> None:
    reason = "\n  reason: r" if kind == "amend" else ""
    path = {"files": "etc/new", "directories": "etc/folder", "amend": "etc/motd"}[kind]
    recipe = f"{kind}:\n- path: {path}\n  {key}: mallory{reason}\n"
    told = refused(base, make(tmp_path, recipe, {"etc/new": b""}))
    what = "user" if key == "owner" else "group"
    assert f"one/overlay.yaml:4: the base's {file} has no {what} 'mallory'" in told


@pytest.mark.parametrize(
    ("recipe", "line", "told"),
    [
        ("colour: red", 2, "the key 'colour' is unknown"),
        ("files:\n- path: a\n  own: root", 4, "the key 'own' is unknown"),
        ("drop:\n- path: usr/src", 3, "the key 'reason' is missing"),
        ("files:\n- path: a\n  mode: rwx", 4, "octal digits"),
        ("files:\n- path: a\n  mode: '99'", 4, "octal digits"),
        ("directories:\n- path: ../a", 3, "'.' or '..'"),
        ("directories:\n- path: /a", 3, "leaves the root"),
        ("files:\n- path: a/../../b", 3, "leaves the root"),
        ("symlinks:\n- {path: a//b, target: c}", 3, "leaves the root"),
        ("amend:\n- {path: ./a, reason: r}", 3, "leaves the root"),
        ("drop:\n- {path: '', reason: r}", 3, "leaves the root"),
        ("drop:\n- {path: /usr/src, reason: r}", 3, "leaves the root"),
        ("memory:\n- {path: ../etc, mib: 1}", 3, "leaves the root"),
        ("memory:\n- {path: etc, mib: 0}", 3, "a whole number of MiB above 0"),
        ("memory:\n- {path: etc, mib: -1}", 3, "a whole number of MiB above 0"),
        ("files:\n- path: etc/a\n- path: etc/a", 4, "'etc/a' is twice in 'files'"),
    ],
)
def test_a_bad_recipe_is_refused_with_its_line(
    tmp_path: Path, recipe: str, line: int, told: str
) -> None:
    with pytest.raises(Refusal) as caught:
        make(tmp_path, recipe)
    assert caught.value.where == f"{tmp_path}/one/overlay.yaml:{line}"
    assert told in str(caught.value)


def test_a_folder_without_a_recipe_is_no_overlay(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"overlay\.yaml: the file cannot be read|this is a folder"):
        overlay.load(tmp_path)


def test_all_overlays_are_loaded_by_name(tmp_path: Path) -> None:
    for name in ("tor", "base", "pf"):
        make(tmp_path, name=name)
    (tmp_path / "notes").mkdir()
    assert [one.name for one in overlay.load_all(tmp_path)] == ["base", "pf", "tor"]


class TestDirectoriesAndLinks:
    def test_a_directory_is_made_as_told(self, base: Tree, tmp_path: Path) -> None:
        recipe = "directories:\n- {path: data}\n- {path: data/tor, owner: daemon, mode: '0700'}\n"
        lay(base, make(tmp_path, recipe))
        assert facts(base["data"]) == (Kind.DIRECTORY, 0o755, 0, 0, 0, TIME)
        assert facts(base["data/tor"]) == (Kind.DIRECTORY, 0o700, 1, 0, 0, TIME)

    def test_a_directory_in_place_of_a_file_is_refused(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "directories:\n- path: etc/motd\n"))
        assert "one/overlay.yaml:3: /etc/motd is a file, not a directory" in told

    def test_a_directory_in_nothing_is_refused(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "directories:\n- path: a/b\n"))
        assert "/a/b: there is no directory /a to hold it" in told

    def test_a_link_is_made_as_told(self, base: Tree, tmp_path: Path) -> None:
        lay(base, make(tmp_path, "symlinks:\n- {path: etc/local, target: ../var}\n"))
        assert base["etc/local"].target == "../var"

    def test_a_link_covers_nothing(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "symlinks:\n- {path: sys, target: var}\n"))
        assert "one/overlay.yaml:3: the base has /sys too" in told

    def test_a_link_and_a_file_of_one_name_are_refused(self, base: Tree, tmp_path: Path) -> None:
        recipe = "symlinks:\n- {path: etc/a, target: b}\n"
        assert "/etc/a is in the overlay" in refused(base, make(tmp_path, recipe, {"etc/a": b""}))

    def test_nothing_is_put_through_a_link(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "", {"sys/evil": b""}))
        assert "/sys, which should hold it, is a symlink" in told


class TestAmend:
    def test_what_is_not_named_stays(self, base: Tree, tmp_path: Path) -> None:
        before = base["bin/su"]
        lay(base, make(tmp_path, "amend:\n- {path: bin/su, reason: r, mode: '0500'}\n"))
        assert facts(base["bin/su"]) == (Kind.FILE, 0o500, 0, 0, 0x20000, before.mtime)
        assert base["bin/su"].content is before.content
        assert base["bin/su"].attributes == {"system.old": b"1"}

    def test_all_names_of_a_file_are_amended(self, base: Tree, tmp_path: Path) -> None:
        recipe = "amend:\n- {path: bin/switch, reason: r, owner: daemon, group: operator}\n"
        lay(base, make(tmp_path, recipe))
        assert base["bin/su"] is base["bin/switch"]
        assert (base["bin/su"].uid, base["bin/su"].gid) == (1, 5)

    def test_attributes_are_added_and_flags_replaced(self, base: Tree, tmp_path: Path) -> None:
        recipe = "amend:\n- {path: bin/su, reason: r, flags: '', attributes: {system.new: 2}}\n"
        entry = lay(base, make(tmp_path, recipe))["bin/su"]
        assert entry.flags == 0
        assert entry.attributes == {"system.old": b"1", "system.new": b"2"}

    def test_a_directory_is_amended_alone(self, base: Tree, tmp_path: Path) -> None:
        lay(base, make(tmp_path, "amend:\n- {path: etc/rc.d, reason: r, mode: '0750'}\n"))
        assert (base["etc/rc.d"].mode, base["etc"].mode) == (0o750, 0o755)

    def test_amending_nothing_is_refused(self, base: Tree, tmp_path: Path) -> None:
        told = refused(base, make(tmp_path, "amend:\n- {path: etc/none, reason: r}\n"))
        assert "one/overlay.yaml:3: the base has no /etc/none" in told

    def test_an_unknown_flag_is_named_with_its_line(self, base: Tree, tmp_path: Path) -> None:
        recipe = "amend:\n- path: etc/motd\n  reason: r\n  flags: schg,shiny\n"
        assert "one/overlay.yaml:5: 'shiny' is no file flag" in refused(
            base, make(tmp_path, recipe)
        )

    @pytest.mark.parametrize("name", ["hbsd.pax", "trusted.x", "system.", "systemx"])
    def test_an_attribute_needs_its_namespace(self, base: Tree, tmp_path: Path, name: str) -> None:
        recipe = f"amend:\n- path: etc/motd\n  reason: r\n  attributes:\n    {name}: 1\n"
        told = refused(base, make(tmp_path, recipe))
        assert f"one/overlay.yaml:6: the attribute '{name}' has no namespace" in told


def dropping(tmp_path: Path, *globs: str) -> tuple[Overlay, ...]:
    rules = "".join(f"- {{path: '{glob}', reason: r}}\n" for glob in globs)
    return (make(tmp_path, f"drop:\n{rules}"),)


class TestDrop:
    @pytest.mark.parametrize(
        ("glob", "dropped", "kept"),
        [
            ("usr/src", ["usr/src", "usr/src/sys", "usr/src/a/b"], ["usr", "usr/srcs", "src"]),
            ("usr/bin/clang*", ["usr/bin/clang", "usr/bin/clang-19"], ["usr/bin/cc"]),
            ("usr/*/x", ["usr/a/x", "usr/a/x/y"], ["usr/x", "usr/a/b/x"]),
            ("boot/**.debug", ["boot/k.debug", "boot/a/b.debug"], ["boot/debug", "k.debug"]),
            ("a.b", ["a.b"], ["aXb"]),
            ("bin/[", ["bin/["], ["bin/x"]),
        ],
    )
    def test_a_glob_drops_what_it_says(
        self, tmp_path: Path, glob: str, dropped: list[str], kept: list[str]
    ) -> None:
        drop, _ = overlay.dropping(dropping(tmp_path, glob))
        assert [path for path in dropped + kept if drop(path)] == dropped

    def test_nothing_is_dropped_without_rules(self, tmp_path: Path) -> None:
        drop, _ = overlay.dropping([make(tmp_path)])
        assert not drop("")
        assert not drop("etc")

    def test_the_key_follows_from_the_rules_alone(self, tmp_path: Path) -> None:
        _, one = overlay.dropping(dropping(tmp_path / "1", "a", "b"))
        _, same = overlay.dropping(dropping(tmp_path / "2", "b", "a"))
        _, other = overlay.dropping(dropping(tmp_path / "3", "b", "a", "a/*"))
        assert one == same != other


def matches(glob: str, path: str) -> bool:
    """The plainest reading of a glob: try every way to spend a star."""
    if glob.startswith("**"):
        return any(matches(glob[2:], path[at:]) for at in range(len(path) + 1))
    if glob.startswith("*"):
        stop = len(path.partition("/")[0])
        return any(matches(glob[1:], path[at:]) for at in range(stop + 1))
    if not glob:
        return not path or path.startswith("/")
    return path[:1] == glob[0] and matches(glob[1:], path[1:])


@given(st.data())
def test_globs_match_as_a_simple_model_does(data: st.DataObject) -> None:
    parts = st.lists(st.sampled_from(["a", "b", ".", "*", "**", "+", "["]), min_size=1, max_size=4)
    globs = data.draw(st.lists(parts.map("".join), min_size=1, max_size=3, unique=True))
    glob = "/".join(one.replace("***", "**") for one in globs)
    path = "/".join(data.draw(st.lists(st.text("ab.+[", min_size=1, max_size=3), min_size=1)))
    recipe = Document("overlay.yaml", Recipe("a test", (Drop(glob, "r"),)), {})
    drop, _ = overlay.dropping([Overlay("one", Path(), recipe)])
    assert drop(path) == matches(glob, path)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{name: tor, any: [tor]}", "both of"),
        ("{optional: yes}", "neither of"),
        ("{name: pkg, optional: yes}", "needs a 'reason'"),
    ],
)
def test_a_package_is_asked_for_in_one_way(tmp_path: Path, rule: str, message: str) -> None:
    (tmp_path / "overlay.yaml").write_text(f"description: x\npackages:\n- {rule}\n")
    with pytest.raises(Refusal, match=rf"overlay\.yaml:3: .*{message}"):
        overlay.load(tmp_path)


def test_what_the_box_will_render_is_known() -> None:
    found = overlay.rendered(overlay.load_all(ROOT / "overlays"))
    assert {"etc/local/bgpd.conf", "etc/pf.conf"} <= found
    assert "etc/local/tor/torrc" not in found
