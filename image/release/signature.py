"""The signature of a release: OpenSSH's, over SHA256SUMS, in a namespace of its own.

Made by ``ssh-keygen -Y sign`` with a key in a file, in an agent or on a token, verified as
`image.ssh_signature` says. The namespace keeps a signature that the same key made of anything
else from passing for one of a release.
"""

import subprocess
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import settle, writing
from image.release import checksums
from image.ssh_signature import Principal, PublicKey, Signer

NAMESPACE = "exitisp-release"
PRINCIPAL = Principal("exitisp-release")
SUFFIX = ".sig"
LARGEST = 1 << 16


def sign(path: Path, key: Path, namespace: str = NAMESPACE) -> Path:
    """Sign the file at `path` with `key`: a private key, or the public one of a key in an agent.

    The signature lies beside it. Raises Refusal.
    """
    signature = path.with_name(path.name + SUFFIX)
    command = ["ssh-keygen", "-Y", "sign", "-q", "-f", str(key), "-n", namespace]
    with writing(signature):
        part = signature.with_name(f".{signature.name}.new")
        try:
            with path.open("rb") as message, part.open("wb") as into:
                done = subprocess.run(command, stdin=message, stdout=into, stderr=subprocess.PIPE)
            if done.returncode:
                said = " ".join(done.stderr.decode(errors="replace").split())
                raise Refusal(
                    key,
                    expected="a key that ssh-keygen can sign with",
                    found=f"'{said.rstrip('.')}'",
                    remedy="name a private key, or the public one of a key in your agent",
                )
            settle(part, signature)
        except FileNotFoundError as error:
            raise _no_program() if error.filename == "ssh-keygen" else error from error
        finally:
            part.unlink(missing_ok=True)
    return signature


def verify(folder: Path, key: PublicKey) -> dict[str, str]:
    """The sums of the release in `folder`, if `key` signed them and its files have them.

    Signature first, then the hashes. Raises Refusal.
    """
    path = folder / checksums.NAME
    data = _read(path, checksums.LARGEST)
    signature = _read(path.with_name(path.name + SUFFIX), LARGEST)
    signer = Signer(PRINCIPAL, key, NAMESPACE, "see who makes the releases, and with which key")
    signer.verify(data, signature, str(path))
    sums = checksums.parse(data, str(path))
    checksums.verify(folder, sums)
    return sums


def public_of(key: Path) -> PublicKey:
    """The public key that is in the file `key`, or beside it. Raises Refusal."""
    path = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if not path.is_file():
        raise Refusal(
            path,
            expected="the public key of the release's key",
            found="no such file",
            remedy=f"write it there: ssh-keygen -y -f {key} > {path}",
        )
    return read_key(path)


def read_key(path: Path) -> PublicKey:
    """The public key in the file at `path`. Raises Refusal."""
    text = _read(path, LARGEST).decode("utf-8", "replace")
    try:
        return PublicKey.parse(text)
    except ValueError as error:
        raise Refusal(
            path,
            expected=str(error),
            found="none",
            remedy="name the public key of the release, which ends in .pub",
        ) from error


def _read(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(largest)
    except OSError as error:
        raise Refusal(
            path,
            expected="a file of the release",
            found=error.strerror or str(error),
            remedy="fetch the release again, all files into one folder",
        ) from error


def _no_program() -> Refusal:
    return Refusal(
        "ssh-keygen",
        expected="OpenSSH's ssh-keygen in PATH, which signs",
        found="none",
        remedy="install it, on Debian and Ubuntu: sudo apt install openssh-client",
    )
