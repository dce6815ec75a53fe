"""The record of alarms: what was kept is read, and nothing else."""

import json
from pathlib import Path

import pytest

from firstboot.box.alarms.record import (
    LONGEST_PAUSE,
    TRIES,
    Cause,
    Message,
    Record,
    Sentence,
    read,
    write,
)
from firstboot.core.refusal import Refusal

SENTENCES = (Sentence("relay 2: it runs", "DOWN: relay 2", wrong=True),)
FULL = Record(
    {"relay 2: it runs": Cause("DOWN: relay 2", 61.5, 3, 121.0, alarmed=True)},
    (Message(1_790_000_000, SENTENCES, ("mail", "webhook"), 2, 300.0),),
    {"mail": "it answers 554"},
    {"mail.example.org": ("192.0.2.25",)},
    1,
)


@pytest.mark.parametrize("record", [Record(), FULL])
def test_what_was_kept_is_read(tmp_path: Path, record: Record) -> None:
    path = tmp_path / "run" / "alarms.json"
    assert read(path) == Record()
    write(path, record)
    assert read(path) == record
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"since": 61.5', '"since": "a"'),
        ('"since": 61.5', '"since": 1e999'),
        ('"looks": 3', '"looks": -1'),
        ('"looks": 3', '"looks": true'),
        ('"alarmed": true', '"alarmed": 1'),
        ('"tries": 2', '"more": 2'),
        ('"channels": ["mail", "webhook"]', '"channels": "mail"'),
        ('"channels": ["mail", "webhook"]', '"channels": [3]'),
        ('"lost": 1', '"lost": null'),
        ('"mail": "it answers 554"', '"mail": null'),
    ],
)
def test_anything_else_is_damaged(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "alarms.json"
    write(path, FULL)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(Refusal, match="alarms"):
        read(path)


@pytest.mark.parametrize("text", ["", "[]", "{", json.dumps({"causes": {}})])
def test_so_is_what_is_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "alarms.json"
    path.write_text(text)
    with pytest.raises(Refusal, match="alarms"):
        read(path)


def test_pauses_between_tries_grow_and_all_of_them_take_about_a_day() -> None:
    message, now, pauses = Message(0, SENTENCES, ("mail",)), 0.0, []
    for _ in range(TRIES):
        message = message.failed(now)
        pauses.append(message.after - now)
        now = message.after
    assert pauses[:3] == [60, 120, 240]
    assert max(pauses) == LONGEST_PAUSE
    assert 20 * 3600 < now < 30 * 3600


def test_what_cannot_be_told_is_said_with_how_much_waits() -> None:
    assert FULL.told() == [
        ("mail", "NOT DELIVERED: alarms by mail: it answers 554 (1 waiting, 1 given up)")
    ]
    assert Record().told() == []
