"""The real base wherever it can be had; a rehearsal if it is wanted, or if nothing else can be."""

import socket
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.artifacts import Base
from image.inputs.choice import choose
from tests.image.base.upstream import HASTY, Keys, Upstream


@pytest.fixture
def lock_path(tmp_path: Path, upstream: Upstream) -> Path:
    return upstream.write_lock(tmp_path / "lock.yaml")


@pytest.fixture
def unreachable(lock_path: Path, upstream: Upstream) -> Path:
    """A lock file whose mirror nobody answers for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    text = lock_path.read_text()
    lock_path.write_text(text.replace(upstream.address, f"http://127.0.0.1:{port}"))
    return lock_path


def test_the_mirror_is_taken_if_it_answers(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(3)
    sets = choose(None, None, lock_path, cache, patience=HASTY)
    assert sets is not None
    assert sets.build == 3


def test_a_rehearsal_is_made_if_it_is_wanted(
    lock_path: Path, cache: Path, upstream: Upstream
) -> None:
    upstream.publish(3)
    assert choose(Base.REHEARSAL, None, lock_path, cache, patience=HASTY) is None
    assert not cache.exists()


def test_without_sets_and_mirror_it_is_a_rehearsal_and_that_is_told(
    unreachable: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(None, None, unreachable, cache, patience=HASTY) is None
    told = capsys.readouterr().err
    assert "the server cannot be reached" in told
    assert "THIS BUILDS A REHEARSAL" in told


def test_who_wants_the_real_one_gets_no_other(unreachable: Path, cache: Path) -> None:
    with pytest.raises(
        Refusal, match=r"the server cannot be reached within 10 s \(Connection refused\)"
    ):
        choose(Base.HARDENEDBSD, None, unreachable, cache, patience=HASTY)


def test_given_sets_are_taken_without_a_mirror(
    unreachable: Path, cache: Path, folder: Path
) -> None:
    assert choose(None, folder, unreachable, cache, patience=HASTY) is not None


def test_a_mirror_with_a_strangers_signature_is_no_reason_for_a_rehearsal(
    lock_path: Path, cache: Path, upstream: Upstream, strangers_keys: Keys
) -> None:
    upstream.publish(3, by=strangers_keys)
    with pytest.raises(Refusal, match=r"signed by \S+ instead of \S+ \(hbsd-os-build-01\)"):
        choose(None, None, lock_path, cache, patience=HASTY)


def test_sets_for_a_rehearsal_are_refused(lock_path: Path, cache: Path, folder: Path) -> None:
    with pytest.raises(
        Refusal,
        match=r"--sets: a rehearsal is made of Debian's packages and takes no sets, but \S+ is",
    ):
        choose(Base.REHEARSAL, folder, lock_path, cache, patience=HASTY)
