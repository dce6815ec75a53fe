"""A site is read once, and what breaks off is refused."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firstboot.box import cli, site_input
from firstboot.core.refusal import Refusal
from firstboot.site.check import Examined, examine_text
from tests.firstboot.box.box import EXAMPLE, ROOT, Box, altered
from tests.firstboot.box.test_apply import PEER, configured

SITE = EXAMPLE.read_bytes()


@pytest.fixture(autouse=True)
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_machine", lambda _: box.machine)


@contextmanager
def standard_input(descriptor: int) -> Iterator[None]:
    before = os.dup(0)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)


@contextmanager
def sent(data: bytes) -> Iterator[None]:
    """Standard input is a pipe through which `data` comes and which then ends."""
    end, start = os.pipe()

    def write() -> None:
        with os.fdopen(start, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with standard_input(end):
        yield
    writer.join()


def kept(box: Box) -> list[bytes]:
    return [generation.read().site for generation in box.machine.generations.all()]


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_what_comes_over_standard_input_is_kept_as_it_came(box: Box, name: str) -> None:
    data = altered(PEER) + b"# a comment at the end\n"
    with sent(data):
        assert cli.main(["apply", name]) == 0
    assert kept(box) == [data]


def test_a_pipe_with_a_name_is_read_once(box: Box, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(SITE,))
    writer.start()
    assert cli.main(["apply", str(path)]) == 0
    writer.join()
    assert kept(box) == [SITE]


def test_a_socket_is_read_as_sshd_of_the_box_gives_one(box: Box) -> None:
    near, far = socket.socketpair()
    with near:
        near.sendall(SITE)
        near.shutdown(socket.SHUT_WR)
        with standard_input(far.detach()):
            assert cli.main(["apply", "-"]) == 0
    assert kept(box) == [SITE]


def test_what_is_judged_is_what_is_kept(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes another site into the file while this one is judged."""
    path = tmp_path / "site.yaml"
    path.write_bytes(SITE)

    def judged(data: bytes, name: str) -> Examined:
        path.write_bytes(altered(PEER))
        return real(data, name)

    real = examine_text
    monkeypatch.setattr(site_input, "examine_text", judged)
    assert cli.main(["apply", str(path)]) == 0
    assert kept(box) == [SITE]


@pytest.mark.parametrize("at", [0, 1, 60, len(SITE) // 2, len(SITE) - 1])
def test_an_empty_or_half_sent_site_is_refused(
    box: Box, at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(box)
    with sent(SITE[:at]):
        assert cli.main(["apply", "-"]) == 1
    assert capsys.readouterr().err.startswith("exitisp: standard input:")
    assert len(kept(box)) == 1
    assert not box.started()


def test_a_site_whose_sender_is_gone_is_refused() -> None:
    """sshd closes both ends if a connection is lost: this site ends where a line does."""
    code = "from firstboot.box.site_input import given; given('-')"
    end, start = os.pipe()
    os.close(end)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        input=SITE[: SITE.index(b"\nrelays:") + 1],
        stdout=start,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(start)
    assert Refusal.__name__ in ended.stderr.decode()
    assert "whoever sent the site is gone" in ended.stderr.decode()


def test_a_closed_standard_input_is_one_sentence(
    box: Box, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = os.open("/", os.O_RDONLY)
    with standard_input(folder):
        assert cli.main(["apply", "-"]) == 1
    assert "exitisp: standard input: it cannot be read" in capsys.readouterr().err
    assert kept(box) == []
