"""A site file on the stick: taken if it is right, never a brick if it is not."""

import itertools
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.box import apply, unattended
from firstboot.core import durable
from firstboot.core.refusal import Refusal
from firstboot.wizard.draft import Draft
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import EXAMPLE, Box, altered, example
from tests.firstboot.box.corpus import CORPUS, WHOLE, Wrong
from tests.firstboot.box.cut import at_every_step
from tests.firstboot.box.test_apply import Told
from tests.firstboot.box.test_generations import FILES

SECRET = "EKpCMmMTM7gbv4W4jvLnhxnA"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


def put(stick: Path, data: bytes, name: str = "site.yaml") -> Path:
    path = stick / name
    path.write_bytes(data)
    return path


def report(stick: Path) -> str:
    return (stick / "site-findings.txt").read_bytes().decode()


@pytest.mark.parametrize("name", ["site.yaml", "SITE.YAML", "Site.yaml"])
def test_a_right_one_is_taken_and_removed(box: Box, stick: Path, name: str) -> None:
    put(stick, WHOLE, name)
    told = Told()
    unattended.take(stick, box.machine, told)
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert chosen.read().site == WHOLE
    assert [path.name for path in stick.iterdir()] == ["site-findings.txt"]
    assert report(stick).endswith("it may have secrets in it.\r\n")
    assert SECRET not in report(stick) + "".join(told)
    assert "nobody can log in on a console" in "".join(told)
    assert not (box.machine.cfg / "taken").exists()
    assert not (box.machine.cfg / "draft.yaml").exists()


def test_nothing_is_started_for_the_boot_goes_on_anyway(box: Box, stick: Path) -> None:
    put(stick, WHOLE)
    unattended.take(stick, box.machine, Told())
    assert box.started() == []
    assert box.files() == {}


def test_a_folder_in_place_of_the_file_is_refused(box: Box, stick: Path) -> None:
    (stick / "site.yaml").mkdir()
    with pytest.raises(Refusal, match=r"site\.yaml: this is a folder, not a YAML file"):
        unattended.take(stick, box.machine, Told())


def test_a_folder_that_is_missing_is_refused(box: Box, stick: Path) -> None:
    with pytest.raises(Refusal, match="none: the folder cannot be read: No such file"):
        unattended.take(stick / "none", box.machine, Told())


def test_there_are_enough_of_the_wrong_ones() -> None:
    assert len(CORPUS) >= 50
    assert len({wrong.data for wrong in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("wrong", CORPUS, ids=lambda wrong: wrong.name)
def test_a_wrong_one_is_told_and_the_wizard_can_begin(box: Box, stick: Path, wrong: Wrong) -> None:
    path = put(stick, wrong.data)
    told = Told()
    with pytest.raises(Refusal):
        unattended.take(stick, box.machine, told)
    assert wrong.says in report(stick)
    assert "Not taken: " in report(stick)
    assert report(stick).replace("\r\n", "").isprintable()
    assert path.read_bytes() == wrong.data
    assert box.machine.generations.all() == []
    assert box.machine.generations.current() is None
    assert Draft.open(box.machine.cfg / "draft.yaml").site()


@settings(max_examples=40)
@given(data=st.data())
def test_whatever_is_on_the_stick_ends_in_a_refusal_or_a_generation(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("any")
    box = boxes.make(folder / "root", example().value)
    stick = folder / "stick"
    stick.mkdir()
    whole = WHOLE
    at = data.draw(st.integers(0, len(whole)))
    to = data.draw(st.integers(at, min(len(whole), at + 40)))
    put(stick, whole[:at] + data.draw(st.binary(max_size=12)) + whole[to:])
    try:
        unattended.take(stick, box.machine, Told())
    except Refusal:
        assert box.machine.generations.chosen() is None
        assert (stick / "site.yaml").exists()
        Draft.open(box.machine.cfg / "draft.yaml")
    else:
        assert box.machine.generations.chosen() is not None


@pytest.mark.parametrize(
    ("command", "says"),
    [("/sbin/pfctl", "pf.conf:60: syntax error"), ("/usr/local/sbin/bgpd", "bgpd.conf:9: no")],
)
def test_what_a_daemon_refuses_is_a_finding_too(
    box: Box, stick: Path, command: str, says: str
) -> None:
    put(stick, WHOLE)
    box.fail(command, says)
    with pytest.raises(Refusal):
        unattended.take(stick, box.machine, Told())
    assert says.partition(":")[2] in report(stick)
    assert box.machine.generations.all() == []
    assert (stick / "site.yaml").exists()


def test_a_site_for_another_machine_is_refused(box: Box, stick: Path) -> None:
    put(stick, altered(("device: ix2", "device: vtnet7")))
    with pytest.raises(Refusal, match=r"it has ix0, ix1, ix2, igb0"):
        unattended.take(stick, box.machine, Told())


def test_answers_that_were_given_already_are_not_lost(box: Box, stick: Path) -> None:
    path = box.machine.cfg / "draft.yaml"
    Draft(path).answer(("asn",), "64500")
    before = path.read_bytes()
    put(stick, b"asn: 1\n")
    with pytest.raises(Refusal):
        unattended.take(stick, box.machine, Told())
    assert path.read_bytes() == before


def test_the_power_may_go_at_any_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The box is configured or not; once it is, no copy of the file stays on the stick."""
    monkeypatch.setattr(apply, "judge", lambda *_: None)
    monkeypatch.setattr(apply, "verified", lambda _, __, files, ___: files)
    monkeypatch.setattr(apply, "render", lambda *_: list(FILES))
    empty = boxes.make(tmp_path / "empty", example().value)
    places = (tmp_path / str(number) for number in itertools.count())

    def prepared() -> tuple[Box, Path]:
        folder = next(places)
        shutil.copytree(empty.root, folder / "root", symlinks=True)
        box = Box(folder / "root")
        box.is_like(example().value)
        (folder / "stick").mkdir()
        put(folder / "stick", WHOLE)
        return box, folder / "stick"

    def take(subject: tuple[Box, Path]) -> None:
        box, stick = subject
        unattended.take(stick, box.machine, Told())

    seen = set()
    steps = 0
    for box, stick in at_every_step(prepared, take):
        steps += 1
        chosen = box.machine.generations.chosen()
        left = [path for path in stick.iterdir() if path.name == "site.yaml"]
        if (box.machine.cfg / "taken").exists() and chosen is not None:
            unattended.finish(stick, box.machine, Told())
            left = [path for path in stick.iterdir() if path.name == "site.yaml"]
            assert left == []
            assert not (box.machine.cfg / "taken").exists()
        if chosen is None:
            assert [path.read_bytes() for path in left] == [WHOLE]
        seen.add((chosen is None, bool(left)))
    assert steps > 50
    assert (True, True) in seen
    assert (False, False) in seen


def test_a_stick_that_cannot_be_written_does_not_keep_a_box_from_its_site(
    box: Box, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stick, WHOLE)
    real = durable.keep

    def keep(path: Path, data: bytes, mode: int = 0o600) -> None:
        if path.is_relative_to(stick):
            raise OSError(30, "Read-only file system")
        real(path, data, mode)

    def erase(path: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(unattended, "keep", keep)
    monkeypatch.setattr(unattended, "_erase", erase)
    told = Told()
    unattended.take(stick, box.machine, told)
    assert box.machine.generations.chosen() is not None
    assert "remove it yourself" in "".join(told)
    assert (box.machine.cfg / "taken").exists()


def test_the_example_is_what_the_corpus_is_made_of() -> None:
    assert EXAMPLE.read_bytes() == WHOLE
