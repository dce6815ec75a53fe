"""What ran before, and how the box goes back there."""

import itertools
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from firstboot.box import commands, confirm, login
from firstboot.box.apply import apply_site
from firstboot.box.generations import KEPT, Content, Generations
from firstboot.box.history import LENGTH, PLACE, End, History, Step, site_digest
from firstboot.core.refusal import Refusal
from tests.firstboot.box.box import Box, changed, example
from tests.firstboot.box.cut import at_every_step
from tests.firstboot.box.test_apply import PEER, SECRET, Told, applied, configured

KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleEx"


def ends(box: Box) -> list[tuple[int, str]]:
    return [(one.generation, one.end.value) for one in box.machine.history.steps()]


def go_back(box: Box) -> int | None:
    commands.rollback(None, box.machine, Told())
    return box.machine.generations.current()


def three_sites(box: Box) -> Box:
    configured(box)
    applied(box, PEER)
    applied(box, PEER, SECRET)
    return box


def rendered_by(box: Box, image: str) -> None:
    (call,) = (call for call in box.programs.answers if call.endswith(" identity"))
    box.answer(call, image * 32)


def test_each_rollback_leads_further_back(box: Box) -> None:
    three_sites(box)
    assert go_back(box) == 2
    assert go_back(box) == 1
    with pytest.raises(Refusal, match="nothing that was well ran before it"):
        go_back(box)
    assert ends(box)[1:3] == [(2, "rolled back"), (3, "rolled back")]


def test_before_is_what_ran_before_and_not_the_next_lower_number(box: Box) -> None:
    three_sites(box)
    commands.rollback(1, box.machine, Told())
    assert go_back(box) == 3


def test_what_was_rendered_anew_is_no_step_and_pushes_no_site_out(box: Box) -> None:
    three_sites(box)
    for image in range(KEPT + 2):
        rendered_by(box, f"{image + 32:02x}")
        commands.renew(box.machine, Told())
    assert len(box.machine.generations.all()) == KEPT
    assert len(ends(box)) == 3
    first = box.machine.history.steps()[0].site
    number = go_back(box)
    assert number is not None
    assert site_digest(box.machine.generations.find(number)) == box.machine.history.steps()[1].site
    number = go_back(box)
    assert number is not None
    assert site_digest(box.machine.generations.find(number)) == first


def test_an_apply_that_broke_off_before_it_ran_is_no_target(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cut(BaseException):
        pass

    def cut(*_: object) -> None:
        raise Cut

    configured(box)
    with monkeypatch.context() as patch:
        patch.setattr(Generations, "switch", cut)
        with pytest.raises(Cut):
            applied(box, PEER)
    told = Told()
    commands.history(box.machine, told)
    assert told[1].startswith("*")
    assert "interrupted" in told[2]
    applied(box, PEER, SECRET)
    assert go_back(box) == 1


def test_a_change_that_a_boot_runs_to_its_end_was_applied(box: Box) -> None:
    configured(box)
    applied(box, ("203.0.113.10/24", "203.0.113.11/24"))
    assert ends(box)[-1] == (2, "not finished")
    box.restarted()
    confirm.ran(box.machine, Told())
    assert ends(box)[-1] == (2, "applied")


def test_a_change_that_awaits_a_restart_can_be_taken_back(box: Box) -> None:
    configured(box)
    applied(box, ("203.0.113.10/24", "203.0.113.11/24"))
    box.is_like(example().value)
    assert go_back(box) == 1


def test_a_change_that_failed_is_no_target(box: Box) -> None:
    configured(box)
    box.fail("/usr/local/libexec/exitisp/bgpctl -w 60 reload")
    with pytest.raises(Refusal):
        applied(box, PEER)
    box.programs.failures.clear()
    applied(box, PEER, SECRET)
    assert ends(box)[1] == (2, "failed")
    assert go_back(box) == 1


def test_a_boot_passes_over_what_was_rolled_back_or_failed(box: Box) -> None:
    """If the current generation is damaged, it runs what ran well before."""
    three_sites(box)
    go_back(box)
    box.fail("/usr/local/libexec/exitisp/bgpctl -w 60 reload")
    with pytest.raises(Refusal):
        applied(box, SECRET)
    box.programs.failures.clear()
    assert [one.number for one in box.machine.generations.candidates()] == [4, 2, 1, 3]
    (box.machine.generations.all()[3].folder / "seal").unlink()
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert chosen.number == 2


def test_a_damaged_generation_that_runs_can_be_left(box: Box) -> None:
    three_sites(box)
    running = box.machine.running()
    assert running is not None
    (running.folder / "index").write_text("")
    assert go_back(box) == 2


AT_NO_TIME = json.dumps(
    [{**asdict(Step(1, "ab" * 32, 10**20, "ann", "apply", "relays")), "end": "APPLIED"}]
)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"{}", b"[1]", b'[{"generation": 1}]', b"[" * 300_000, AT_NO_TIME.encode()],
    ids=["empty", "cut", "object", "number", "less", "deep", "at no time"],
)
def test_a_damaged_record_names_no_target_and_a_number_does(box: Box, data: bytes) -> None:
    three_sites(box)
    (box.machine.cfg / PLACE).write_bytes(data)
    with pytest.raises(Refusal, match=r"nobody knows what ran before.*rollback NUMBER"):
        go_back(box)
    with pytest.raises(Refusal, match=r"nobody knows what ran before.*rollback NUMBER"):
        commands.history(box.machine, Told())
    assert box.machine.generations.current() == 3
    told = Told()
    commands.rollback(2, box.machine, told)
    assert "A new one" in told[0] or "a new one begins" in told[0]
    assert (box.machine.cfg / f"{PLACE}.damaged").read_bytes() == data
    assert box.machine.history.steps()[-1].generation == 2


