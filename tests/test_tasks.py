"""The commands of `./exitisp`, as tasks.py declares them."""

import re
from pathlib import Path

import pytest

import tasks
from image.commandline.command import Command
from tests.command import exitisp

COMMANDS = tasks.program().commands


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_command_has_an_example_that_is_its_own(command: Command) -> None:
    assert command.examples
    for example in command.examples:
        assert f"./exitisp {command.name}" in example


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_one_letter_flags_are_those_that_are_declared(command: Command) -> None:
    letters = {short for one in command.parameters for short in one.nicknames}
    assert letters <= {"o"}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_a_summary_is_one_sentence_of_one_line(command: Command) -> None:
    assert re.fullmatch(r"[A-Z][^.]*\.", command.summary)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("build --base rehearsal --sets x", "--sets: it does not apply with --base rehearsal"),
        ("build --base rehearsal --packages x", "--packages: it does not apply with --base re"),
        ("build --base rehearsal --no-wizard", "--no-wizard: it does not apply with --base re"),
        ("freeze --target linux --packages x", "--packages: it does not apply with --target li"),
        ("freeze --python-prefix x --packages x", "--packages: it does not apply with --python-"),
        ("lock --accept-key SHA256:x", "--accept-key: it does not apply without --update"),
        ("lab x.img --base rehearsal", "--base: it does not apply with an IMAGE"),
        ("flash --site x", "--site: it does not apply without a DEVICE"),
        ("render --diff a b -o c", "--output: it does not apply with --diff"),
        (
            "bench --routes 5",
            "--routes: it does not apply without --boot, --network, --resolver, -",
        ),
        ("bench --bgp --against x", "--against: it does not apply with --bgp"),
        ("bench --hardware x --bgp", "--hardware: it does not apply with --bgp"),
        ("bench --hardware x --sets x", "--sets: it does not apply with --hardware"),
        ("bench --boot --network", "--network: it does not apply with --boot"),
    ],
)
def test_options_that_do_not_apply_are_refused(words: str, told: str, tmp_path: Path) -> None:
    ran = exitisp(*words.split(), folder=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith(f"exitisp: {told}")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("boot", "dist: no image was built here. Make one: ./exitisp build."),
        ("lab", "dist: no image was built here. Make one: ./exitisp build."),
        ("audit", "dist: no image was built here. Make one: ./exitisp build."),
        ("flash /dev/null", "dist: no image was built here. Make one: ./exitisp build."),
        ("compare old.json", "dist: no image was built here. Make one: ./exitisp build."),
        (
            "diff a b",
            "diff: it is no command here. Its name is compare: ./exitisp compare OLD NEW.",
        ),
    ],
)
def test_a_person_is_told_what_to_type(words: str, told: str, tmp_path: Path) -> None:
    ran = exitisp(*words.split(), folder=tmp_path)
    assert ran.returncode
    assert ran.stderr == f"exitisp: {told}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("audit", "It has no bill of materials: name that of another image."),
        (
            "flash /dev/null",
            "To write it all the same, name it: "
            "./exitisp flash dist/exitisp-rehearsal.img /dev/null.",
        ),
    ],
)
def test_after_a_rehearsal_was_built_what_is_not_for_one_says_so(
    words: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/exitisp-rehearsal.img").touch()
    ran = exitisp(*words.split(), folder=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr == (
        "exitisp: dist/exitisp-rehearsal.img: the last build made this rehearsal, which is not for "
        f"the Internet. {told}\n"
    )
