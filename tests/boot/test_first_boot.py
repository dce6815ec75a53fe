"""A box gets its site from the wizard on its serial line.

The conversation has all that people do in it, and the power goes in its middle.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.redact import secrets
from firstboot.site.services import On
from qemu.console_patterns import CRASHES, LOGIN, PASSWORD
from qemu.disk import Disk
from qemu.lab import conversation
from qemu.lab.serial import Serial
from qemu.machine import Machine
from tests.boot import isp
from tests.boot.conftest import BOOT, STICK, transcripts
from tests.boot.isp import APPLIED, QUESTION, SITE, TURNS, UP, Isp, nics
from tests.boot.listening import differences
from tests.boot.services import enabled, listed

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("first-boot")]

CUT = next(at for at, turn in enumerate(TURNS) if turn[0] == "Your prefixes")
"""The index of the question at which the power is cut."""


@pytest.fixture(scope="module")
def box(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Isp]:
    """A box after the wizard, during which the power was cut."""
    image = isp.image(sets, tmp_path_factory.mktemp("first-boot"))
    disk = Disk(image, size=STICK)
    with Machine(
        disk, folder=transcripts(sets), nics=nics(), memory=1536, name="wizard"
    ) as machine:
        console = machine.console
        console.expect(conversation.BEGIN[0], timeout=BOOT)
        machine.shell.open_shell(timeout=BOOT)
        lab = Isp(machine)
        lab.is_silent()
        console.send_line()
        serial = Serial(console, QUESTION)
        conversation.play(serial, TURNS[1:CUT])
        serial.expect([TURNS[CUT][0]])
        machine.cut_power()
        machine.start()
        serial = Serial(machine.console, QUESTION)
        machine.console.expect(conversation.BEGIN[0], timeout=BOOT, failures=CRASHES)
        serial.send("")
        serial.expect(["goes on where it was"])
        conversation.play(serial, TURNS[CUT:])
        machine.console.expect(UP, timeout=APPLIED)
        machine.shell.open_shell(timeout=BOOT)
        yield lab


def test_the_box_runs_what_was_answered(box: Isp) -> None:
    box.runs(SITE)


def test_who_runs_and_who_listens_is_listed(box: Isp) -> None:
    assert enabled(box.machine) == listed(On.ALWAYS, On.SITE)
    assert differences(box.said("sockstat -46lqw"), SITE, allot(SITE)) == []


def test_the_site_is_kept_and_the_answers_are_not(box: Isp) -> None:
    kept = {"accounts", "current", "generations", "ssh", "state"}
    assert set(box.said("ls /cfg").split()) - {"entropy"} == kept
    assert "generations/0001" in box.said("readlink /cfg/current")
    assert box.said("stat -f '%Sp %Su' /cfg /cfg/accounts/root /cfg/current/site.yaml") == (
        "drwx------ root\n-rw------- root\n-rw------- root"
    )
    shown = box.said("exitisp show")
    assert "Example Onion Cooperative" in shown
    assert not any(secret in shown for secret in secrets(SITE))


def test_root_has_the_password_that_was_chosen(box: Isp) -> None:
    console = box.machine.console
    console.expect(LOGIN, timeout=BOOT)
    console.send_line("root")
    console.expect(PASSWORD, timeout=QUESTION)
    console.send_line(conversation.PASSWORD)
    console.expect("# ", timeout=QUESTION)
    console.send_line("exit")


def test_no_secret_is_in_the_transcript(box: Isp) -> None:
    text = box.machine.console.transcript.text.read_text(errors="replace")
    assert "Example Onion Cooperative" in text
    for secret in (conversation.PASSWORD, *secrets(SITE)):
        assert secret not in text


def test_everything_is_there_again_after_a_reboot(box: Isp) -> None:
    said = box.restart()
    assert "Configuration: generation 0001." in said
    box.runs(SITE)


def test_what_is_typed_over_ssh_runs_by_the_first_routing_table(box: Isp) -> None:
    """A session of SSH has the second one, of the management port (sshd_fib)."""
    assert box.said("setfib 1 sysctl -n net.my_fibnum") == "1"
    assert box.status("setfib 1 exitisp status") == 0
    for service in ("local_unbound", "exitisp_relays"):
        box.said(f"setfib 1 service {service} restart", APPLIED)
    lines = (line.split() for line in box.said("ps -axo fib,comm").splitlines()[1:])
    found = {(table, name) for table, name, *_ in lines if name in ("local-unbound", "tor")}
    assert found == {("0", "local-unbound"), ("0", "tor")}
    box.runs(SITE)


def test_relays_that_crash_keep_nobody_from_starting_them(box: Isp) -> None:
    """On HardenedBSD, five crashes suspend tor for its user, who is not the one that starts it."""
    box.said("touch /var/run/exitisp/untended")
    for _ in range(3):
        box.said("kill -SEGV $(cat /var/run/tor/*.pid); sleep 5")
        assert box.status("pgrep -x tor") != 0
        box.said("service exitisp_relays start", APPLIED)
    box.said("rm /var/run/exitisp/untended")
    box.runs(SITE)


def test_a_wrong_file_changes_nothing(box: Isp) -> None:
    for name, reason in (("wrong", "an ASN"), ("device", "network device of this box")):
        told = box.machine.shell.run(f"exitisp apply /testdata/sites/{name}.yaml", 400, check=False)
        assert told.status == 1
        assert reason in told.text
    assert box.said("ls /cfg/generations").split() == ["0001"]
    box.runs(SITE)
