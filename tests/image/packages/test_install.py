"""Packages in the tree: where their files go, whose they are, and what they may not cover."""

from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.core.values import Mode
from image import overlay
from image.accounts import Accounts
from image.packages.contents import Contents, unpack
from image.packages.install import copy_samples, detours, install, place
from image.packages.review import Sample
from image.packages.reviewed import Reviewed, SetId
from image.tree import Kind, Tree, directory, file, symlink
from tests import sets
from tests.command import ROOT
from tests.image.packages.fixtures import FIXTURES, needs_fixtures
from tests.image.packages.given import fixture, unpacked
from tests.image.packages.repository import TIME, Item, Made

ACCOUNTS = Accounts.parse(sets.MASTER_PASSWD, sets.GROUP)
WAYS = {"usr/local/etc": "etc/local"}
NOW = 1_700_000_000


def base() -> Tree:
    tree = Tree()
    for path in ("etc", "usr", "usr/bin", "usr/local", "var", "var/db"):
        tree[path] = directory()
    tree["usr/bin/su"] = file(b"su", 0o4555)
    tree["sys"] = symlink("usr/src/sys")
    return tree


def installed(
    folder: Path,
    *packages: Made,
    reviewed: Reviewed | None = None,
) -> tuple[Tree, dict[str, str]]:
    tree = base()
    contents: list[Contents] = [unpacked(folder, one) for one in packages]
    read = Document("packages.yaml", reviewed or Reviewed(), {})
    return tree, install(tree, contents, read, ACCOUNTS, WAYS, NOW)


def test_files_links_and_directories_arrive_with_all_their_facts(tmp_path: Path) -> None:
    tree, owners = installed(
        tmp_path,
        Made(
            "tool",
            items={
                "/usr/local/bin/tool": Item(
                    b"program", 0o555, "daemon", "operator", "schg",
                    {"system.hbsd.pax.nomprotect": b"1"},
                ),
                "/usr/local/bin/alias": Item(hardlink="/usr/local/bin/tool"),
                "/usr/local/lib/libtool.so": Item(symlink="libtool.so.1"),
                "/var/db/tool": Item(directory=True, mode=0o700, owner="unbound", group="unbound"),
            },
        ),
    )  # fmt: skip
    tool = tree["usr/local/bin/tool"]
    assert (tool.content.read(), tool.mode, tool.uid, tool.gid) == (b"program", 0o555, 1, 5)
    assert (tool.flags, tool.mtime) == (0x20000, TIME)
    assert tool.attributes == {"system.hbsd.pax.nomprotect": b"1"}
    assert tree["usr/local/bin/alias"] is tool
    assert tree["usr/local/lib/libtool.so"].target == "libtool.so.1"
    folder = tree["var/db/tool"]
    assert (folder.kind, folder.mode, folder.uid) == (Kind.DIRECTORY, 0o700, 59)
    made = tree["usr/local/lib"]
    assert (made.kind, made.mode, made.uid, made.mtime) == (Kind.DIRECTORY, 0o755, 0, NOW)
    assert set(owners) == {"usr/local/bin/tool", "usr/local/bin/alias", "usr/local/lib/libtool.so"}
    assert set(owners.values()) == {"tool-1.0"}


def test_configuration_goes_where_the_overlay_s_link_leads(tmp_path: Path) -> None:
    tree, _ = installed(
        tmp_path,
        Made(
            "tool",
            items={
                "/usr/local/etc/rc.d/tool": Item(b"#!/bin/sh", 0o555),
                "/usr/local/etc/rc.d/too": Item(hardlink="/usr/local/etc/rc.d/tool"),
                "/usr/local/etcetera": Item(b"not configuration"),
            },
        ),
    )
    assert tree["etc/local/rc.d/tool"] is tree["etc/local/rc.d/too"]
    assert "usr/local/etcetera" in tree
    assert "usr/local/etc" not in tree


def test_the_project_s_overlays_send_configuration_into_memory() -> None:
    ways = detours(overlay.load_all(ROOT / "overlays"))
    assert ways["usr/local/etc"] == "etc/local"
    assert place("usr/local/etc/tor/torrc", ways) == "etc/local/tor/torrc"
    assert place("usr/local/etc", ways) == "etc/local"


RIVAL = Made("rival", items={"/usr/local/bin/tool": Item(b"another")})
TOOL = Made("tool", items={"/usr/local/bin/tool": Item(b"the tool")})


