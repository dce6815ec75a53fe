"""From a checkout to a folder that can be published, and to the next release; or a refusal."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import lock
from image.base.sets import open_local
from image.lock import Lock, Natural, Pin, SetPin, Sha256
from image.release.gates import check_manifest
from image.release.release import LOCK, changes_of, release, version_of
from image.release.sign import sign_release
from image.release.verify import verify
from tests import sets
from tests.command import ROOT, exitisp
from tests.image.base.upstream import Keys
from tests.image.release import other_python

pytestmark = pytest.mark.xdist_group("release")

ARGUMENTS = ("--packages", "none")
"""For builds: packages in miniature have no Python to freeze the wizard with."""

SETTING = 'autoboot_delay="-1"', 'autoboot_delay="4"'
"""Of boot/loader.conf, before and after the second release."""

VERIFY = """
import sys
from pathlib import Path
from image.release.verify import verify
root, folder, key = map(Path, sys.argv[1:4])
names = verify(root, folder, key, None, sys.argv[4:])
print(sys.version.replace("\\n", " "))
print(*names)
"""

CHANGES = "# Changelog\n\n## 2.0\n\nIt boots faster.\n\n## 1.0\n\nIt boots.\n"


@dataclass(frozen=True)
class Checkout:
    """A repository like this one, whose lock pins miniature base sets that are in the cache."""

    root: Path
    key: Path

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
        command = ["git", "-C", str(self.root), *who, *arguments]
        alone = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=alone).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A commit")

    def pin(self, pinned: Lock) -> None:
        lock.write(self.root / LOCK, pinned)
        self.commit()

    def release(self, version: str, output: Path, previous: Path | None = None) -> list[str]:
        return release(self.root, version, output, self.key, previous, ARGUMENTS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("release")
    root = folder / "exitisp"
    for name in ("image", "firstboot", "overlays", "qemu"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tasks.py", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / name, root / name)
    (root / "CHANGELOG.md").write_text(CHANGES)
    (root / ".gitignore").write_text("__pycache__/\n")
    checkout = Checkout(root, Keys.make(folder / "key").private)
    checkout.git("init", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        checkout.pin(pinned(folder))
        yield checkout
    shutil.rmtree(folder)


@pytest.fixture
def checkout(made: Checkout) -> Iterator[Checkout]:
    """The test may change it; afterwards it is restored."""
    commit = made.git("rev-parse", "HEAD").strip()
    yield made
    made.git("reset", "--quiet", "--hard", commit)
    made.git("clean", "--quiet", "--force", "-d")


def pinned(folder: Path) -> Lock:
    """A lock file that pins sets that are put into the cache below `folder`, as signed."""
    builder = Keys.make(folder / "builder")
    known = lock.load(ROOT / LOCK)
    place = folder / "cache/exitisp/sets"
    sets.write(place)
    found = open_local(place, known.base)
    base, kernel = (
        SetPin(Sha256(one.sha256), Natural(one.size), signed=True)
        for one in (found.base, found.kernel)
    )
    return replace(
        known,
        base=replace(known.base, key=builder.public, pin=Pin(Natural(7), base, kernel)),
        packages=replace(known.packages, pins=()),
    )


@pytest.fixture(scope="module")
def two(made: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A release, and the next one, with a changed setting."""
    folder = tmp_path_factory.mktemp("dist")
    first, second = folder / "exitisp-1.0", folder / "exitisp-2.0"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        made.release("1.0", Path(first.name))
    settings = made.root / "overlays/base/files/boot/loader.conf"
    settings.write_text(settings.read_text().replace(*SETTING))
    made.commit()
    made.release("2.0", second, first / "exitisp-1.0.json")
    yield first, second
    shutil.rmtree(folder)


def verified(folder: Path, key: Path) -> bool:
    """Whether the commands in the notes accept the release."""
    notes = next(folder.glob("*.md")).read_text()
    commands = re.search(r"(?s)```sh\n(.*?)```", notes)
    assert commands
    public = key.with_name(f"{key.name}.pub").read_text()
    (folder / "allowed_signers").write_text(f"exitisp-release {public}")
    done = subprocess.run(["sh", "-e", "-c", commands[1]], cwd=folder, capture_output=True)
    (folder / "allowed_signers").unlink()
    return done.returncode == 0


