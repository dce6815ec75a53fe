"""Names in the letters A to Z."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.wizard.draft import Draft
from firstboot.wizard.question import Situation
from firstboot.wizard.sections import relays
from firstboot.wizard.transcription import ascii_words
from tests.firstboot.wizard.talk import machine


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Förening für Ausgänge", ["Foerening", "fuer", "Ausgaenge"]),
        ("ÄRZTE Straße", ["AERZTE", "Strasse"]),
        ("Ångström Østfold Ærø", ["Aangstroem", "Oestfold", "Aeroe"]),
        ("Łódź Niño Français Đorđe", ["Lodz", "Nino", "Francais", "Dorde"]),
        ("Fo\u0308rening", ["Foerening"]),
        ("Exit-Node #1", ["Exit", "Node", "1"]),
        ("Ключ Ελλάδα 出口", []),
        ("Ключ Exit", ["Exit"]),
    ],
)
def test_letters_have_their_usual_transcription(text: str, words: list[str]) -> None:
    assert ascii_words(text) == words


@given(st.text(max_size=40))
def test_all_words_are_letters_and_digits(text: str) -> None:
    assert all(word.isascii() and word.isalnum() for word in ascii_words(text))


@pytest.mark.parametrize(
    ("operator", "proposed"),
    [
        ("Förening für Ausgänge", "FoereningFuer{n}"),
        ("Ключ 1", "exitisp{n}"),
        ("Ünï", "Ueni{n}"),
        ("Donaudampfschifffahrtsgesellschaft", "exitisp{n}"),
    ],
)
def test_a_nickname_is_proposed_from_the_name_of_the_operator(
    operator: str, proposed: str, tmp_path: Path
) -> None:
    draft = Draft.open(tmp_path / "draft.yaml")
    draft.answer(("operator", "name"), operator)
    question = next(q for q in relays.SECTION.questions if q.key == ("relays", "nickname"))
    assert question.default(Situation(draft, machine())) == proposed
