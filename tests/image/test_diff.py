"""The list of an image's files, and the difference of two images."""

import copy
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image import file_manifest
from image.diff import beside, contents, difference, load
from image.file_manifest import parse_settings
from image.tree import Content, Extent, Tree, directory, file, symlink
from tests.command import exitisp


def tree() -> Tree:
    made = Tree()
    made["etc"] = directory()
    made["etc/rc.conf"] = file(b'hostname="exit"\n')
    made["etc/sysctl.conf"] = file(b"kern.randompid=1\n")
    made["bin"] = directory()
    made["bin/sh"] = file(b"sh", 0o555, flags=0x20000)
    made["bin/su"] = file(b"su", 0o4555, gid=5, attributes={"system.hbsd.pax.nomprotect": b"1"})
    made["bin/["] = made["bin/test"] = file(b"test", 0o555)
    made["sys"] = symlink("usr/src/sys")
    made["conf"] = directory()
    made["conf/base"] = directory()
    made["conf/base/etc"] = directory()
    for name in ("rc.conf", "sysctl.conf"):
        made[f"conf/base/etc/{name}"] = replace(made[f"etc/{name}"])
    return made


def manifest(of: Tree, **more: Any) -> dict[str, Any]:
    facts = {
        "base": {"build": "7", "sets": [{"name": "base.txz", "sha256": "aa"}]},
        "packages": [{"name": "tor", "version": "0.4.9.11"}],
        "wizard": {"sha256": "bb", "modules": [{"name": "jinja2", "version": "3.1"}]},
        **file_manifest.describe(of),
        **more,
    }
    again: dict[str, Any] = json.loads(file_manifest.render(facts))
    assert again == facts
    return again


def changed(after: Tree, **more: Any) -> list[str]:
    return difference(contents(manifest(tree())), contents(manifest(after, **more)))


class TestListing:
    def test_defaults_are_left_out(self) -> None:
        files = file_manifest.describe(tree())["files"]
        assert files["/"] == {"kind": "directory", "mode": "0755"}
        assert files["/bin/sh"] == {
            "kind": "file",
            "mode": "0555",
            "flags": "schg",
            "size": 2,
            "sha256": hashlib.sha256(b"sh").hexdigest(),
        }
        assert files["/bin/su"]["owner"] == "0:5"
        assert files["/bin/su"]["attributes"] == {"system.hbsd.pax.nomprotect": "1"}
        assert files["/sys"] == {"kind": "symlink", "mode": "0755", "target": "usr/src/sys"}

    def test_hard_links_name_the_first_of_them(self) -> None:
        files = file_manifest.describe(tree())["files"]
        assert "link" not in files["/bin/["]
        assert files["/bin/test"]["link"] == "/bin/["

    def test_every_path_is_listed_once(self) -> None:
        assert set(file_manifest.describe(tree())["files"]) == {
            "/",
            *(f"/{path}" for path in tree()),
        }

    def test_a_file_is_a_line(self) -> None:
        lines = file_manifest.render(file_manifest.describe(tree())).splitlines()
        assert sum(line.startswith('    "/bin/') for line in lines) == 4

    def test_times_do_not_matter(self) -> None:
        later = tree()
        later.amend("bin/sh", mtime=1_800_000_000)
        assert file_manifest.describe(later) == file_manifest.describe(tree())

    def test_holes_and_parts_of_files_are_hashed_like_their_content(self, tmp_path: Path) -> None:
        origin = tmp_path / "origin"
        origin.write_bytes(b"-" * 7 + b"x" * (file_manifest.CHUNK + 3))
        content = Content(
            3 * file_manifest.CHUNK,
            (Extent(5, 2, b"abc", 1), Extent(100, file_manifest.CHUNK + 3, origin, 7)),
        )
        made = Tree()
        made["big"] = file(content)
        facts = file_manifest.describe(made)["files"]["/big"]
        assert facts["sha256"] == hashlib.sha256(content.read()).hexdigest()

    def test_a_file_that_became_shorter_is_an_error(self, tmp_path: Path) -> None:
        origin = tmp_path / "origin"
        origin.write_bytes(b"short")
        made = Tree()
        made["a"] = file(Content(6, (Extent(0, 6, origin),)))
        with pytest.raises(EOFError, match="origin is shorter"):
            file_manifest.describe(made)

    def test_names_and_values_that_are_not_utf8_are_listed(self) -> None:
        made = Tree()
        made["a\udcff"] = file(b"", attributes={"user.x": b"\xff\0"}, flags=1 << 30 | 1)
        (path, facts) = list(file_manifest.describe(made)["files"].items())[1]
        assert path == "/a\\xff"
        assert facts["attributes"] == {"user.x": "ff00"}
        assert facts["flags"] == "nodump,0x40000000"
        json.dumps(facts).encode()

    def test_settings_are_the_values_that_lines_set(self) -> None:
        text = (
            "# a=1\nb=\"two words\" # why\n c = 3\nd='q'\nd=4\nif x; then\nkern.ipc.x=5#6\nload=\n"
        )
        values = {"b": "two words", "c": "3", "d": "4", "kern.ipc.x": "5", "load": ""}
        assert parse_settings(text) == values

    def test_settings_are_listed_by_file(self) -> None:
        settings = file_manifest.describe(tree())["settings"]
        assert settings == {
            "/etc/rc.conf": {"hostname": "exit"},
            "/etc/sysctl.conf": {"kern.randompid": "1"},
        }


