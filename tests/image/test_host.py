"""What a command needs of this machine: told in one line, or installed if that is asked for.

apt-get, sudo and systemctl are fakes here that write down how they are called.
"""

from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image import host

THERE = host.Need("there", lambda: True)
MISSING = host.Need("gdisk", lambda: False)
ALSO = host.Need("dosfstools", lambda: False)


class Machine:
    """A PATH with fakes in it, and what was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def add(self, name: str, does: str = "") -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.folder}/calls"\n{does}\n')
        path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    for tool in ("sh", "chmod", "rm", "sed"):
        (tmp_path / tool).symlink_to(f"/bin/{tool}")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(
        host, "INSTALL", host.INSTALL.replace("/usr/sbin/policy-rc.d", f"{tmp_path}/policy")
    )
    monkeypatch.setattr("os.geteuid", lambda: 0)
    return Machine(tmp_path)


def test_nothing_is_done_where_nothing_is_missing(machine: Machine) -> None:
    machine.add("apt-get")
    host.ensure([THERE])
    assert machine.calls == []


def test_nothing_is_installed_unasked(machine: Machine) -> None:
    machine.add("apt-get")
    with pytest.raises(Refusal) as refused:
        host.ensure([MISSING, THERE, ALSO])
    assert str(refused.value) == (
        "this machine: missing packages: dosfstools, gdisk. Install them, on Debian and Ubuntu "
        "with: sudo apt-get install dosfstools gdisk. Or add --install to the command."
    )
    assert machine.calls == []


def test_root_installs_what_is_missing_each_once(machine: Machine) -> None:
    machine.add("apt-get")
    host.ensure([MISSING, THERE, ALSO, MISSING], install=True)
    assert machine.calls == [
        "apt-get update --quiet=2",
        "apt-get install --yes --no-install-recommends --quiet=2 dosfstools gdisk",
    ]


def test_services_of_the_packages_are_not_started(machine: Machine) -> None:
    policy = machine.folder / "policy"
    machine.add("apt-get", f'"{policy}"; echo "starting: $?" >> "{machine.folder}/calls"')
    machine.add("systemctl")
    machine.add("dpkg", "echo /lib/systemd/system/bird.service; echo /usr/sbin/bird")
    host.ensure([MISSING], install=True)
    assert machine.calls.count("starting: 101") == 2
    assert "systemctl disable --quiet bird.service" in machine.calls
    assert not policy.exists()


def test_a_policy_of_the_machine_is_left_alone(machine: Machine) -> None:
    machine.add("policy")
    machine.add("apt-get")
    before = (machine.folder / "policy").read_text()
    host.ensure([MISSING], install=True)
    assert (machine.folder / "policy").read_text() == before


def test_sudo_is_used_where_it_asks_no_password(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    machine.add("sudo", 'shift; [ "$1" = true ] || exec "$@"')
    machine.add("apt-get")
    host.ensure([MISSING], install=True)
    assert any(call.startswith("apt-get install") for call in machine.calls)


@pytest.mark.parametrize("sudo", ["exit 1", None])
def test_others_are_told_what_to_type(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, sudo: str | None
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    machine.add("apt-get")
    if sudo:
        machine.add("sudo", sudo)
    with pytest.raises(Refusal, match="sudo apt-get install dosfstools gdisk"):
        host.ensure([MISSING, ALSO], install=True)
    assert not any(call.startswith("apt-get") for call in machine.calls)


def test_a_failing_installation_is_told(machine: Machine) -> None:
    machine.add("apt-get", "exit 100")
    with pytest.raises(Refusal, match="apt-get install gdisk: it ended with exit status 100"):
        host.ensure([MISSING], install=True)


def test_programs_are_found_where_only_root_looks(tmp_path: Path) -> None:
    assert host.program("sh", "dash").present()
    assert not host.program("no-such-program-here", "none").present()
    assert host.any_file(["/nowhere", str(tmp_path)], "some").present()
