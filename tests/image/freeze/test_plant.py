"""The frozen program in a root tree, and in a folder."""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.freeze import artifact_cache
from image.freeze.frozen import Frozen, Module, plant, save
from image.freeze.target import Target
from image.tree import Kind, Tree, directory, file

TIME = 1_700_000_000


def frozen(folder: Path) -> Frozen:
    (folder / "_internal/overlays/pf/templates").mkdir(parents=True)
    for path, mode in (
        ("exitisp", 0o755),
        ("_internal/libpython3.11.so.1.0", 0o600),
        ("_internal/overlays/pf/templates/pf.conf.j2", 0o666),
        ("_internal/empty", 0o644),
    ):
        (folder / path).write_bytes(b"" if path.endswith("empty") else path.encode())
        (folder / path).chmod(mode)
    return Frozen(
        Target.FREEBSD, folder, artifact_cache.listing(folder), (Module("a", "1", "MIT"),)
    )


def root() -> Tree:
    tree = Tree()
    tree["usr"] = directory()
    tree["usr/local"] = directory()
    return tree


def planted(folder: Path) -> Tree:
    tree = root()
    plant(tree, frozen(folder), TIME)
    return tree


def test_it_belongs_to_root_and_is_read_only(tmp_path: Path) -> None:
    tree = planted(tmp_path)
    modes = {path: entry.mode for path, entry in tree.items() if entry.kind is Kind.FILE}
    assert modes == {
        "usr/local/exitisp/exitisp": 0o555,
        "usr/local/exitisp/_internal/libpython3.11.so.1.0": 0o444,
        "usr/local/exitisp/_internal/overlays/pf/templates/pf.conf.j2": 0o444,
        "usr/local/exitisp/_internal/empty": 0o444,
    }
    new = [entry for path, entry in tree.items() if path not in ("usr", "usr/local")]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in new} == {(0, 0, TIME)}


def test_its_contents_are_there(tmp_path: Path) -> None:
    tree = planted(tmp_path)
    path = "_internal/overlays/pf/templates/pf.conf.j2"
    assert tree[f"usr/local/exitisp/{path}"].content.read() == path.encode()
    assert tree["usr/local/exitisp/_internal/empty"].content.read() == b""


def test_a_link_leads_to_it(tmp_path: Path) -> None:
    link = planted(tmp_path)["usr/local/bin/exitisp"]
    assert (link.kind, link.target) == (Kind.SYMLINK, "../exitisp/exitisp")


def test_existing_folders_stay_unchanged(tmp_path: Path) -> None:
    tree = root()
    tree["usr/local/bin"] = directory(0o750, mtime=1)
    plant(tree, frozen(tmp_path), TIME)
    assert (tree["usr/local/bin"].mode, tree["usr/local/bin"].mtime) == (0o750, 1)


def test_a_file_in_its_way_is_refused(tmp_path: Path) -> None:
    tree = root()
    tree["usr/local/exitisp"] = file(b"")
    with pytest.raises(Refusal):
        plant(tree, frozen(tmp_path), TIME)


def test_its_hash_covers_what_is_planted(tmp_path: Path) -> None:
    first = frozen(tmp_path / "one")
    assert frozen(tmp_path / "two").sha256 == first.sha256
    program = tmp_path / "one/exitisp"
    for mode, content, same in (
        (0o700, b"exitisp", True),
        (0o555, b"exitisp", True),
        (0o644, b"exitisp", False),
        (0o555, b"exitisp2", False),
    ):
        program.write_bytes(content)
        program.chmod(mode)
        files = artifact_cache.listing(tmp_path / "one")
        again = Frozen(Target.FREEBSD, tmp_path / "one", files, ())
        assert (again.sha256 == first.sha256) is same


def test_it_is_saved_in_place_of_an_older_one(tmp_path: Path) -> None:
    one = frozen(tmp_path / "cache")
    output = tmp_path / "out" / "exitisp"
    save(one, output)
    (output / "leftover").touch()
    save(one, output)
    assert artifact_cache.listing(output) == one.files
    assert [path.name for path in output.parent.iterdir()] == ["exitisp"]


def test_it_is_not_saved_over_something_else(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with pytest.raises(Refusal, match="something other than an older program"):
        save(frozen(tmp_path / "cache"), tmp_path / "home")
    assert (tmp_path / "home" / "letter").read_text() == "dear"


def test_a_copy_that_fails_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = frozen(tmp_path / "cache")
    save(one, tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("image.freeze.frozen.shutil.copy2", full)
    with pytest.raises(Refusal, match="room"):
        save(one, tmp_path / "out")
    assert artifact_cache.listing(tmp_path / "out") == one.files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out"]