class TestDifference:
    def test_equal_images_have_none(self) -> None:
        assert changed(tree()) == []

    def test_changed_versions_of_base_packages_and_modules_are_reported(self) -> None:
        told = changed(
            tree(),
            base={"build": "8", "sets": [{"name": "base.txz", "sha256": "ab"}]},
            packages=[{"name": "tor", "version": "0.4.9.12"}, {"name": "pkg", "version": "2"}],
            wizard=None,
        )
        assert told == [
            "Base",
            "    base.txz: aa becomes ab",
            "    build: 7 becomes 8",
            "Packages",
            "  + pkg: 2",
            "    tor: 0.4.9.11 becomes 0.4.9.12",
            "Wizard",
            "  - jinja2: 3.1",
        ]

    def test_a_changed_setting_is_reported_without_its_copy(self) -> None:
        after = tree()
        for path in ("etc/sysctl.conf", "conf/base/etc/sysctl.conf"):
            after[path] = file(b"kern.randompid=0\nnet.new=1\n")
        assert changed(after) == [
            "Settings",
            '    /etc/sysctl.conf, kern.randompid: "1" becomes "0"',
            '  + /etc/sysctl.conf, net.new: "1"',
            "Files",
            "    /etc/sysctl.conf: content, 17 becomes 27 bytes",
        ]

    def test_a_copy_that_differs_from_its_original_is_reported(self) -> None:
        after = tree()
        after["conf/base/etc/rc.conf"] = file(b'hostname="evil"\n')
        assert changed(after)[-1] == "    /conf/base/etc/rc.conf: content"

    @pytest.mark.parametrize(
        ("path", "facts", "told"),
        [
            ("bin/sh", {"mode": 0o4555}, "mode 0555 becomes 4555"),
            ("bin/sh", {"uid": 5, "gid": 6}, "owner 0:0 becomes 5:6"),
            ("bin/sh", {"flags": 0}, "flags schg becomes no flags"),
            ("bin/sh", {"flags": 0x20800}, "flags schg becomes schg,uarch"),
            ("bin/sh", {"content": Content.of(b"hs")}, "content"),
            ("bin/su", {"attributes": {}}, "attribute - system.hbsd.pax.nomprotect: 1"),
            (
                "bin/su",
                {"attributes": {"system.hbsd.pax.nomprotect": b"0"}},
                "attribute system.hbsd.pax.nomprotect: 1 becomes 0",
            ),
            (
                "bin/sh",
                {"attributes": {"system.x": b"{0}"}, "mode": 0o500},
                "mode 0555 becomes 0500; attribute + system.x: {0}",
            ),
            ("sys", {"target": "src"}, "target usr/src/sys becomes src"),
        ],
    )
    def test_every_changed_fact_of_a_file_is_reported(
        self, path: str, facts: dict[str, Any], told: str
    ) -> None:
        after = tree()
        after.amend(path, **facts)
        assert changed(after) == ["Files", f"    /{path}: {told}"]

    def test_a_hard_link_that_became_a_separate_file_is_reported(self) -> None:
        after = tree()
        after["bin/test"] = replace(after["bin/test"])
        assert changed(after)[1:] == ["    /bin/test: link /bin/[ becomes a file of its own"]

    def test_added_and_removed_files_are_reported_with_their_facts(self) -> None:
        after = tree()
        del after["bin/su"]
        after["bin/doas"] = file(b"12345", 0o4555, gid=5, flags=0x20000)
        after["bin/ed"] = symlink("sh")
        assert changed(after)[1:] == [
            "  + /bin/doas: file 4555 0:5 schg 5 bytes",
            "  + /bin/ed: symlink 0755 0:0 to sh",
            "  - /bin/su: file 4555 0:5 system.hbsd.pax.nomprotect=1 2 bytes",
        ]

    def test_a_whole_directory_is_one_line(self) -> None:
        after = tree()
        del after["bin"]
        after["usr"] = directory()
        after["usr/local"] = directory()
        after["usr/local/x"] = file(b"")
        after["usr.x"] = file(b"")
        assert changed(after)[1:] == [
            "  - /bin: with 4 below it",
            "  + /usr: with 2 below it",
            "  + /usr.x: file 0644 0:0 0 bytes",
        ]

    def test_a_changed_kind_is_reported(self) -> None:
        after = tree()
        del after["sys"]
        after["sys"] = directory()
        after["sys/x"] = file(b"")
        assert changed(after)[1:] == [
            "    /sys: kind symlink becomes directory; target usr/src/sys becomes no target",
            "  + /sys/x: file 0644 0:0 0 bytes",
        ]

    @given(st.data())
    def test_differences_are_reported_exactly_where_there_are_any(
        self, data: st.DataObject
    ) -> None:
        before = tree()
        after = copy.copy(before)
        path = data.draw(st.sampled_from(sorted(before)))
        fact = data.draw(st.sampled_from(["mode", "uid", "gid", "flags"]))
        value = data.draw(st.integers(0, 7))
        same = getattr(before[path], fact) == value
        amended = tree()
        amended.amend(path, **{fact: value})
        told = difference(
            contents(file_manifest.describe(after)), contents(file_manifest.describe(amended))
        )
        assert (told == []) == same


