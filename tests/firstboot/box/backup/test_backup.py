"""What makes a box is kept, sealed, and makes another box; or a sentence says why not."""

import base64
import contextlib
import hashlib
import io
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstboot.box import cli, setup
from firstboot.box.backup import archive, create, encryption
from firstboot.box.backup.archive import Kept, gather, lay, pack, unpack
from firstboot.box.backup.encryption import seal, unseal
from firstboot.box.backup.restore import _on_sticks
from firstboot.core.passwords import hashed, matches
from firstboot.core.refusal import Refusal
from firstboot.wizard.draft import Draft
from qemu.lab.conversation import PASSWORD, SAVE
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import Box, example
from tests.firstboot.box.cut import at_every_step
from tests.firstboot.box.test_apply import configured
from tests.firstboot.box.test_setup import Sit, sit
from tests.firstboot.wizard.talk import Person

__all__ = ["sit"]

DATA = b"\x00 secret \xff" * 100
PHRASE = "korund-Flieder-77-tausend-Igel"
SITE = example().value

KEYS = {
    "cfg/ssh/ssh_host_ed25519_key": b"host key",
    "cfg/ssh/ssh_host_ed25519_key.pub": b"public host key",
    "data/tor/relay1/keys/ed25519_master_id_secret_key": b"\x00first\xff",
    "data/tor/relay1/keys/secret_id_key": b"-----BEGIN RSA PRIVATE KEY-----",
    "data/tor/relay2/keys/ed25519_master_id_secret_key": b"second",
    "data/tor/family/exitisp.secret_family_key": b"family",
}
OTHERS = {
    "data/tor/relay1/state": b"Guard in",
    "data/tor/relay1/cached-consensus": b"much",
    "data/tor/other/keys/x": b"",
    "cfg/draft.yaml": b"",
    "cfg/accounts/operator": b"",
}


def put(box: Box, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        path = box.root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)


@pytest.fixture
def kept(box: Box) -> Box:
    """A box that runs, with keys."""
    configured(box)
    put(box, KEYS | OTHERS)
    setup.keep_password(box.machine, "$6$salt$hash")
    return box


MOVED = {"ix0": "ix1", "ix1": "igb0", "ix2": "ix2", "igb0": "ix0"}
"""Cards of the box, and of the spare one, that have the same cable."""

ELSEWHERE = replace(SITE, ports=tuple(replace(p, device=MOVED[p.device]) for p in SITE.ports))


@pytest.fixture
def spare(tmp_path: Path) -> Box:
    """A new box with the cables in other cards."""
    return boxes.make(tmp_path / "spare", ELSEWHERE)


class TestArchive:
    def test_it_has_what_makes_the_box_and_nothing_else(self, kept: Box) -> None:
        found = {one.name: one for one in gather(kept.machine)}
        names = {name.partition("/")[2] for name in KEYS}
        assert set(found) == {*names, "site.yaml", "accounts/root"}
        assert found["site.yaml"].data == (kept.root / "cfg/current/site.yaml").read_bytes()
        assert found["accounts/root"].data == b"$6$salt$hash\n"
        assert {one.mode for one in found.values()} == {0o600}
        assert unpack(pack(found.values()), "x") == tuple(found.values())

    def test_a_box_that_is_not_configured_has_nothing_to_keep(self, box: Box) -> None:
        with pytest.raises(Refusal, match="it is not configured, so there is nothing to keep"):
            gather(box.machine)

    def test_links_are_not_followed(self, kept: Box) -> None:
        """Relays own their folders."""
        (kept.root / "data/tor/relay1/keys/more").symlink_to(kept.root / "cfg/accounts/root")
        (kept.root / "data/tor/relay3").symlink_to(kept.root / "data/tor/relay1")
        names = {one.name for one in gather(kept.machine)}
        assert not any("more" in name or "relay3" in name for name in names)

    @pytest.mark.parametrize(
        "name",
        ["../etc/passwd", "/etc/passwd", "etc/passwd", "tor/relay1/keys/../../x", "tor/torrc",
         "tor/relay1/keys/", "ssh/authorized_keys", "site.yaml/x", "accounts/toor", "manifest"],
    )  # fmt: skip
    def test_other_paths_are_refused(self, name: str) -> None:
        archive = made(Kept("site.yaml", 0o600, b""), Kept(name, 0o600, b""))
        with pytest.raises(Refusal, match="this is not a backup of a box"):
            unpack(archive, "x")

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
    def test_so_is_what_is_no_plain_file(self, kind: bytes) -> None:
        archive = made(Kept("site.yaml", 0o600, b""), Kept("accounts/root", 0o600, b""), kind=kind)
        with pytest.raises(Refusal, match="accounts/root is not a regular file"):
            unpack(archive, "x")

    @pytest.mark.parametrize(
        ("manifest", "why"),
        [
            (b"exitisp-backup 2\n", "its manifest does not begin with"),
            (b"exitisp-backup 1\n", "other files than its manifest says"),
            (b"exitisp-backup 1\n%s 0644 site.yaml\n", "site.yaml is not as it was packed"),
            (b"exitisp-backup 1\n%s 4600 site.yaml\n", "site.yaml is not as it was packed"),
            (b"exitisp-backup 1\nx\n", "this is not a backup"),
            (b"", "this is not a backup"),
            (b"\xff", "this is not a backup"),
        ],
    )
    def test_the_manifest_counts(self, manifest: bytes, why: str) -> None:
        empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        manifest = manifest.replace(b"%s", empty)
        with pytest.raises(Refusal, match=why):
            unpack(tar([Kept("manifest", 0o600, manifest), Kept("site.yaml", 0o600, b"")]), "x")

    @given(st.binary(max_size=2000))
    def test_bytes_are_an_archive_or_refused(self, data: bytes) -> None:
        with pytest.raises(Refusal):
            unpack(data, "x")

    @given(st.integers(0, 5000), st.integers(0, 7))
    def test_a_changed_bit_that_counts_is_refused(self, at: int, bit: int) -> None:
        files = (Kept("site.yaml", 0o600, b"schema: 1\n"), Kept("accounts/root", 0o600, b"x"))
        data = bytearray(pack(files))
        data[at % len(data)] ^= 1 << bit
        with contextlib.suppress(Refusal):
            assert unpack(bytes(data), "x") == files