def test_a_release_is_whole(two: tuple[Path, Path], made: Checkout) -> None:
    for version, folder in zip(("1.0", "2.0"), two, strict=True):
        ends = (".bmap", ".cdx.json", ".img.xz", ".img.zst", ".json", ".md", ".upgrade")
        names = {f"exitisp-{version}{end}" for end in ends}
        assert {path.name for path in folder.iterdir()} == {*names, "SHA256SUMS", "SHA256SUMS.sig"}
        assert verified(folder, made.key)
        trust = [s["trust"] for s in json.loads(read(folder, ".json"))["base"]["sets"]]
        assert all(one.startswith("signed by SHA256:") for one in trust)


def read(folder: Path, end: str) -> str:
    return (folder / f"{folder.name}{end}").read_text()


def test_nothing_else_is_left(two: tuple[Path, Path]) -> None:
    assert {path.name for path in two[0].parent.iterdir()} == {"exitisp-1.0", "exitisp-2.0"}


def test_notes_say_what_was_written_and_what_changed(
    two: tuple[Path, Path], made: Checkout
) -> None:
    first, second = (read(folder, ".md") for folder in two)
    assert "It boots.\n" in first
    assert "What changed since" not in first
    assert "It boots faster.\n" in second
    assert f"Made of commit `{made.git('rev-parse', 'HEAD').strip()}`." in second
    assert "## What changed since 1.0" in second
    assert '/boot/loader.conf, autoboot_delay: "-1" becomes "4"' in second
    assert "/boot/loader.conf: content" in second


@pytest.mark.parametrize(
    "end", [".bmap", ".cdx.json", ".img.xz", ".img.zst", ".json", ".md", ".upgrade", "SHA256SUMS"]
)
def test_a_changed_file_is_found_by_the_commands_of_the_notes(
    two: tuple[Path, Path], made: Checkout, tmp_path: Path, end: str
) -> None:
    folder = tmp_path / two[0].name
    shutil.copytree(two[0], folder)
    path = folder / (end if end == "SHA256SUMS" else f"{two[0].name}{end}")
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    assert not verified(folder, made.key)


def test_a_truncated_file_and_another_key_are_detected(
    two: tuple[Path, Path], made: Checkout, tmp_path: Path
) -> None:
    folder = tmp_path / two[0].name
    shutil.copytree(two[0], folder)
    assert not verified(folder, Keys.make(tmp_path / "other").private)
    os.truncate(folder / "exitisp-1.0.img.zst", 1000)
    assert not verified(folder, made.key)


def test_a_build_that_depends_on_its_surroundings_is_refused(
    checkout: Checkout, tmp_path: Path
) -> None:
    planted = checkout.root / "image/root.py"
    planted.write_text(
        planted.read_text()
        + "\n\n_finish = finish\n\n\n"
        + "def finish(tree, *rest):  # type: ignore[no-untyped-def]\n"
        + "    import os\n\n    from image.tree import file\n\n"
        + "    _finish(tree, *rest)\n"
        + '    tree["etc/timezone"] = file(os.environ["TZ"].encode())\n'
    )
    checkout.commit()
    with pytest.raises(Refusal, match=r"first in files, /etc/timezone, "):
        checkout.release("1.0", tmp_path / "exitisp-1.0")
    assert list(tmp_path.iterdir()) == []


def test_the_last_line_of_a_failed_build_is_reported(checkout: Checkout, tmp_path: Path) -> None:
    recipe = checkout.root / "overlays/pf/overlay.yaml"
    recipe.write_text(f"{recipe.read_text()}nonsense: 1\n")
    checkout.commit()
    with pytest.raises(Refusal, match=r"the first build: it failed: .*nonsense"):
        checkout.release("1.0", tmp_path / "exitisp-1.0")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["overlays/pf/overlay.yaml", "overlays/pf/files/more", "README"])
def test_uncommitted_changes_are_refused(checkout: Checkout, tmp_path: Path, name: str) -> None:
    with (checkout.root / name).open("a") as file:
        file.write("# more\n")
    with pytest.raises(Refusal, match=rf"changes that are not committed: {name}\."):
        checkout.release("1.0", tmp_path / "exitisp-1.0")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_checkout_is_refused(made: Checkout, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="git failed here"):
        release(tmp_path, "1.0", tmp_path / "out", made.key)


