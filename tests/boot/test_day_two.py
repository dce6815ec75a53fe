"""A box takes its site from a file on its FAT partition, and then goes through changes of it.

The file is wrong at first. Then: changes, the way back, one that undoes itself, and a damaged
generation.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.site.redact import secrets
from firstboot.site.writer import compose
from qemu.console_patterns import LOGIN
from qemu.disk import Disk
from qemu.lab import conversation
from qemu.machine import Machine
from tests.boot import isp
from tests.boot.conftest import BOOT, STICK, full, transcripts
from tests.boot.isp import (
    APPLIED,
    CHANGED,
    ELSEWHERE,
    MORE_RELAYS,
    OUTSIDE,
    QUESTION,
    SITE,
    Isp,
    nics,
    put,
)

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("day-two"), full]


@pytest.fixture(scope="module")
def box(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isp]:
    """A box after its first boot, with an error in the site file on its FAT partition."""
    image = isp.image(sets, tmp_path_factory.mktemp("day-two"))
    put(image, compose(SITE).replace("asn: 64499", "asn: 64511000000").encode())
    disk = Disk(image, size=STICK)
    with Machine(
        disk, folder=transcripts(sets), nics=nics(), memory=1536, name="day-two"
    ) as machine:
        machine.console.expect("peers[1].asn: ", timeout=BOOT)
        machine.console.expect(conversation.BEGIN[0], timeout=BOOT)
        machine.console.send_line("")
        machine.console.expect("Its AS number", timeout=QUESTION)
        machine.shell.open_shell(timeout=BOOT)
        yield Isp(machine)


def test_a_wrong_site_file_leads_to_the_wizard_and_is_reported(box: Isp) -> None:
    box.said(
        "mkdir /tmp/fat; umount /var/run/exitisp/stick; mount -t msdosfs /dev/gpt/efi /tmp/fat"
    )
    findings = box.said("cat /tmp/fat/site-findings.txt")
    assert "peers[1].asn" in findings
    assert "Not taken" in findings
    assert box.said("ls /tmp/fat").split() == ["EFI", "site-findings.txt", "site.yaml"]
    box.is_silent()


def test_the_corrected_file_is_taken_without_a_question(box: Isp) -> None:
    box.said("cp /testdata/sites/site.yaml /tmp/fat/site.yaml && umount /tmp/fat")
    said = box.restart()
    assert "The site file was taken: generation 1." in said
    box.machine.shell.run("true")
    box.runs(SITE)
    box.said("mkdir /tmp/fat; mount -t msdosfs -o ro /dev/gpt/efi /tmp/fat")
    assert box.said("ls /tmp/fat").split() == ["EFI", "site-findings.txt"]
    assert not any(secret in box.said("cat /tmp/fat/site-findings.txt") for secret in secrets(SITE))
    box.said("umount /tmp/fat")
    assert box.said("pw usershow root").startswith("root:*:")


def test_a_change_is_taken_on_and_back(box: Isp) -> None:
    pids = box.said("pgrep -x tor; pgrep -x local-unbound; pgrep -o -x bgpd")
    box.said("exitisp apply /testdata/sites/changed.yaml", APPLIED)
    difference = box.said("exitisp diff")
    assert "+  - name: renamed-peer" in difference
    assert not any(secret in difference for secret in secrets(SITE))
    box.runs(CHANGED)
    box.said("exitisp rollback", APPLIED)
    box.runs(SITE)
    assert box.said("pgrep -x tor; pgrep -x local-unbound; pgrep -o -x bgpd") == pids


def test_a_change_that_locks_administrators_out_undoes_itself_over_a_power_cut(box: Isp) -> None:
    told = box.said("exitisp apply --confirm 1 /testdata/sites/locked.yaml", APPLIED)
    assert "Not confirmed yet: 1 minute from now, the box goes back to generation 1." in told
    assert ELSEWHERE in box.said("cat /etc/ssh/sshd_config")
    assert box.status("exitisp confirm") == 1
    box.machine.cut_power()
    box.machine.start()
    box.machine.console.expect(LOGIN, timeout=APPLIED)
    box.machine.shell.open_shell(timeout=BOOT)
    box.said("while [ -e /cfg/state/unconfirmed.json ]; do sleep 5; done", APPLIED)
    box.runs(SITE)
    assert ELSEWHERE not in box.said("cat /etc/ssh/sshd_config")
    assert "not confirmed, undone" in box.said("exitisp history")


def test_more_relays_come_up_with_their_addresses(box: Isp) -> None:
    running = box.said("cat /var/run/tor/relay1.pid /var/run/tor/relay2.pid")
    box.said("exitisp apply /testdata/sites/more.yaml", APPLIED)
    box.runs(MORE_RELAYS)
    box.said("exitisp rollback 1", APPLIED)
    box.runs(SITE)
    assert set(box.said("pgrep -x tor").split()) == set(running.split())


def test_a_damaged_generation_is_not_run(box: Isp) -> None:
    box.said("exitisp apply /testdata/sites/changed.yaml", APPLIED)
    box.said("echo pass all > /cfg/current/files/etc/pf.conf")
    said = box.restart()
    assert "generation 0005 is damaged" in said
    assert "Configuration: generation 0001." in said
    assert box.status("exitisp status") == 1
    assert box.is_up(OUTSIDE[0])
