"""The signature of a release: an OpenSSH signature of SHA256SUMS, in a namespace of its own.

``ssh-keygen -Y sign`` makes it, with a key in a file, in an agent or on a token.
`image.ssh_signature` says how it is verified. Because of the namespace, a signature of anything
else by the same key is not accepted for a release.
"""

import subprocess
from pathlib import Path

from firstboot.core.refusal import Refusal
from image.atomic_files import settle, writing
from image.release import checksums
from image.ssh_signature import Principal, PublicKey, Signer
from image.verified_file import open_regular

NAMESPACE = "exitisp-release"
PRINCIPAL = Principal("exitisp-release")
SUFFIX = ".sig"
LARGEST = 1 << 16


def sign(path: Path, key: Path, namespace: str = NAMESPACE) -> Path:
    """Sign the file at `path`. `key` is a private key, or the public key of a key in an agent.

    Return the path of the signature, beside the file. Raises Refusal.
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
                    f"ssh-keygen cannot sign with this key: {said.rstrip('.')}",
                    "Name a private key, or the public key of a key in your agent",
                )
            settle(part, signature)
        except FileNotFoundError as error:
            raise _no_program() if error.filename == "ssh-keygen" else error from error
        finally:
            part.unlink(missing_ok=True)
    return signature


def verify(folder: Path, key: PublicKey) -> dict[str, str]:
    """Return the hashes of the release in `folder`, if `key` signed them and the files have them.

    The signature is verified before the hashes. Raises Refusal.
    """
    path = folder / checksums.NAME
    data = _read(path, checksums.LARGEST)
    signature = _read(path.with_name(path.name + SUFFIX), LARGEST)
    signer = Signer(PRINCIPAL, key, NAMESPACE, "Check who makes the releases, and with which key")
    signer.verify(data, signature, str(path))
    sums = checksums.parse(data, str(path))
    checksums.verify(folder, sums)
    return sums


def public_of(key: Path) -> PublicKey:
    """Return the public key that is in the file `key`, or beside it. Raises Refusal."""
    path = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    if not path.is_file():
        raise Refusal(
            path,
            "the public key of the signing key is missing",
            f"Write it there: ssh-keygen -y -f {key} > {path}",
        )
    return read_key(path)


def read_key(path: Path) -> PublicKey:
    """Return the public key in the file at `path`. Raises Refusal."""
    text = _read(path, LARGEST).decode("utf-8", "replace")
    try:
        return PublicKey.parse(text)
    except ValueError as error:
        raise Refusal(
            path,
            f"this is not a public key of OpenSSH: {error}",
            "Name the public key of the release, which ends in .pub",
        ) from error


def _read(path: Path, largest: int) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(largest)
    except Refusal as refusal:
        raise Refusal(
            path,
            f"a file of the release {refusal.problem}",
            "Fetch the release again, with all files in one folder",
        ) from refusal


def _no_program() -> Refusal:
    return Refusal(
        "ssh-keygen",
        "the program, which signs, is missing",
        "Install it, on Debian and Ubuntu with: sudo apt-get install openssh-client",
    )