class TestLock:
    def refused(self, checkout: Checkout, pinned: Lock, why: str, folder: Path) -> None:
        checkout.pin(pinned)
        with pytest.raises(Refusal, match=why):
            checkout.release("1.0", folder / "exitisp-1.0")
        assert list(folder.iterdir()) == []

    def test_no_base_pinned(self, checkout: Checkout, tmp_path: Path) -> None:
        known = lock.load(checkout.root / LOCK)
        without = replace(known, base=replace(known.base, pin=None))
        self.refused(checkout, without, "it pins no base system", tmp_path)

    def test_no_packages_pinned(self, checkout: Checkout, tmp_path: Path) -> None:
        known = lock.load(checkout.root / LOCK)
        without = replace(known, packages=replace(known.packages, pins=None))
        self.refused(checkout, without, "it pins no packages", tmp_path)

    def test_sets_that_nobody_signed(self, checkout: Checkout, tmp_path: Path) -> None:
        known = lock.load(checkout.root / LOCK)
        assert known.base.pin
        pin = replace(known.base.pin, kernel=replace(known.base.pin.kernel, signed=False))
        unsigned = replace(known, base=replace(known.base, pin=pin))
        self.refused(checkout, unsigned, "kernel.txz has no signature", tmp_path)


@pytest.mark.parametrize(
    ("base", "why"),
    [
        ({"rehearsal": True, "sets": []}, "a rehearsal cannot be a release"),
        (
            {"sets": [{"name": "base.txz", "trust": "unsigned, given with --sets"}]},
            r"base\.txz is unsigned, given with --sets",
        ),
    ],
)
def test_an_image_that_cannot_be_a_release_is_refused(
    tmp_path: Path, base: Mapping[str, object], why: str
) -> None:
    (tmp_path / "exitisp.json").write_text(json.dumps({"base": base}))
    with pytest.raises(Refusal, match=why):
        check_manifest(tmp_path / "exitisp.json")


def test_a_key_without_its_public_one_is_refused_before_any_build(
    checkout: Checkout, tmp_path: Path
) -> None:
    with pytest.raises(Refusal, match="the public key of the signing key is missing"):
        release(checkout.root, "1.0", tmp_path / "out", tmp_path / "key")
    assert list(tmp_path.iterdir()) == []


