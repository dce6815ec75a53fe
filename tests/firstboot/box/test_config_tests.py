"""The daemons that this host has judge the copies as they would on a box."""

import dataclasses
import os
from pathlib import Path

import pytest

from firstboot.box.config_tests import judge
from firstboot.box.machine import Machine
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.site.commands import BOX
from firstboot.site.model import Site
from firstboot.site.render import Rendered, render
from tests.firstboot.box.box import example
from tests.firstboot.box.test_apply import Told
from tests.firstboot.site.daemons.conftest import find, version

HERE = {
    "usr/sbin/local-unbound-checkconf": ("unbound-checkconf", "unbound"),
    "usr/local/bin/tor": ("tor", "tor"),
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    root = tmp_path_factory.mktemp("root")
    for place, (program, package) in HERE.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(find(program, package))
    return Machine(root, os.environ["PATH"], system=SYSTEM)


@pytest.fixture(scope="module")
def files() -> list[Rendered]:
    """Of the example, for what this host has; its accounts are others than the box's."""
    box = dataclasses.replace(
        BOX,
        tor=version(find("tor", "tor"), "--version"),
        unbound=version(find("unbound-checkconf", "unbound"), "-h"),
    )
    made = []
    for file in render(example().value, box, overlays()):
        text = file.text.replace("User _tor\n", "\n").replace('username: "unbound"', 'username: ""')
        made.append(dataclasses.replace(file, text=text))
    return made


def test_the_example_is_accepted(machine: Machine, files: list[Rendered]) -> None:
    told = Told()
    judge(example(), files, machine, told)
    missing = ["/sbin/pfctl", "/sbin/pfctl", "/usr/sbin/sshd", "/usr/local/sbin/bgpd"]
    assert [line.split(" ")[0] for line in told] == missing


@pytest.mark.parametrize(
    ("path", "old", "new", "says"),
    [
        (
            "etc/local/tor/torrc@relay2",
            "Nickname OnionCoop2",
            "Nickname OnionCoop2 x",
            "relays.nickname",
        ),
        ("etc/local/tor/torrc@relay2", "SafeLogging 1", "SafeLoging 1", "SafeLoging"),
        (
            "var/unbound/unbound.conf",
            "  outgoing-interface: 198.51.100.2\n",
            "  outgoing-interfaces: 198.51.100.2\n",
            "unbound.conf:",
        ),
    ],
)
def test_what_one_refuses_is_told_with_its_line(
    machine: Machine, files: list[Rendered], path: str, old: str, new: str, says: str
) -> None:
    site: Document[Site] = example()
    broken = []
    line = 0
    for file in files:
        if file.path == path:
            assert old in file.text
            line = file.text[: file.text.index(old)].count("\n") + 1 + old.startswith("\n")
            file = dataclasses.replace(file, text=file.text.replace(old, new))
        broken.append(file)
    with pytest.raises(Refusal) as refused:
        judge(site, broken, machine, Told())
    assert str(refused.value).startswith(f"/{path}:{line}: ")
    assert says in str(refused.value)
    assert "trial-" not in str(refused.value)


def test_nothing_is_left_of_the_copies(
    machine: Machine, files: list[Rendered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    judge(example(), files, machine, Told())
    assert list(tmp_path.iterdir()) == []
