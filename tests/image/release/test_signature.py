"""A release is accepted only complete, as it was signed, and by the known key."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.release import checksums, signature
from image.ssh_signature import PublicKey
from tests.image.base.upstream import Keys

FILES = {"exitisp-1.img.xz": b"an image" * 1000, "exitisp-1.json": b"{}", "exitisp-1.bmap": b""}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "release")


@pytest.fixture(scope="module")
def strangers_keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.make(tmp_path_factory.mktemp("keys") / "stranger")


@pytest.fixture
def release(tmp_path: Path, keys: Keys) -> Path:
    """A folder with files, their hashes, and the signature."""
    folder = tmp_path / "release"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    signature.sign(checksums.write(folder, list(FILES)), keys.private)
    return folder


def test_a_release_is_verified(release: Path, keys: Keys) -> None:
    assert set(signature.verify(release, keys.public)) == set(FILES)
    assert {path.name for path in release.iterdir()} == {*FILES, "SHA256SUMS", "SHA256SUMS.sig"}


def test_sha256sum_and_ssh_keygen_verify_it_too(release: Path, keys: Keys) -> None:
    allowed = release.parent / "allowed_signers"
    allowed.write_text(f'exitisp-release namespaces="exitisp-release" {keys.public}\n')
    command = f"ssh-keygen -Y verify -f {allowed} -I exitisp-release -n exitisp-release"
    command += " -s SHA256SUMS.sig < SHA256SUMS && sha256sum --strict -c SHA256SUMS"
    done = subprocess.run(["sh", "-c", command], cwd=release, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": OK") == len(FILES)


def test_sums_come_in_the_order_of_the_names(release: Path) -> None:
    before = (release / "SHA256SUMS").read_bytes()
    checksums.write(release, sorted(FILES, reverse=True))
    assert (release / "SHA256SUMS").read_bytes() == before
    assert [line.split("  ")[1] for line in before.decode().splitlines()] == sorted(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_an_altered_file_is_refused(release: Path, keys: Keys, name: str) -> None:
    (release / name).write_bytes(FILES[name] + b"x")
    with pytest.raises(Refusal, match=f"{name}: the file has the SHA-256"):
        signature.verify(release, keys.public)


@pytest.mark.parametrize("name", [*sorted(FILES), "SHA256SUMS", "SHA256SUMS.sig"])
def test_a_missing_file_is_refused(release: Path, keys: Keys, name: str) -> None:
    (release / name).unlink()
    with pytest.raises(Refusal, match=f"{name}: a file of the release cannot be read"):
        signature.verify(release, keys.public)


@pytest.mark.parametrize("name", [*sorted(FILES), "SHA256SUMS", "SHA256SUMS.sig"])
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(
    release: Path, keys: Keys, name: str
) -> None:
    (release / name).unlink()
    os.mkfifo(release / name)
    with pytest.raises(Refusal, match=f"{name}: a file of the release cannot be read: something"):
        signature.verify(release, keys.public)


@settings(max_examples=40)
@given(at=st.integers(0, 250), bit=st.integers(0, 7))
def test_every_bit_of_the_hashes_is_signed(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, at: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("altered")
    (folder / "a").write_bytes(b"a" * 9)
    path = checksums.write(folder, ["a"])
    signature.sign(path, keys.private)
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(Refusal, match="does not match the content"):
        signature.verify(folder, keys.public)


def test_an_added_line_is_refused(release: Path, keys: Keys) -> None:
    with (release / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  more\n")
    with pytest.raises(Refusal, match="does not match the content"):
        signature.verify(release, keys.public)


def test_another_key_is_refused(release: Path, keys: Keys, strangers_keys: Keys) -> None:
    signature.sign(release / "SHA256SUMS", strangers_keys.private)
    with pytest.raises(
        Refusal, match="Check who makes the releases, and with which key"
    ) as refused:
        signature.verify(release, keys.public)
    assert strangers_keys.public.fingerprint in str(refused.value)


def test_a_signature_of_another_kind_is_refused(release: Path, keys: Keys) -> None:
    """A mail, a commit or a base set signed by the same key is not a release."""
    data = (release / "SHA256SUMS").read_bytes()
    (release / "SHA256SUMS.sig").write_bytes(keys.sign(data, "file"))
    with pytest.raises(Refusal, match="does not match the content"):
        signature.verify(release, keys.public)


@pytest.mark.parametrize("data", [b"", b"none", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n"])
def test_other_bytes_than_a_signature_are_refused(release: Path, keys: Keys, data: bytes) -> None:
    (release / "SHA256SUMS.sig").write_bytes(data)
    with pytest.raises(Refusal, match="are no OpenSSH signature"):
        signature.verify(release, keys.public)


def test_a_key_in_an_agent_signs(release: Path, keys: Keys, tmp_path: Path) -> None:
    public = tmp_path / "public.pub"
    public.write_text(f"{keys.public}\n")
    script = 'ssh-add -q "$1" && shift && exec "$@"'
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(public), "-n", signature.NAMESPACE]
    arguments = ["ssh-agent", "sh", "-c", script, "sh", str(keys.private), *command]
    with (release / "SHA256SUMS").open("rb") as message:
        done = subprocess.run(arguments, stdin=message, capture_output=True, check=True)
    (release / "SHA256SUMS.sig").write_bytes(done.stdout)
    signature.verify(release, keys.public)


def test_a_key_that_cannot_sign_leaves_the_older_signature(
    release: Path, keys: Keys, tmp_path: Path
) -> None:
    before = (release / "SHA256SUMS.sig").read_bytes()
    wrong = tmp_path / "wrong"
    wrong.write_text("no key")
    for key in (wrong, tmp_path / "none"):
        with pytest.raises(Refusal, match="ssh-keygen cannot sign with this key"):
            signature.sign(release / "SHA256SUMS", key)
    assert (release / "SHA256SUMS.sig").read_bytes() == before
    assert not list(release.glob(".*"))


def test_a_missing_ssh_keygen_is_refused(
    release: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="apt-get install openssh-client"):
        signature.sign(release / "SHA256SUMS", keys.private)


def test_the_public_key_is_read(keys: Keys, tmp_path: Path) -> None:
    path = keys.private.with_name("release.pub")
    assert signature.read_key(path) == PublicKey.parse(path.read_text())
    with pytest.raises(Refusal, match="not a public key of OpenSSH"):
        signature.read_key(keys.private)
    with pytest.raises(Refusal):
        signature.read_key(tmp_path / "none")


class TestSums:
    @pytest.mark.parametrize(
        "line",
        [
            "", "x", f"{'0' * 63}  a", f"{'0' * 64} a", f"{'0' * 64} *a", f"{'0' * 64}  ../a",
            f"{'0' * 64}  /etc/passwd", f"{'0' * 64}  a b", f"{'A' * 64}  a", f"{'0' * 64}  .a",
            f"{'0' * 64}  a\x1b[2J", f"{'0' * 64}  -a", f"\\{'0' * 64}  a",
        ],
    )  # fmt: skip
    def test_a_line_of_another_kind_is_refused(self, line: str) -> None:
        with pytest.raises(Refusal, match="SHA256SUMS:1: this is not a SHA-256"):
            checksums.parse(f"{line}\n{'0' * 64}  good\n".encode(), "SHA256SUMS")

    def test_a_name_twice_is_refused(self) -> None:
        with pytest.raises(Refusal, match="SHA256SUMS:2"):
            checksums.parse(f"{'0' * 64}  a\n{'1' * 64}  a\n".encode(), "SHA256SUMS")

    @pytest.mark.parametrize("name", ["../a", "a/b", "a b", ".a", "a\n", ""])
    def test_a_name_that_no_line_can_hold_is_refused(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(Refusal, match="not a plain file name"):
            checksums.write(tmp_path, [name])

    @given(st.binary(max_size=200))
    def test_bytes_are_sums_or_refused(self, data: bytes) -> None:
        try:
            sums = checksums.parse(data, "SHA256SUMS")
        except Refusal:
            return
        assert all("/" not in name for name in sums)