def test_the_task_refuses_in_one_sentence(tmp_path: Path) -> None:
    done = exitisp("release", "v1", "--key", "none", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("exitisp: version 'v1': a version is numbers with dots")
    assert done.stderr.count("\n") == 1


class TestVerify:
    """A published release, made again from its commit."""

    @pytest.fixture
    def published(self, two: tuple[Path, Path], checkout: Checkout, tmp_path: Path) -> Path:
        """The first release; the checkout is at its commit."""
        checkout.git("checkout", "--quiet", "HEAD~1")
        return Path(shutil.copytree(two[0], tmp_path / two[0].name))

    def verify(self, checkout: Checkout, folder: Path, previous: Path | None = None) -> list[str]:
        public = checkout.key.with_name(f"{checkout.key.name}.pub")
        return verify(checkout.root, folder, public, previous, ARGUMENTS)

    def forge(self, checkout: Checkout, folder: Path, name: str, data: bytes | bytearray) -> None:
        """Change a file of a release, and sign it with the right key."""
        (folder / name).write_bytes(data)
        (folder / "SHA256SUMS.sig").unlink()
        sign_release(folder, checkout.key)

    def test_it_is_the_same(self, checkout: Checkout, published: Path) -> None:
        listed = {path.name for path in published.iterdir()} - {"SHA256SUMS", "SHA256SUMS.sig"}
        assert set(self.verify(checkout, published)) == listed

    def test_another_build_of_python_makes_the_same_elsewhere(
        self, checkout: Checkout, published: Path, tmp_path: Path
    ) -> None:
        python = other_python.find()
        if python is None:
            pytest.skip(f"no other build of Python {other_python.MINOR} was found here")
        program = other_python.environment(python, tmp_path / "venv")
        place = tmp_path / "as far away as a path gets" / ("x" * 100)
        place.mkdir(parents=True)
        root = place / "exitisp"
        checkout.git("clone", "--quiet", str(checkout.root), str(root))
        public = checkout.key.with_name(f"{checkout.key.name}.pub")
        done = subprocess.run(
            [program, "-c", VERIFY, root, published, public, *ARGUMENTS],
            cwd=place,
            env={
                **{name: os.environ[name] for name in ("PATH", "XDG_CACHE_HOME")},
                **{"PYTHONPATH": str(root), "TMPDIR": str(place), "USER": "eve"},
                **{"TZ": "Pacific/Chatham", "LC_ALL": "C", "PYTHONHASHSEED": "77"},
            },
            umask=0o077,
            preexec_fn=lambda: os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1]),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said, names = done.stdout.splitlines()
        assert said not in ("", sys.version.replace("\n", " "))
        listed = {path.name for path in published.iterdir()} - {"SHA256SUMS", "SHA256SUMS.sig"}
        assert set(names.split()) == listed

    def test_the_next_one_is_the_same_with_the_one_before(
        self, checkout: Checkout, two: tuple[Path, Path]
    ) -> None:
        with pytest.raises(Refusal, match=r"Add --previous exitisp-1\.0\.json"):
            self.verify(checkout, two[1])
        names = self.verify(checkout, two[1], two[0] / "exitisp-1.0.json")
        assert {"exitisp-2.0.md", "exitisp-2.0.upgrade"} < set(names)

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("exitisp-1.0.upgrade", r"exitisp-1\.0\.upgrade: it is missing"),
            ("exitisp-1.0.exe", r"exitisp-1\.0\.exe: it is no file of a release"),
        ],
    )
    def test_a_release_with_fewer_or_more_files_is_not_built(
        self, checkout: Checkout, published: Path, name: str, why: str
    ) -> None:
        path = published / name
        if path.exists():
            path.unlink()
        else:
            path.write_text("x")
        (published / "SHA256SUMS.sig").unlink()
        sign_release(published, checkout.key)
        with pytest.raises(Refusal, match=why):
            self.verify(checkout, published)

    def test_another_image_is_found(
        self, checkout: Checkout, published: Path, two: tuple[Path, Path]
    ) -> None:
        other = (two[1] / "exitisp-2.0.img.zst").read_bytes()
        self.forge(checkout, published, "exitisp-1.0.img.zst", other)
        with pytest.raises(
            Refusal, match=r"exitisp-1\.0\.img\.zst: two builds .* differ, first in"
        ):
            self.verify(checkout, published)

    def test_another_fact_is_named(self, checkout: Checkout, published: Path) -> None:
        manifest = (published / "exitisp-1.0.json").read_bytes()
        changed = manifest.replace(b'"0555"', b'"4555"', 1)
        self.forge(checkout, published, "exitisp-1.0.json", changed)
        with pytest.raises(Refusal, match=r"differ, first in files, /.*, mode, byte"):
            self.verify(checkout, published)

    def test_another_commit_is_refused_with_what_to_type(
        self, checkout: Checkout, published: Path
    ) -> None:
        checkout.git("checkout", "--quiet", "-")
        with pytest.raises(Refusal, match=r"Take that commit: git checkout [0-9a-f]{40}"):
            self.verify(checkout, published)

    def test_a_release_with_another_signature_is_not_built(
        self, checkout: Checkout, published: Path
    ) -> None:
        (published / "exitisp-1.0.md").write_text("x")
        with pytest.raises(Refusal, match=r"exitisp-1\.0\.md: the file has the SHA-256"):
            self.verify(checkout, published)


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("exitisp-1.9.json", "1.9"),
        ("exitisp-2026.11.img.zst", "2026.11"),
        ("exitisp-1.0.img", "1.0"),
        ("last.json", "last.json"),
    ],
)
def test_the_version_before_is_told_by_its_name(name: str, version: str) -> None:
    assert version_of(Path("somewhere") / name) == version


def test_a_changelog_without_the_version_says_nothing() -> None:
    assert changes_of(CHANGES, "3.0") == []
    assert changes_of(CHANGES, "1.0") == ["It boots."]
    assert changes_of(CHANGES, "1") == []
