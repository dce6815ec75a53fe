"""Whatever is wrong with the input, a person gets one sentence, and keeps the image they had."""

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from image.layout import SMALLEST_MIB
from tests import sets
from tests.command import Prepare, command, digest, environment, exitisp
from tests.sets import Item

BUILD = ("build", "--packages", "none", "--sets", "sets")
OLD_IMAGE = b"the image that was built before"
OLD_MANIFEST = b"its manifest"

NOISE = random.Random(1).randbytes(3 << 19)


ELF_64 = sets.ELF_FREEBSD_AMD64[:16]


class Bench:
    """A folder with good sets and an image built before: what each test makes worse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sets = sets.write(folder / "sets")
        self.output = folder / "dist" / "exitisp.img"
        self.output.parent.mkdir()
        self.output.write_bytes(OLD_IMAGE)
        self.output.with_suffix(".json").write_bytes(OLD_MANIFEST)

    def overlay(self, recipe: str, name: str = "mine", **files: str) -> tuple[str, str]:
        """An overlay of the user's own, and the arguments that name it."""
        place = self.folder / name
        (place / "files/etc").mkdir(parents=True)
        (place / "overlay.yaml").write_text(f"description: mine\n{recipe}")
        for file, text in files.items():
            (place / "files/etc" / file).write_text(text)
        return "--overlay", name

    def build(
        self, *arguments: str, before: Prepare | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return exitisp(*BUILD, *arguments, folder=self.folder, before=before, **variables)

    def refuses(self, *arguments: str, before: Prepare | None = None) -> str:
        """The one sentence that a build says."""
        result = self.build(*arguments, before=before)
        told = sentence(result.returncode, result.stderr)
        assert result.returncode == 1
        assert self.is_untouched()
        return told

    def is_untouched(self) -> bool:
        found = {path.name: path.read_bytes() for path in self.output.parent.iterdir()}
        return found == {"exitisp.img": OLD_IMAGE, "exitisp.json": OLD_MANIFEST}


def sentence(status: int, stderr: str) -> str:
    assert status
    assert "Traceback" not in stderr
    told = [line for line in stderr.splitlines() if line.startswith("exitisp: ")]
    assert stderr.splitlines()[-1:] == told
    assert told[0].isprintable()
    return told[0].removeprefix("exitisp: ")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_the_bench_is_good_when_nothing_is_made_worse(bench: Bench) -> None:
    result = bench.build()
    assert result.returncode == 0, result.stderr
    assert not bench.is_untouched()
    assert sorted(path.name for path in bench.output.parent.iterdir()) == [
        "exitisp.cdx.json",
        "exitisp.img",
        "exitisp.json",
    ]
    assert json.loads(bench.output.with_suffix(".json").read_text())["overlays"]


class TestSets:
    @pytest.mark.parametrize("name", ["MANIFEST", "base.txz", "kernel.txz"])
    def test_a_missing_file(self, bench: Bench, name: str) -> None:
        (bench.sets / name).unlink()
        assert f"missing files: {name}. Put " in bench.refuses()

    def test_no_folder(self, bench: Bench) -> None:
        shutil.rmtree(bench.sets)
        assert bench.refuses().startswith("sets: no such folder")

    def test_a_set_cut_short(self, bench: Bench) -> None:
        path = bench.sets / "base.txz"
        os.truncate(path, path.stat().st_size // 2)
        assert bench.refuses().startswith("sets/base.txz: its SHA-256 is ")

    def test_one_altered_byte(self, bench: Bench) -> None:
        path = bench.sets / "kernel.txz"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        assert bench.refuses().startswith("sets/kernel.txz: its SHA-256 is ")

    def test_a_hash_of_another_build(self, bench: Bench) -> None:
        path = bench.sets / "MANIFEST"
        path.write_text(re.sub("[0-9a-f]{64}", "0" * 64, path.read_text(), count=1))
        assert "MANIFEST beside it says 0000" in bench.refuses()

    def test_a_manifest_that_is_none(self, bench: Bench) -> None:
        (bench.sets / "MANIFEST").write_bytes(bytes(100))
        assert bench.refuses().startswith("sets/MANIFEST:1: ")

    @pytest.mark.parametrize("name", ["base", "kernel"])
    def test_a_damaged_archive_with_the_right_hash(self, bench: Bench, name: str) -> None:
        sets.seal(bench.sets, **{name: sets.archive(getattr(sets, name.upper()))[:-40]})
        told = bench.refuses()
        assert told.startswith(f"sets/{name}.txz: not a whole tar archive compressed with xz")

    def test_something_that_is_no_archive(self, bench: Bench) -> None:
        sets.seal(bench.sets, base=b"not xz at all", kernel=b"neither")
        assert bench.refuses().startswith("sets/base.txz: not a whole tar archive")

    def test_an_empty_archive(self, bench: Bench) -> None:
        sets.write(bench.sets, base=(), kernel=())
        assert "/etc/master.passwd is missing from the base system" in bench.refuses()

    @pytest.mark.parametrize(
        ("where", "path", "head", "found"),
        [
            ("kernel", "boot/kernel/kernel", ELF_64, 183),
            ("base", "libexec/ld-elf.so.1", ELF_64, 183),
            ("kernel", "boot/kernel/kernel", b"\x7fELF\x01\x01\x01\x09" + bytes(8), 3),
            ("base", "libexec/ld-elf.so.1", b"\x7fELF\x02\x01\x01\x00" + bytes(8), 62),
        ],
    )
    def test_a_set_for_another_architecture(
        self, bench: Bench, where: str, path: str, head: bytes, found: int
    ) -> None:
        program = head + b"\x02\x00" + found.to_bytes(2, "little") + bytes(44)
        items = tuple(
            Item(item.path, program) if item.path == f"./{path}" else item
            for item in getattr(sets, where.upper())
        )
        sets.write(bench.sets, **{where: items})
        told = bench.refuses()
        assert told.startswith(f"/{path}: not a program for FreeBSD on amd64")
        assert f"machine {found}, ABI {head[7]}" in told

    @pytest.mark.parametrize(
        "path",
        ["etc/master.passwd", "etc/group", "etc/passwd", "libexec/ld-elf.so.1", "boot/pmbr",
         "boot/gptboot"],
    )  # fmt: skip
    def test_a_base_in_which_something_is_missing(self, bench: Bench, path: str) -> None:
        base = (item for item in sets.BASE if item.path != f"./{path}")
        sets.write(bench.sets, base=base)
        assert f"/{path} is missing from the base system" in bench.refuses()

    @pytest.mark.parametrize(
        ("items", "told"),
        [
            ([Item("../../etc/passwd")], "the path leaves the root"),
            ([Item("/etc/cron.d/x")], "an absolute path, as a "),
            (
                [Item("./out", type=b"2", link="/etc"), Item("./out/x")],
                "/out, which should hold it, is a symlink",
            ),
            ([Item("./x", type=b"1", link="../../etc/shadow")], "the path leaves the root"),
            ([Item("./dev/mem", type=b"3")], "which is neither a file, a directory nor a link"),
            (
                [Item("./x", owner="mallory")],
                "its owner or group 'mallory' is not in master.passwd",
            ),
            (
                [Item("./x", type=b"1", link="./none")],
                "a hard link to /none, which does not come before it",
            ),
            ([Item("./bin/sh")], "the file is in another set too"),
            (
                [Item("./x", headers={"SCHILY.fflags": "shiny"})],
                "'shiny' is no file flag of chflags(1)",
            ),
        ],
    )
    def test_an_entry_that_does_not_belong_there(
        self, bench: Bench, items: list[Item], told: str
    ) -> None:
        before = sorted(bench.folder.parent.iterdir())
        sets.write(bench.sets, kernel=(*sets.KERNEL, *items))
        assert told in bench.refuses()
        assert sorted(bench.folder.parent.iterdir()) == before


class TestOverlays:
    def test_an_unknown_user(self, bench: Bench) -> None:
        arguments = bench.overlay("files:\n- path: etc/a\n  owner: mallory\n", a="")
        assert bench.refuses(*arguments).startswith(
            "mine/overlay.yaml:4: the base's etc/master.passwd has no user 'mallory'"
        )

    def test_an_unknown_key(self, bench: Bench) -> None:
        told = bench.refuses(*bench.overlay("\n\ncolour: red\n"))
        assert told.startswith("mine/overlay.yaml:4: the key 'colour' is unknown")
        assert "Remove it, or write one of description, " in told

    def test_accounts_of_its_own(self, bench: Bench) -> None:
        arguments = bench.overlay("files:\n- {path: etc/group, replaces: yes}\n", group="wheel")
        told = bench.refuses(*arguments)
        assert told.startswith("mine/overlay.yaml:3: the file would replace /etc/")

    def test_what_is_no_yaml(self, bench: Bench) -> None:
        assert bench.refuses(*bench.overlay("files: [")).startswith("mine/overlay.yaml:")

    def test_no_overlay_at_all(self, bench: Bench) -> None:
        told = bench.refuses("--overlay", "none")
        assert told.startswith("none/overlay.yaml: the file cannot be read (No such file")

    def test_a_file_in_two_overlays(self, bench: Bench) -> None:
        one = bench.overlay("", "one", a="1")
        two = bench.overlay("files:\n- {path: etc/a}\n", "two", a="2")
        told = bench.refuses(*one, *two)
        assert told.startswith("two/overlay.yaml:3: /etc/a is in the overlay '")

    def test_a_lock_for_nobody(self, bench: Bench) -> None:
        told = bench.refuses(*bench.overlay("lock: [root, mallory]\n"))
        assert told.startswith("mine/overlay.yaml:2: the base's etc/master.passwd has no user")

    @pytest.mark.parametrize("path", ["nothing", "etc/rc.d", "etc/fstab", "sys"])
    def test_memory_for_what_is_no_directory_of_the_root(self, bench: Bench, path: str) -> None:
        told = bench.refuses(*bench.overlay(f"memory:\n- {{path: {path}, mib: 1}}\n"))
        assert told.startswith(f"mine/overlay.yaml:3: '{path}' is not a directory of the root")


@pytest.mark.parametrize("age", ["", "yesterday", "-1", "1" * 30])
def test_an_age_that_is_none(bench: Bench, age: str) -> None:
    arguments = ("--output", bench.output)
    result = exitisp(*BUILD, *arguments, folder=bench.folder, SOURCE_DATE_EPOCH=age)
    told = sentence(result.returncode, result.stderr)
    assert told.startswith(f"SOURCE_DATE_EPOCH: {age!r} is not a number of seconds since 1970. ")
    assert bench.is_untouched()


class TestPlace:
    def test_a_disk_that_is_too_small(self, bench: Bench) -> None:
        told = bench.refuses("--disk", "2000")
        assert told.startswith(f"the disk: 2000 MiB; at least {SMALLEST_MIB} MiB are needed")

    @pytest.mark.parametrize("size", [1020 << 20, 1025 << 20, 3 << 40])
    def test_a_tree_larger_than_the_slot(self, bench: Bench, size: int) -> None:
        arguments = bench.overlay("", a="")
        with (bench.folder / "mine/files/etc/huge").open("wb") as file:
            file.truncate(size)
        told = bench.refuses(*arguments)
        assert told.startswith("the root tree: does not fit a slot of 1024 MiB")

    @pytest.mark.parametrize("limit", [0, 1 << 20, 100 << 20])
    def test_a_file_that_may_not_be_as_large(self, bench: Bench, limit: int) -> None:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        assert "no room to write: File too large" in bench.refuses(before=limited)

    def test_no_space_left(self, bench: Bench) -> None:
        """A file system of 1 MiB, seen by the build alone."""
        items = (*sets.BASE, Item("./noise", NOISE))
        sets.write(bench.sets, base=items)
        script = """
            mount -t tmpfs -o size=1M none dist && cp -p old/* dist || exit 42
            "$@"; status=$?
            rm -rf left; cp -p -r dist left || exit 43
            exit $status
        """
        bench.output.parent.rename(bench.folder / "old")
        bench.output.parent.mkdir()
        build = command(*BUILD)
        result = subprocess.run(
            [*alone(), "sh", "-c", script, "sh", *build],
            cwd=bench.folder,
            env=environment(bench.folder / "cache"),
            capture_output=True,
            text=True,
            timeout=60,
        )
        if result.returncode == 42:
            pytest.skip("this user may not mount a file system, not even a private one")
        assert "no room to write: No space left on device. Free some space" in sentence(
            result.returncode, result.stderr
        )
        bench.output.parent.rmdir()
        (bench.folder / "left").rename(bench.output.parent)
        assert bench.is_untouched()

    def test_a_folder_that_is_a_file(self, bench: Bench) -> None:
        (bench.folder / "file").write_text("mine")
        told = bench.refuses("--output", "file/exitisp.img")
        assert told.startswith("file/exitisp.img: cannot be written")
        assert (bench.folder / "file").read_text() == "mine"

    def test_a_folder_where_nobody_may_write(self, bench: Bench) -> None:
        told = bench.refuses("--output", "/proc/exitisp.img")
        assert told.startswith("/proc/exitisp.img: cannot be written")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_that_the_user_may_not_write(self, bench: Bench) -> None:
        bench.output.parent.chmod(0o500)
        told = bench.refuses()
        bench.output.parent.chmod(0o700)
        assert "cannot be written: Permission denied" in told

    @pytest.mark.parametrize("output", [".", "/", "..", "dist", "/dev/null"])
    def test_a_place_where_something_else_is(self, bench: Bench, output: str) -> None:
        assert "something there is not a file" in bench.refuses("--output", output)

    def test_the_name_that_the_manifest_has(self, bench: Bench) -> None:
        told = bench.refuses("--output", "dist/exitisp.json")
        assert "its manifest has that name" in told

    def test_a_cache_that_cannot_be_written(self, bench: Bench) -> None:
        (bench.folder / "cache").write_text("a file")
        assert "cannot be written" in bench.refuses()


def alone() -> list[str]:
    """What gives a command mounts of its own, or a reason to skip."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed (package util-linux)")
    prefix = [unshare, "--map-root-user", "--mount"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("this user may not have mounts of their own")
    return prefix


@pytest.mark.xdist_group("interrupts")
class TestInterrupts:
    """Ctrl-C, at whatever moment: the old image or a whole new one, and nothing beside it."""

    @pytest.fixture(scope="class")
    def large(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, float]:
        """Sets whose build takes a while, the digest of their image, and the seconds."""
        folder = tmp_path_factory.mktemp("large")
        noise = [Item(f"./noise{number}", NOISE) for number in range(3)]
        sets.write(folder / "sets", base=(*sets.BASE, *noise))
        began = time.monotonic()
        result = exitisp(*BUILD, folder=folder)
        took = time.monotonic() - began
        assert result.returncode == 0, result.stderr
        return folder, digest(folder / "dist/exitisp.img"), took

    @pytest.mark.parametrize("moment", random.Random(7).sample(range(20, 105), 8))
    def test_it_is_the_old_image_or_the_new_one(
        self, bench: Bench, large: tuple[Path, str, float], moment: int
    ) -> None:
        folder, new, took = large
        shutil.rmtree(bench.sets)
        bench.sets.symlink_to(folder / "sets")
        child = start(bench)
        try:
            time.sleep(took * moment / 100)
            child.send_signal(signal.SIGINT)
            _, stderr = child.communicate(timeout=30)
        finally:
            child.kill()
            child.wait()
        assert child.returncode or not bench.is_untouched(), stderr
        if not bench.is_untouched():
            assert digest(bench.output) == new
            json.loads(bench.output.with_suffix(".json").read_text())
            assert len(list(bench.output.parent.iterdir())) == 3
        assert not [*bench.folder.glob("cache/exitisp/unpacked/.*")]

    def test_it_is_told_in_one_sentence(self, bench: Bench, large: tuple[Path, str, float]) -> None:
        shutil.rmtree(bench.sets)
        bench.sets.symlink_to(large[0] / "sets")
        with start(bench) as child:
            assert child.stderr
            for line in child.stderr:
                if line.startswith("hash "):
                    break
            child.send_signal(signal.SIGINT)
            rest = child.stderr.read()
        assert sentence(child.returncode, rest) == "interrupted; nothing half-made was left"
        assert bench.is_untouched()


def start(bench: Bench) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command(*BUILD),
        cwd=bench.folder,
        env=environment(bench.folder / "cache"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