def test_a_box_of_an_earlier_release_has_what_its_generations_tell(box: Box) -> None:
    three_sites(box)
    (box.machine.cfg / PLACE).unlink()
    assert ends(box) == [(1, "applied"), (2, "applied"), (3, "applied")]
    assert go_back(box) == 2


def test_the_history_says_when_what_who_and_how_it_ended(
    box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured(box)
    keys = box.root / "etc/ssh/authorized_keys/root"
    keys.write_text(f"ssh-ed25519 {KEY} alice@desk\nssh-ed25519 AAAAelse bob@desk\n")
    (tmp_path / "auth").write_text(f"publickey ssh-ed25519 {KEY}\n")
    monkeypatch.setenv("SSH_USER_AUTH", str(tmp_path / "auth"))
    applied(box, PEER)
    told = Told()
    commands.history(box.machine, told)
    line = told[2].split()
    assert line[:2] == ["*", "2"]
    assert line[4:7] == ["apply", "alice@desk", "applied"]
    assert line[7] == "peers"


def test_a_name_in_a_key_writes_nothing_on_the_terminal(
    box: Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = box.root / login.KEYS
    keys.parent.mkdir(parents=True)
    keys.write_text(f"ssh-ed25519 {KEY} \x1b[2J{'x' * 100}\n")
    (tmp_path / "auth").write_text(f"publickey ssh-ed25519 {KEY}\n")
    environment = {"SSH_USER_AUTH": str(tmp_path / "auth")}
    assert login.login(box.machine, environment).who == "?[2J" + "x" * 36


def test_the_history_has_an_end_and_survives_power_cuts(tmp_path: Path) -> None:
    places = (tmp_path / str(number) for number in itertools.count())
    steps = [Step(number, "0" * 64, 0, "", "apply", "") for number in range(LENGTH + 2)]

    def one() -> History:
        history = History(next(places))
        history.begin(steps[0], Told())
        return history

    def second(history: History) -> None:
        history.begin(steps[1], Told())
        history.end(steps[1], End.APPLIED)

    left = [[one.end for one in history.steps()] for history in at_every_step(one, second)]
    assert {len(one) for one in left} == {1, 2}
    assert left[-1] == [End.BEGUN, End.APPLIED]
    history = one()
    for step in steps[1:]:
        history.begin(step, Told())
    assert [one.generation for one in history.steps()] == list(range(2, LENGTH + 2))


def test_generations_that_are_needed_are_kept(tmp_path: Path) -> None:
    generations = Generations(tmp_path)
    for number in range(KEPT + 5):
        generations.write(Content("e" * 64, f"site: {number}\n".encode(), ()), {2, 3})
    assert [one.number for one in generations.all()] == [2, 3, *range(8, KEPT + 6)]


def test_a_history_that_cannot_be_written_changes_nothing(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(box)
    real = os.replace

    def full(source: object, target: object, **options: object) -> None:
        if str(target).endswith(PLACE):
            raise OSError(28, "No space left on device")
        real(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "replace", full)
    before = box.files()
    with pytest.raises(Refusal, match="the history cannot be written: No space left"):
        apply_site(changed(PEER), box.machine, Told())
    assert box.files() == before
    assert box.machine.generations.current() == 1