def made(*files: Kept, kind: bytes = tarfile.REGTYPE) -> bytes:
    """An archive with a manifest that agrees; the last file is of `kind`."""
    lines = [
        archive.MAGIC,
        *(f"{hashlib.sha256(o.data).hexdigest()} {o.mode:04o} {o.name}" for o in files),
    ]
    manifest = "".join(f"{line}\n" for line in lines).encode()
    return tar([Kept("manifest", 0o600, manifest), *files], kind)


def tar(files: list[Kept], kind: bytes = tarfile.REGTYPE) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for one in files:
            member = tarfile.TarInfo(one.name)
            member.size, member.mode = len(one.data), one.mode
            if one is files[-1]:
                member.type = kind
            archive.addfile(member, io.BytesIO(one.data))
    return target.getvalue()


class TestSeal:
    @pytest.fixture(scope="class")
    def machine(self, tmp_path_factory: pytest.TempPathFactory) -> Box:
        return boxes.make(tmp_path_factory.mktemp("sealing") / "root", SITE)

    @pytest.fixture(scope="class")
    def sealed(self, machine: Box) -> bytes:
        return seal(DATA, PHRASE, machine.machine)

    def test_it_is_opened_with_the_passphrase(self, machine: Box, sealed: bytes) -> None:
        assert unseal(sealed, PHRASE, machine.machine, "x") == DATA
        assert b"secret" not in sealed
        assert list(machine.machine.state.iterdir()) == []

    def test_openssl_opens_it_alone(self, sealed: bytes, tmp_path: Path) -> None:
        """As its documentation says."""
        shown = re.search(r"(?m)^    (openssl cms .*)$", encryption.__doc__ or "")
        assert shown
        (tmp_path / "FILE").write_bytes(sealed)
        command = [*shown[1].split(), "-passin", "stdin"]
        subprocess.run(command, input=PHRASE.encode(), cwd=tmp_path, check=True)
        assert (tmp_path / "OPENED").read_bytes() == DATA

    def test_no_two_are_alike(self, machine: Box, sealed: bytes) -> None:
        assert seal(DATA, PHRASE, machine.machine) != sealed

    @pytest.mark.parametrize("phrase", ["", "wrong", PHRASE + " ", PHRASE[:-1], PHRASE.lower()])
    def test_another_passphrase_does_not_open_it(
        self, machine: Box, sealed: bytes, phrase: str
    ) -> None:
        with pytest.raises(Refusal, match="the passphrase does not open it"):
            unseal(sealed, phrase, machine.machine, "x")

    @settings(max_examples=12)
    @given(st.integers(0, 10**6), st.integers(0, 7))
    def test_what_was_changed_is_never_opened(
        self, machine: Box, sealed: bytes, at: int, bit: int
    ) -> None:
        """A bit may be changed in which nothing is said of what is sealed."""
        head, message, tail = parts(sealed)
        data = bytearray(message)
        data[at % len(data)] ^= 1 << bit
        with contextlib.suppress(Refusal):
            assert unseal(head + wrapped(bytes(data)) + tail, PHRASE, machine.machine, "x") == DATA

    @settings(max_examples=8)
    @given(st.integers(0, 10**6))
    def test_a_part_of_it_is_refused(self, machine: Box, sealed: bytes, length: int) -> None:
        with pytest.raises(Refusal):
            unseal(sealed[: length % len(sealed)], PHRASE, machine.machine, "x")

    def test_a_message_that_is_not_authenticated_is_refused(
        self, machine: Box, sealed: bytes, tmp_path: Path
    ) -> None:
        """Even one that was made with the right key."""
        both = tmp_path / "sealed"
        both.write_bytes(sealed)

        def openssl(*words: str) -> bytes:
            command, phrase = ["openssl", *words], PHRASE.encode()
            ran = subprocess.run(
                command, input=phrase, capture_output=True, check=True, cwd=tmp_path
            )
            return ran.stdout

        openssl("pkey", "-in", "sealed", "-passin", "stdin", "-out", "key")
        openssl("x509", "-new", "-key", "key", "-subj", "/CN=x", "-out", "public")
        how = ("-binary", "-aes-256-cbc", "-outform", "PEM", "-recip", "public")
        message = openssl("cms", "-encrypt", *how)
        key = sealed[: sealed.index(b"-----BEGIN CMS")]
        with pytest.raises(Refusal, match="not a whole backup"):
            unseal(key + message, PHRASE, machine.machine, "x")

    @given(st.binary(max_size=500))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_other_bytes_are_refused_without_openssl(self, data: bytes) -> None:
        with pytest.raises(Refusal, match="not a whole backup"):
            unseal(data, PHRASE, Box(Path("/nowhere")).machine, "x")


