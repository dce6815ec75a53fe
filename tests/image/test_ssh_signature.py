import subprocess
from pathlib import Path

import pytest

from firstboot.core.refusal import Refusal
from image.ssh_signature import Principal, PublicKey, Signer
from tests.image.base.upstream import PRINCIPAL, Keys


def test_the_fingerprint_is_that_of_ssh_keygen(keys: Keys) -> None:
    command = ["ssh-keygen", "-l", "-f", str(keys.private)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert keys.public.fingerprint == shown.split()[1]


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_keys_of_other_kinds_verify_too(kind: str, tmp_path: Path) -> None:
    private = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", private], check=True)
    keys = Keys(private, PublicKey.parse((tmp_path / "key.pub").read_text()))
    Signer(PRINCIPAL, keys.public).verify(b"text", keys.sign(b"text"), "text")


def test_a_key_survives_being_written_and_read(keys: Keys) -> None:
    assert PublicKey.parse(str(keys.public)) == keys.public


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-dss AAAAB3NzaC1kc3M=",
        "ssh-ed25519 not!base64",
        "ssh-ed25519 AAAAB3NzaC1yc2E=",
        "ssh-ed25519 AAAA",
        'cert-authority ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"',
        "<html>",
    ],
)
def test_what_is_no_key_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="OpenSSH public key"):
        PublicKey.parse(text)


@pytest.mark.parametrize("text", ["", "*", "a b", "a,b", 'a" namespaces="x', "!a", "a\nb"])
def test_a_principal_cannot_widen_who_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="signer's name"):
        Principal.parse(text)


def test_a_file_is_verified_from_its_beginning(keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "base.txz"
    path.write_bytes(b"a set")
    with path.open("rb", buffering=0) as file:
        file.read()
        Signer(PRINCIPAL, keys.public).verify(file, keys.sign(b"a set"), "base.txz")


def test_an_altered_file_is_refused(keys: Keys) -> None:
    with pytest.raises(
        Refusal,
        match=r"base.txz: the signature by \S+ \(hbsd-os-build-01\) does not match the content;",
    ):
        Signer(PRINCIPAL, keys.public).verify(b"altered", keys.sign(b"a set"), "base.txz")


def test_a_signature_for_another_purpose_is_refused(keys: Keys) -> None:
    signature = keys.sign(b"a set", namespace="git")
    with pytest.raises(Refusal, match="ssh-keygen says"):
        Signer(PRINCIPAL, keys.public).verify(b"a set", signature, "base.txz")


def test_a_strangers_signature_is_refused_with_both_fingerprints(
    keys: Keys, strangers_keys: Keys
) -> None:
    with pytest.raises(Refusal) as refused:
        Signer(PRINCIPAL, keys.public).verify(b"a set", strangers_keys.sign(b"a set"), "base.txz")
    assert keys.public.fingerprint in refused.value.problem
    assert strangers_keys.public.fingerprint in refused.value.problem


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----\n=\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----\n",
    ],
)
def test_what_is_no_signature_is_refused(signature: bytes, keys: Keys) -> None:
    with pytest.raises(Refusal, match=r"base.txz.sig: its .* bytes are no OpenSSH signature"):
        Signer(PRINCIPAL, keys.public).verify(b"a set", signature, "base.txz")


def test_without_ssh_keygen_its_package_is_named(
    keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signature = keys.sign(b"a set")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refusal, match="openssh-client"):
        Signer(PRINCIPAL, keys.public).verify(b"a set", signature, "base.txz")
