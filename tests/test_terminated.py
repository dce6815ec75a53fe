"""SIGTERM ends `compare` and `flash` at once, whatever they do, and nothing half-written stays.

Each command is held at a known moment, so that the signal cannot come too late.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from tests.command import ROOT, command, digest, environment
from tests.image.flash.images import MIB, Small, make, used_stick

STICK = 45 * MIB

HELD = "held here"

HOLD = f"""
import runpy, sys, time
from {{module}} import {{owner}}

usual, calls = {{owner}}.{{name}}, 0

def held(*arguments):
    global calls
    calls += 1
    if calls == {{call}}:
        print("{HELD}", file=sys.stderr, flush=True)
        time.sleep(600)
    return usual(*arguments)

{{owner}}.{{name}} = held
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a command, and stops in one call of a function as if the disk had become slow."""

WRITING = {"module": "image.flash.medium", "owner": "Medium", "name": "write"}
READING_BACK = {"module": "image.flash.medium", "owner": "Medium", "name": "read"}
UNPACKING = {"module": "image.flash", "owner": "source", "name": "_place"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make(tmp_path_factory.mktemp("image") / "exitisp.img")


@contextmanager
def running(line: list[str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    (folder / "tmp").mkdir()
    with subprocess.Popen(
        line,
        cwd=folder,
        env=environment(folder / "cache", TMPDIR=str(folder / "tmp"), PYTHONPATH=str(ROOT)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def terminated(child: "subprocess.Popen[str]") -> tuple[int, str]:
    """End it; its status and its last line. Its output is not read before, as by a pager."""
    child.send_signal(signal.SIGTERM)
    status = child.wait(timeout=20)
    assert child.stderr
    said = child.stderr.read()
    assert "Traceback" not in said
    return status, said.splitlines()[-1]


def held(image: Path, stick: Path, call: int, where: Mapping[str, str]) -> tuple[int, str]:
    """Flash, and end it in that call of the function that `where` names."""
    script = HOLD.format(call=call, **where)
    line = [sys.executable, "-c", script, *command("flash", image, stick)[1:]]
    with running(line, stick.parent) as child:
        assert child.stdin
        assert child.stderr
        child.stdin.write(f"{stick.name}\n")
        child.stdin.flush()
        for line_ in child.stderr:
            if HELD in line_:
                break
        return terminated(child)


def test_a_comparison_ends_though_nobody_reads_what_it_prints(tmp_path: Path) -> None:
    files = {f"/{at}": {"kind": "file", "mode": "0644", "size": at} for at in range(5000)}
    (tmp_path / "old.json").write_text(json.dumps({"files": {}}))
    (tmp_path / "new.json").write_text(json.dumps({"files": files}))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with running(command("compare", "old.json", "new.json"), tmp_path) as child:
        assert child.stdout
        os.read(child.stdout.fileno(), 1)
        assert terminated(child) == (130, "exitisp: interrupted; nothing half-made was left")
    assert list((tmp_path / "tmp").iterdir()) == []
    (tmp_path / "tmp").rmdir()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_is_written_when_it_ends_before_the_name_is_typed(
    small: Small, tmp_path: Path
) -> None:
    stick = used_stick(tmp_path / "stick", STICK)
    before = digest(stick)
    with running(command("flash", small.path, stick), tmp_path) as child:
        assert child.stdout
        shown = ""
        while "Type stick to go on" not in shown:
            shown += os.read(child.stdout.fileno(), 1 << 16).decode()
        assert terminated(child) == (130, "exitisp: interrupted; nothing half-made was left")
    assert digest(stick) == before


def test_nothing_is_written_or_left_when_it_ends_while_the_image_is_unpacked(
    small: Small, tmp_path: Path
) -> None:
    packed = tmp_path / "exitisp.img.zst"
    packed.write_bytes(zstandard.compress(small.data))
    stick = used_stick(tmp_path / "stick", STICK)
    before = digest(stick)
    status, said = held(packed, stick, 2, UNPACKING)
    assert (status, said) == (130, "exitisp: interrupted; nothing half-made was left")
    assert digest(stick) == before
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize(("call", "where"), [(5, WRITING), (3, READING_BACK)])
def test_a_half_written_stick_says_so_and_does_not_boot(
    small: Small, tmp_path: Path, call: int, where: Mapping[str, str]
) -> None:
    stick = used_stick(tmp_path / "stick", STICK)
    status, said = held(small.path, stick, call, where)
    assert status == 1
    assert said.startswith("exitisp: stick: the image was not written completely: the command was")
    with stick.open("rb") as file:
        assert file.read(MIB) == bytes(MIB)
    assert list((tmp_path / "tmp").iterdir()) == []