def parts(sealed: bytes) -> tuple[bytes, bytes, bytes]:
    found = re.fullmatch(b"(?s)(.*BEGIN CMS-----\n)(.*)(-----END CMS.*)", sealed)
    assert found
    return found[1], base64.b64decode(found[2]), found[3]


def wrapped(data: bytes) -> bytes:
    text = base64.b64encode(data)
    return b"".join(text[at : at + 64] + b"\n" for at in range(0, len(text), 64))


@dataclass(frozen=True)
class Ran:
    status: int
    output: bytes
    said: str


@pytest.fixture
def exitisp(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Callable[..., Ran]:
    """Run a command of the box with lines on standard input, which is no terminal."""

    def run(box: Box, *arguments: str, lines: str) -> Ran:
        monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
        typed = tmp_path / "typed"
        typed.write_text(lines)
        before = os.dup(0)
        with typed.open() as file:
            os.dup2(file.fileno(), 0)
        try:
            status = cli.main(arguments)
        finally:
            os.dup2(before, 0)
            os.close(before)
        output, said = capfdbinary.readouterr()
        return Ran(status, output, said.decode())

    return run


class TestBackup:
    def test_to_a_file(self, kept: Box, exitisp: Callable[..., Ran], tmp_path: Path) -> None:
        place = tmp_path / "a.backup"
        assert exitisp(kept, "backup", str(place), lines=f"{PHRASE}\n").status == 0
        assert place.stat().st_mode & 0o777 == 0o600
        files = unpack(unseal(place.read_bytes(), PHRASE, kept.machine, "x"), "x")
        assert files == gather(kept.machine)
        assert not any(PHRASE in call for call in kept.programs.calls)

    def test_to_standard_output(self, kept: Box, exitisp: Callable[..., Ran]) -> None:
        ran = exitisp(kept, "backup", "-", lines=f"{PHRASE}\n")
        assert unpack(unseal(ran.output, PHRASE, kept.machine, "x"), "x")
        assert PHRASE not in ran.said

    def test_to_a_stick_beside_older_ones(self, kept: Box, exitisp: Callable[..., Ran]) -> None:
        stick = kept.machine.state / "stick"
        stick.mkdir()
        (stick / "EXITISP-1.BACKUP").write_bytes(b"older")
        ran = exitisp(kept, "backup", "stick", lines=f"{PHRASE}\n")
        assert ran.output == b"Kept on the stick as exitisp-2.backup.\n"
        assert unseal((stick / "exitisp-2.backup").read_bytes(), PHRASE, kept.machine, "x")
        mounts = [call for call in kept.calls if call.startswith("mount")]
        assert mounts == [
            "mount -t msdosfs -o sync,noexec,nosuid /dev/msdosfs/EXITISP /var/run/exitisp/stick"
        ]

    def test_no_stick_is_told(self, kept: Box, exitisp: Callable[..., Ran]) -> None:
        kept.fail("mount -t msdosfs")
        ran = exitisp(kept, "backup", "stick", lines=f"{PHRASE}\n")
        assert ran.status == 1
        assert "EXITISP: there is no USB stick with a FAT file system of this label" in ran.said

    @pytest.mark.parametrize("phrase", ["", "short", "password123456", "aaaaaaaaaaaaaaaaaaaa"])
    def test_a_weak_passphrase_is_refused(
        self, kept: Box, exitisp: Callable[..., Ran], tmp_path: Path, phrase: str
    ) -> None:
        ran = exitisp(kept, "backup", str(tmp_path / "a.backup"), lines=f"{phrase}\n")
        assert ran.status == 1
        assert ran.said.rstrip().splitlines()[-1].endswith("where the backup is not.")
        assert not (tmp_path / "a.backup").exists()

    def test_a_place_that_is_none_is_told(self, kept: Box, exitisp: Callable[..., Ran]) -> None:
        ran = exitisp(kept, "backup", "/nowhere/a.backup", lines=f"{PHRASE}\n")
        assert ran.status == 1
        assert "/nowhere/a.backup: the backup cannot be written there" in ran.said

    def test_what_is_typed_is_typed_twice_alike(self) -> None:
        person = Person([("Passphrase", PHRASE), ("The same again", PHRASE)])
        assert create._chosen(person.terminal, typed=True) == PHRASE
        assert PHRASE not in person.screen
        person = Person([("Passphrase", PHRASE), ("The same again", PHRASE + "x")])
        with pytest.raises(Refusal, match="the two passphrases differ"):
            create._chosen(person.terminal, typed=True)


def sealed_on_stick(kept: Box, spare: Box) -> None:
    stick = spare.machine.state / "stick"
    stick.mkdir(parents=True)
    (stick / "a.backup").write_bytes(seal(pack(gather(kept.machine)), PHRASE, kept.machine))
    spare.fail("mount -t msdosfs -o ro,noexec,nosuid /dev/gpt/efi")


def answers() -> list[tuple[str, str]]:
    """Which card is which port."""
    return [("Network card [", port.device) for port in ELSEWHERE.ports]


class TestRestore:
    def test_the_wizard_offers_it_and_the_spare_box_is_the_old_one(
        self, kept: Box, spare: Box, sit: Sit
    ) -> None:
        sealed_on_stick(kept, spare)
        script = [
            ("Press Enter to begin", ""),
            ("Make this box the one that was kept", ""),
            ("Passphrase of the backup", "wrong"),
            ("Try again", "yes"),
            ("Passphrase of the backup", PHRASE),
            *answers(),
            SAVE,
        ]
        person = sit(script)
        assert setup.setup(spare.machine) == 0
        assert "the passphrase does not open it" in person.screen
        assert "Switch the old box off" in person.screen
        assert PHRASE not in person.screen
        for name, data in KEYS.items():
            assert (spare.root / name).read_bytes() == data
            assert (spare.root / name).stat().st_mode & 0o777 == 0o600
            assert (spare.root / name).parent.stat().st_mode & 0o777 == 0o700
        assert not any((spare.root / name).exists() for name in OTHERS)
        assert (spare.root / "cfg/accounts/root").read_text() == "$6$salt$hash\n"
        site = (spare.root / "cfg/current/site.yaml").read_text()
        devices = re.findall(r"(?m)^ +device: (\S+)", site)
        assert devices == [port.device for port in ELSEWHERE.ports]
        old = (kept.root / "etc/local/bgpd.conf").read_text()
        moved = re.sub(r"(?<=depend on )[a-z0-9]+", lambda card: MOVED[card[0]], old)
        assert moved != old
        assert (spare.root / "etc/local/bgpd.conf").read_text() == moved
        assert "service exitisp_ports raise" in spare.calls

    def test_who_does_not_want_it_is_asked_as_ever(self, kept: Box, spare: Box, sit: Sit) -> None:
        sealed_on_stick(kept, spare)
        script = [("Press Enter to begin", ""), ("Make this box", "no"), ("Whose addresses", "Q")]
        sit(script)
        assert setup.setup(spare.machine) == 1
        assert not any((spare.root / name).exists() for name in KEYS)

    def test_what_is_no_backup_on_the_stick_does_not_stop_it(
        self, kept: Box, spare: Box, exitisp: Callable[..., Ran]
    ) -> None:
        """A folder, and what macOS leaves beside a file."""
        stick = spare.machine.state / "stick"
        (stick / "old.backup").mkdir(parents=True)
        exitisp(kept, "backup", str(stick / "b.backup"), lines=f"{PHRASE}\n")
        (stick / "._b.backup").write_bytes(b"\x00\x05\x16\x07")
        said: list[str] = []
        found = _on_sticks(spare.machine, said.append)
        assert {name for name, _ in found} == {"b.backup"}
        assert all("old.backup: the backup cannot be read" in line for line in said)
        assert said

    def test_nothing_is_offered_without_a_backup(self, spare: Box, sit: Sit) -> None:
        sit([("Press Enter to begin", ""), ("Whose addresses", ""), ("Name of the operator", "Q")])
        assert setup.setup(spare.machine) == 1

    def test_a_power_cut_in_the_middle_goes_on_with_the_questions(
        self, kept: Box, spare: Box, sit: Sit
    ) -> None:
        sealed_on_stick(kept, spare)
        begin = [
            ("Press Enter to begin", ""),
            ("Make this box the one that was kept", ""),
            ("Passphrase of the backup", PHRASE),
        ]
        sit([*begin, answers()[0]])
        assert setup.setup(spare.machine) == 1
        person = sit([("Press Enter to begin", ""), ("Network card", "quit"), ("Leave", "yes")])
        assert setup.setup(spare.machine) == 1
        assert "goes on where it was" in person.screen
        draft = Draft.open(spare.machine.cfg / "draft.yaml")
        assert draft.get(("operator", "name")) == SITE.operator.name
        assert draft.root_password == "$6$salt$hash"

    def test_by_a_command(self, kept: Box, spare: Box, sit: Sit, tmp_path: Path) -> None:
        place = tmp_path / "a.backup"
        place.write_bytes(seal(pack(gather(kept.machine)), PHRASE, kept.machine))
        sit([("Passphrase of the backup", PHRASE), *answers(), SAVE])
        assert setup.restore(place, spare.machine) == 0
        assert spare.machine.running()

    def test_a_box_that_is_configured_is_left_alone(self, kept: Box, tmp_path: Path) -> None:
        with pytest.raises(Refusal, match="it is configured already"):
            setup.restore(tmp_path / "a.backup", kept.machine)

    def test_a_file_that_is_not_there_is_told(self, spare: Box, sit: Sit, tmp_path: Path) -> None:
        sit([])
        with pytest.raises(Refusal, match=r"a\.backup: the backup cannot be read: No such file"):
            setup.restore(tmp_path / "a.backup", spare.machine)

    def test_another_key_stays_and_nothing_changes(self, kept: Box, spare: Box) -> None:
        put(spare, {"data/tor/relay2/keys/ed25519_master_id_secret_key": b"another"})
        with pytest.raises(Refusal, match=r"relay2.*this box has another key there"):
            lay(gather(kept.machine), spare.machine)
        assert not (spare.root / "data/tor/relay1").exists()
        assert not (spare.root / "cfg/ssh").exists()

    def test_after_a_power_cut_it_is_laid_again(self, kept: Box, tmp_path: Path) -> None:
        files = gather(kept.machine)
        numbers = iter(range(10_000))

        def prepare() -> Box:
            return boxes.make(tmp_path / f"spare-{next(numbers)}", SITE)

        for spare in at_every_step(prepare, lambda spare: lay(files, spare.machine)):
            lay(files, spare.machine)
            for name, data in KEYS.items():
                assert (spare.root / name).read_bytes() == data

    def test_the_password_lets_in(self, kept: Box, spare: Box, sit: Sit) -> None:
        setup.keep_password(kept.machine, hashed(PASSWORD))
        sealed_on_stick(kept, spare)
        sit([
            ("Press Enter to begin", ""), ("Make this box", ""), ("Passphrase of", PHRASE),
            *answers(), SAVE,
        ])  # fmt: skip
        assert setup.setup(spare.machine) == 0
        assert matches(PASSWORD, (spare.root / "cfg/accounts/root").read_text().strip())
