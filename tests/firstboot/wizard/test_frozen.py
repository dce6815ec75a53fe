"""The wizard, frozen for this system into one program, holds the same conversation."""

from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from firstboot.site.model import load
from firstboot.wizard.draft import Draft
from qemu.lab.conversation import play
from tests.firstboot.site.sites import TWO
from tests.firstboot.wizard.far import PATIENCE, Far
from tests.firstboot.wizard.script import trying
from tests.image.freeze.made import frozen_for_linux


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Far]:
    """Return the console of a box that is a folder without any programs."""
    for name in ("cfg", "data"):
        (tmp_path / name).mkdir()
    program = frozen_for_linux().folder / "exitisp"
    child = pexpect.spawn(
        str(program),
        ["--root", str(tmp_path), "setup"],
        cwd="/",
        dimensions=(24, 80),
        timeout=PATIENCE,
        env={"PATH": str(tmp_path)},
    )
    child.delaybeforesend = None
    try:
        yield Far(child)
    finally:
        child.close(force=True)


def test_the_frozen_program_holds_the_same_conversation(far: Far, tmp_path: Path) -> None:
    script, site = trying(load(TWO).value)
    script = [(prompt.removesuffix(" ["), answer) for prompt, answer in script]  # no cards here
    play(far, [*script[:-1], ("save, change, start over or quit", "quit"), ("Leave?", "yes")])
    far.child.expect_exact(b"The answers are kept.")
    far.child.expect(pexpect.EOF)
    assert Draft.open(tmp_path / "cfg" / "draft.yaml").document().value == site
    for peer in site.peers:
        assert peer.md5 is None or peer.md5.encode() not in far.seen
    assert [path.name for path in (tmp_path / "cfg").iterdir()] == ["draft.yaml"]