@pytest.mark.parametrize(
    ("packages", "message"),
    [
        ((TOOL, RIVAL), r"rival-1.0: /usr/local/bin/tool: tool-1\.0 has the same file"),
        (
            (Made("one", items={"/usr/bin/su": Item(b"")}),),
            "one-1.0: /usr/bin/su: the base has the same file",
        ),
        (
            (Made("one", items={"/usr/bin": Item(b"")}),),
            "one-1.0: /usr/bin: the base has the same file",
        ),
        (
            (Made("one", items={"/usr/bin/su": Item(directory=True)}),),
            "a directory here, but a file of the base has the same path",
        ),
        (
            (TOOL, Made("one", items={"/usr/local/bin/tool/x": Item(b"")})),
            r"/usr/local/bin/tool, which should hold it, is a file of tool-1\.0",
        ),
        (
            (Made("one", items={"/sys/kern/x": Item(b"")}),),
            "/sys, which should hold it, is a symlink of the base",
        ),
        (
            (
                Made(
                    "one",
                    items={
                        "/usr/local/way": Item(symlink="../../etc"),
                        "/usr/local/way/master.passwd": Item(b"root::0:0::0:0::/:/bin/sh"),
                    },
                ),
            ),
            r"/usr/local/way, which should hold it, is a symlink of one-1\.0",
        ),
        (
            (Made("one", items={"/usr/local/x": Item(b"", owner="nobody")}),),
            "neither the base nor the package brings its owner or group 'nobody'",
        ),
        (
            (
                Made("one", items={"/var/db/x": Item(directory=True, mode=0o700)}),
                Made("two", items={"/var/db/x": Item(directory=True, mode=0o755)}),
            ),
            r"two-1.0: /var/db/x: one-1\.0 gives this directory another mode, owner or group",
        ),
        (
            (Made("one", items={"/usr/local/bin/one": Item(b"", 0o4555)}),),
            "one-1.0: /usr/local/bin/one: the mode is 4555: the program would run as its "
            "owner or group, and",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, packages: tuple[Made, ...], message: str
) -> None:
    with pytest.raises(Refusal, match=message):
        installed(tmp_path, *packages)


def test_a_set_id_program_that_was_reviewed_is_installed(tmp_path: Path) -> None:
    path = "usr/local/bin/one"
    reviewed = Reviewed(setuid=(SetId("one", path, Mode(0o4555), "it must"),))
    made = Made("one", items={f"/{path}": Item(b"", 0o4555)})
    tree, _ = installed(tmp_path, made, reviewed=reviewed)
    assert tree[path].mode == 0o4555


def test_directories_of_base_stay_as_base_has_them(tmp_path: Path) -> None:
    made = Made("one", items={"/var/db": Item(directory=True, mode=0o777, owner="unbound")})
    tree, _ = installed(tmp_path, made)
    assert (tree["var/db"].mode, tree["var/db"].uid) == (0o755, 0)


def test_a_directory_counts_as_described_whoever_made_it_first(tmp_path: Path) -> None:
    one = Made("one", items={"/var/db/x/file": Item(b"")})
    two = Made("two", items={"/var/db/x": Item(directory=True, mode=0o700, owner="unbound")})
    for packages in ((one, two), (two, one), (two, replace(two, name="three"))):
        tree, _ = installed(tmp_path, *packages)
        assert (tree["var/db/x"].mode, tree["var/db/x"].uid) == (0o700, 59)


class TestSamples:
    MADE = Made(
        "tool",
        items={"/usr/local/etc/tool.conf.sample": Item(b"x = 1", 0o640, "daemon", flags="uchg")},
    )
    SAMPLE = Sample("usr/local/etc/tool.conf.sample", "usr/local/etc/tool.conf")

    def test_they_are_copied_with_their_owners_and_modes(self, tmp_path: Path) -> None:
        tree, _ = installed(tmp_path, self.MADE)
        copy_samples(tree, [self.SAMPLE], WAYS, ())
        copy = tree["etc/local/tool.conf"]
        assert (copy.content.read(), copy.mode, copy.uid, copy.flags) == (b"x = 1", 0o640, 1, 0)
        assert copy is not tree["etc/local/tool.conf.sample"]

    def test_what_is_there_stays(self, tmp_path: Path) -> None:
        tree, _ = installed(tmp_path, self.MADE)
        tree["etc/local/tool.conf"] = file(b"mine")
        copy_samples(tree, [self.SAMPLE], WAYS, ())
        assert tree["etc/local/tool.conf"].content.read() == b"mine"

    def test_what_is_rendered_on_the_box_is_not_copied(self, tmp_path: Path) -> None:
        tree, _ = installed(tmp_path, self.MADE)
        copy_samples(tree, [self.SAMPLE], WAYS, ["etc/local/tool.conf"])
        assert "etc/local/tool.conf" not in tree

    def test_one_that_is_missing_is_refused(self) -> None:
        with pytest.raises(
            Refusal, match="the package whose script copies this sample does not have it"
        ):
            copy_samples(base(), [self.SAMPLE], WAYS, ())


class TestOverlays:
    def laid(self, folder: Path, replaces: str) -> Tree:
        mine = folder / "mine"
        (mine / "files/usr/local/bin").mkdir(parents=True)
        (mine / "files/usr/local/bin/tool").write_text("mine")
        (mine / "overlay.yaml").write_text(
            f"description: x\nfiles:\n- {{path: usr/local/bin/tool, replaces: {replaces}}}\n"
        )
        tree, packaged = installed(folder, TOOL)
        overlay.apply([overlay.load(mine)], tree, ACCOUNTS, NOW, packaged)
        return tree

    def test_a_file_of_both_is_refused_and_both_are_named(self, tmp_path: Path) -> None:
        message = r"mine/overlay\.yaml:3: tool-1\.0 has /usr/local/bin/tool too"
        with pytest.raises(Refusal, match=message):
            self.laid(tmp_path, "no")

    def test_unless_it_is_meant(self, tmp_path: Path) -> None:
        assert self.laid(tmp_path, "yes")["usr/local/bin/tool"].content.read() == b"mine"

    def test_exceptions_from_memory_protection_can_be_added(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.mkdir()
        (mine / "overlay.yaml").write_text(
            "description: x\namend:\n- path: usr/local/bin/tool\n  reason: writes its own code\n"
            '  attributes: {system.hbsd.pax.nomprotect: "1"}\n'
        )
        tree, packaged = installed(tmp_path, TOOL)
        overlay.apply([overlay.load(mine)], tree, ACCOUNTS, NOW, packaged)
        tool = tree["usr/local/bin/tool"]
        assert tool.attributes == {"system.hbsd.pax.nomprotect": b"1"}
        assert tool.content.read() == b"the tool"


@needs_fixtures
class TestSharedPackages:
    """Packages that pkg itself made or took."""

    SETUID = (
        SetId("fixture-tool", "usr/local/bin/fixture-tool", Mode(0o4555), "a test"),
        SetId("fixture-tool", "usr/local/bin/fixture-tool-group", Mode(0o2555), "a test"),
    )

    def install(self, folder: Path, *names: str, setuid: tuple[SetId, ...] = SETUID) -> Tree:
        packages = [unpack(fixture(FIXTURES / "All" / f"{name}.pkg"), folder) for name in names]
        tree = base()
        install(
            tree,
            packages,
            Document("packages.yaml", Reviewed(setuid=setuid), {}),
            ACCOUNTS,
            WAYS,
            NOW,
        )
        return tree

    def test_names_links_flags_and_modes_arrive(self, tmp_path: Path) -> None:
        tree = self.install(tmp_path, "fixture-base-1.0", "fixture-tool-1.2_1", "fixture-pax-2.0,1")
        share = "usr/local/share/fixture"
        assert tree[f"{share}/second-name"] is tree[f"{share}/first-name"]
        assert tree[f"{share}/a name, 100% Größe"].size == 4
        assert tree[f"{share}/dangling"].target == "nowhere"
        assert tree[f"{share}/locked"].flags == 0x2
        assert tree[f"{share}/empty"].mode == 0o1777
        assert tree["usr/local/bin/fixture-tool"].mode == 0o4555
        assert tree["usr/local/bin/fixture-tool-group"].gid == 5
        assert "etc/local/fixture-tool.conf" in tree
        marked = [entry for entry in tree.values() if entry.attributes]
        assert {"system.hbsd.pax.nomprotect"} <= {name for one in marked for name in one.attributes}

    def test_a_program_that_changes_its_user_is_refused_unread(self, tmp_path: Path) -> None:
        with pytest.raises(
            Refusal, match=r"fixture-tool-1\.2_1: /usr/local/bin/fixture-tool: .*4555"
        ):
            self.install(tmp_path, "fixture-tool-1.2_1", setuid=())

    def test_rivals_for_a_file_are_both_named(self, tmp_path: Path) -> None:
        with pytest.raises(
            Refusal, match=r"fixture-rival-0\.9\.b2: .*: fixture-tool-1\.2_1 has the same file"
        ):
            self.install(tmp_path, "fixture-tool-1.2_1", "fixture-rival-0.9.b2")