def test_the_time_for_many_new_folders_grows_as_their_number_does() -> None:
    """Twenty thousand of them took a minute."""
    before = contents(manifest(tree()))
    facts = {"kind": "directory", "mode": "0755"}
    folders = {f"/new{n:05}": facts for n in range(20_000)}
    after = replace(before, files={**before.files, **folders, "/new00000/a": facts})
    began = time.process_time()
    told = difference(before, after)
    assert time.process_time() - began < 5
    assert told[1] == "  + /new00000: with 1 below it"
    assert len(told) == 1 + len(folders)


class TestManifests:
    @pytest.mark.parametrize(
        ("image", "name"),
        [
            ("dist/exitisp.img", "exitisp.json"),
            ("exitisp.img.xz", "exitisp.json"),
            ("exitisp.img.zst", "exitisp.json"),
            ("old.json", "old.json"),
        ],
    )
    def test_it_lies_beside_the_image(self, image: str, name: str) -> None:
        assert beside(Path(image)) == Path(image).with_name(name)

    @pytest.mark.parametrize(
        "text",
        [
            "", "{", "[]", "{}", "null", '"x"', "1", "[" * 100_000, "\xff", "NaN",
            '{"files": []}', '{"files": {"/": 1}}', '{"files": {}, "settings": []}',
            '{"files": {}, "settings": {"/x": 1}}', '{"files": {}, "packages": {}}',
            '{"files": {}, "packages": [1]}', '{"files": {}, "packages": "x"}',
            '{"files": {}, "base": 1}', '{"files": {}, "base": {"sets": 1}}',
            '{"files": {}, "wizard": 1}', '{"files": {}, "wizard": {"modules": 1}}',
        ],
    )  # fmt: skip
    def test_another_file_than_a_manifest_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "exitisp.json"
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(Refusal, match="not the manifest of an image with a list of its files"):
            load(tmp_path / "exitisp.img")

    def test_a_missing_manifest_is_refused(self, tmp_path: Path) -> None:
        for path in (tmp_path / "exitisp.img", tmp_path):
            with pytest.raises(Refusal, match="Name an image that has its manifest beside it"):
                load(path)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(
                    st.sampled_from(["files", "settings", "kind", "attributes", "/a", "size"]),
                    inner,
                    max_size=3,
                )
            ),
        )
    )
    def test_facts_of_any_kind_are_compared_or_refused(self, facts: Any) -> None:
        try:
            wild = contents(
                {"files": {"/": facts}, "settings": facts, "packages": facts, "wizard": facts}
            )
        except ValueError:
            return
        known = contents(manifest(tree()))
        assert difference(wild, wild) == []
        assert difference(wild, known)
        assert difference(known, wild)

    def test_the_command_prints_it_and_nothing_acts_on_the_terminal(self, tmp_path: Path) -> None:
        after = tree()
        after["bin/\x1b[2J\nevil"] = file(b"")
        (tmp_path / "old.json").write_text(file_manifest.render(manifest(tree())))
        (tmp_path / "new.json").write_text(file_manifest.render(manifest(after)))
        result = exitisp("compare", "old.json", "new.img", folder=tmp_path)
        assert result.returncode == 0, result.stderr
        assert result.stdout == "Files\n  + /bin/?[2J?evil: file 0644 0:0 0 bytes\n"
        same = exitisp("compare", "old.json", "old.json", folder=tmp_path)
        assert same.stdout == "no difference\n"
        missing = exitisp("compare", "old.json", "none.img", folder=tmp_path)
        assert missing.returncode == 1
        assert missing.stderr.startswith(
            "exitisp: none.json: the manifest of the image cannot be read"
        )
