"""`./exitisp freeze`, up to where it would start to freeze."""

from pathlib import Path

import pytest

from tests.command import exitisp


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--target", "linux", "--sets", "x"], "--sets: it does not apply with --target linux"),
        (["--python-prefix", "nothing"], "nothing: this is not a prefix"),
        (["--python-prefix", "."], ".: this is not a prefix"),
        (
            ["--package-keys", "keys"],
            "--package-keys: there is no repository to trust these keys for: --packages is "
            "not given",
        ),
        (["--packages", "none"], "a Python for FreeBSD is missing"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    result = exitisp("freeze", *arguments, folder=tmp_path)
    assert result.returncode == 1
    assert told in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "dist").exists()
