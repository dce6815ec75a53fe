"""`./exitisp freeze`, as far as it goes without freezing anything."""

from pathlib import Path

import pytest

from tests.command import exitisp


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--target", "linux", "--sets", "x"], "--sets: it does not apply with --target linux"),
        (["--python-prefix", "nothing"], "nothing: expected a prefix, with the folder lib"),
        (["--python-prefix", "."], ".: expected a prefix, with the folder lib"),
        (["--package-keys", "keys"], "--package-keys: expected --packages"),
        (["--packages", "none"], "expected a Python for FreeBSD, found none"),
    ],
)
def test_what_cannot_be_frozen_is_told_in_one_sentence(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    result = exitisp("freeze", *arguments, folder=tmp_path)
    assert result.returncode == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "dist").exists()
