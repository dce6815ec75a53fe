"""What is said of the age of validated origins."""

import os
import time

import pytest

from firstboot.box.rpki import CLIENT, VALIDATED, told
from tests.firstboot.box.box import Box

MINUTE, HOUR = 60, 3600


@pytest.fixture
def validating(box: Box) -> Box:
    for path in (CLIENT[1:], VALIDATED):
        (box.root / path).parent.mkdir(parents=True, exist_ok=True)
        (box.root / path).write_text("")
    (box.root / CLIENT[1:]).chmod(0o755)
    return box


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (35 * MINUTE, "validated 35 minutes ago"),
        (5 * HOUR, "validated 5 hours ago"),
        (30 * HOUR, "validated 30 hours ago: TOO LONG, see /var/log/messages"),
        (-HOUR, "validated in the future: look at the clock"),
    ],
)
def test_the_age_of_the_data_is_told(validating: Box, age: float, said: str) -> None:
    path = validating.root / VALIDATED
    path.write_text("roa-set {\n}\n")
    os.utime(path, (time.time() - age,) * 2)
    assert told(validating.machine) == said


def test_that_there_is_no_data_yet_is_told(validating: Box) -> None:
    assert told(validating.machine).startswith("NOTHING is validated yet")


def test_that_the_data_is_missing_is_told(validating: Box) -> None:
    (validating.root / VALIDATED).unlink()
    assert "cannot be read: No such file" in told(validating.machine)


def test_a_box_without_rpki_client_says_nothing(box: Box) -> None:
    assert told(box.machine) == ""
