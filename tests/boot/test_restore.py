"""A spare box is restored from a backup: its wizard finds the backup on the FAT partition.

The cables are in other cards. What the spare box then keeps is what it was made of.
"""

import dataclasses
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firstboot.box.backup.archive import Kept, pack, unpack
from firstboot.box.backup.encryption import seal, unseal
from firstboot.box.machine import Machine as Here
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.core import passwords
from firstboot.site.writer import compose
from qemu.disk import Disk
from qemu.lab import conversation
from qemu.lab.serial import Serial
from qemu.machine import Machine
from tests.boot.conftest import BOOT, PACKAGES, STICK, full, make, transcripts
from tests.boot.isp import APPLIED, QUESTION, UP, WHOLE, nics, put
from tests.image.freeze.made import frozen_for_freebsd

pytestmark = [pytest.mark.boot, pytest.mark.xdist_group("restore"), full]

PHRASE = "korund-Flieder-77-tausend-Igel"
SITE = dataclasses.replace(WHOLE, relays=dataclasses.replace(WHOLE.relays, count=1))
CARDS = [port.device for port in SITE.ports][::-1]
"""The network cards of the spare box, in the order of the ports."""


@dataclass(frozen=True)
class Spare:
    machine: Machine
    kept: tuple[Kept, ...]
    fingerprint: str

    def said(self, command: str, timeout: float = 240.0) -> str:
        return self.machine.shell.run(command, timeout).text.rstrip("\n")


@pytest.fixture(scope="module")
def spare(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spare]:
    if PACKAGES is None or shutil.which("tor") is None:
        pytest.skip("no packages to run a relay with, or no tor here to make its keys")
    folder = tmp_path_factory.mktemp("restore")
    image = folder / "exitisp.img"
    make(sets, image, wizard=frozen_for_freebsd())
    fingerprint = relay(folder / "relay1")
    kept = (
        Kept("site.yaml", 0o600, compose(SITE).encode()),
        Kept("accounts/root", 0o600, f"{passwords.hashed(conversation.PASSWORD)}\n".encode()),
        *host_keys(folder),
        *(
            Kept(f"tor/relay1/keys/{path.name}", 0o600, path.read_bytes())
            for path in sorted((folder / "relay1/keys").iterdir())
        ),
    )
    put(image, seal(pack(kept), PHRASE, Here(folder, system=SYSTEM)), "exitisp-1.backup")
    disk = Disk(image, size=STICK)
    with Machine(
        disk, folder=transcripts(sets), nics=nics(), memory=1536, name="restore"
    ) as machine:
        machine.console.expect(conversation.BEGIN[0], timeout=BOOT)
        machine.console.send_line()
        script = [
            ("Make this box the one that was kept", ""),
            ("Passphrase of the backup", PHRASE[:-1]),
            ("Try again", ""),
            ("Passphrase of the backup", PHRASE),
            *(("Network card [", card) for card in CARDS),
            conversation.SAVE,
        ]
        conversation.play(Serial(machine.console, QUESTION), script)
        machine.console.expect(UP, timeout=APPLIED)
        machine.shell.open_shell(timeout=BOOT)
        yield Spare(machine, kept, fingerprint)
    shutil.rmtree(folder)


def relay(folder: Path) -> str:
    """Have Tor make the keys of a relay, and return their fingerprint."""
    folder.mkdir(mode=0o700)
    options = {"DataDirectory": folder, "ORPort": 9001, "Nickname": "kept", "ContactInfo": "x"}
    torrc = folder.with_suffix(".torrc")
    torrc.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
    command = ["tor", "--list-fingerprint", "-f", str(torrc)]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "fingerprint").read_text().split()[1]


def host_keys(folder: Path) -> Iterator[Kept]:
    name = "ssh_host_ed25519_key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)]
    subprocess.run(command, check=True)
    yield Kept(f"ssh/{name}", 0o600, (folder / name).read_bytes())
    yield Kept(f"ssh/{name}.pub", 0o644, (folder / f"{name}.pub").read_bytes())


def test_it_runs_what_was_kept_on_its_own_cards(spare: Spare) -> None:
    assert spare.machine.shell.run("exitisp status", 400.0, check=False).status == 0
    for port, card in zip(SITE.ports, CARDS, strict=True):
        interface = f"{card}.{port.vlan}" if port.vlan else card
        told = spare.said(f"ifconfig {interface}")
        assert all(str(address.ip) in told for address in port.addresses), interface


def test_its_relay_and_its_ssh_are_the_old_ones(spare: Spare) -> None:
    assert spare.fingerprint in spare.said("cat /data/tor/relay1/fingerprint")
    place = "/cfg/ssh/ssh_host_ed25519_key"
    (public,) = (one.data.decode() for one in spare.kept if one.name.endswith(".pub"))
    assert public.split()[1] in spare.said(f"ssh-keygen -y -f {place}")
    told = spare.said(f"stat -f '%Sp %Su' {place} /data/tor /data/tor/relay1/keys/secret_id_key")
    assert told.split("\n") == ["-rw------- root", "drwx------ _tor", "-rw------- _tor"]


def test_it_keeps_what_it_was_made_of(spare: Spare, tmp_path: Path) -> None:
    """The backup is made with the OpenSSL of the box and opened with that of this host."""
    spare.said(f"echo {PHRASE} | exitisp backup /tmp/again.backup", 400.0)
    sealed = spare.said("cat /tmp/again.backup").replace("\r\n", "\n") + "\n"
    files = unpack(unseal(sealed.encode(), PHRASE, Here(tmp_path, system=SYSTEM), "again"), "again")
    again = {one.name: one for one in files}
    for one in spare.kept:
        if one.name != "site.yaml" and "signing" not in one.name:
            assert again[one.name] == one
    assert set(again) == {one.name for one in spare.kept}


def test_a_configured_box_refuses_another_restore(spare: Spare) -> None:
    ran = spare.machine.shell.run("exitisp restore /tmp/again.backup", 240.0, check=False)
    assert ran.status == 1
    assert "configured" in ran.text


def test_no_secret_is_in_the_transcript(spare: Spare) -> None:
    text = spare.machine.console.transcript.text.read_text(errors="replace")
    assert "Switch the old box off" in text
    assert PHRASE[:-1] not in text
