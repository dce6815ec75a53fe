"""What is printed does not act on a terminal."""

import pytest

from firstboot.core.output import say


def test_escapes_and_turns_of_direction_are_question_marks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("\x1b]0;owned\x07 \x9b31m \rcarried \u202egnol")
    assert capsys.readouterr().out == "?]0;owned? ?31m ?carried ?gnol\n"


def test_tables_and_all_languages_stay(capsys: pytest.CaptureFixture[str]) -> None:
    text = "a\tb\nCo\u00f6peratie\u00a0« \u65e5\u672c »"
    say(text)
    assert capsys.readouterr().out == f"{text}\n"
