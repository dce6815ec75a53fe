"""`./exitisp abuse` as it is typed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from firstboot.site.abuse.command import Desk, answer_complaint
from tests.command import command, environment
from tests.firstboot.site.abuse import complaints
from tests.firstboot.site.abuse.complaints import EXAMPLE, EXIT, letter

MAIL = letter(complaints.FAIL2BAN).as_bytes()


def abuse(
    folder: Path, *arguments: str | Path, given: bytes = MAIL
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command("abuse", "--site", EXAMPLE, *arguments),
        cwd=folder,
        env=environment(folder / "cache"),
        input=given,
        capture_output=True,
        timeout=120,
    )


def test_a_mail_on_standard_input_is_judged_and_answered(tmp_path: Path) -> None:
    ran = abuse(tmp_path)
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.decode()
    assert "about: attempts to log in" in said
    assert f"{EXIT} is what exit traffic comes from (ExampleExit1)" in said
    assert "To: victim@example.net" in said
    assert [*tmp_path.iterdir()] == []


def test_a_complaint_about_the_other_box_of_two_has_no_answer_by_this_site(tmp_path: Path) -> None:
    mail = tmp_path / "mail.eml"
    mail.write_bytes(letter("ssh login attempts by 198.51.100.140").as_bytes())
    with pytest.raises(Refusal) as refused:
        answer_complaint(mail, Desk(EXAMPLE.with_stem("two-edges-a"), count=tmp_path / "counts"))
    assert "198.51.100.140 is of edge-b" in str(refused.value)
    assert "Name the site of that box with --site" in str(refused.value)
    assert not (tmp_path / "counts").exists()
    answer_complaint(mail, Desk(EXAMPLE.with_stem("two-edges-b"), output=tmp_path / "answer"))
    assert (tmp_path / "answer").exists()


def test_an_answer_is_written_and_the_complaint_counted(tmp_path: Path) -> None:
    (tmp_path / "mail.eml").write_bytes(MAIL)
    for number in (1, 2):
        ran = abuse(tmp_path, "mail.eml", "--count", "counts.json", "-o", "answer.eml")
        assert f"counted: login, number {number} of " in ran.stdout.decode(), ran.stderr
    assert (tmp_path / "answer.eml").read_text().startswith("From: abuse@example.org\nTo: victim@")
    assert (tmp_path / "answer.eml").stat().st_mode & 0o777 == 0o600
    (of_month,) = json.loads((tmp_path / "counts.json").read_text()).values()
    assert of_month == {"login": 2}
    assert b"victim" not in (tmp_path / "counts.json").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("missing.eml",), "missing.eml: it cannot be read"),
        (("--answers", "missing"), "missing: this is no folder"),
        (("--since", "30.11.2026"), "is not a day such as 2026-11-30"),
        (("-o", "missing/answer.eml"), "missing/answer.eml: it cannot be written"),
    ],
)
def test_what_is_wrong_with_the_command_is_told(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    ran = abuse(tmp_path, *arguments)
    assert ran.returncode in (1, 2)
    assert problem in ran.stderr.decode()


def test_an_answer_does_not_go_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "answer.eml").symlink_to(tmp_path / "other")
    assert abuse(tmp_path, "-o", "answer.eml").returncode == 1
    assert not (tmp_path / "other").exists()


def test_a_pipe_in_place_of_the_answer_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    ran = abuse(tmp_path, "-o", "pipe")
    assert ran.returncode == 1
    assert b"pipe: it cannot be written: what is there is no file" in ran.stderr
    assert (tmp_path / "pipe").is_fifo()


def test_a_disk_that_is_full_leaves_the_answer_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = tmp_path / "answer.eml"
    answer.write_text("edited by hand")
    (tmp_path / "mail.eml").write_bytes(MAIL)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Refusal, match="No space left"):
        answer_complaint(tmp_path / "mail.eml", Desk(EXAMPLE, output=answer))
    assert answer.read_text() == "edited by hand"


def test_damaged_counts_are_no_matter_of_a_box(tmp_path: Path) -> None:
    (tmp_path / "counts.json").write_bytes(b"")
    ran = abuse(tmp_path, "--count", "counts.json")
    assert ran.returncode == 1
    assert ran.stderr.decode() == (
        "exitisp: counts.json: it is empty. Correct it, or name another file.\n"
    )
