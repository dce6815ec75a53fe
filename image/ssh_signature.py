"""OpenSSH signatures (SSHSIG), as HardenedBSD's build server makes them.

``ssh-keygen -Y verify`` verifies them; this module parses keys and signatures only to tell whose
they are. Sources: ssh-keygen(1), PROTOCOL.sshsig in OpenSSH, RFC 4253 section 6.6.
"""

import base64
import binascii
import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from firstboot.core.refusal import Refusal

NAMESPACE = "file"

_KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END SSH SIGNATURE-----\s*"
)
_MAGIC = b"SSHSIG\0\0\0\1"


class PublicKey(str):
    """A public key as one line of text: its kind, a space, its blob in base64."""

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """Read one line of a public key file; drop its comment. Raises ValueError."""
        fields = text.split()
        if len(fields) < 2 or fields[0] not in _KINDS:
            raise ValueError("an OpenSSH public key such as 'ssh-ed25519 AAAA...'")
        try:
            blob = base64.b64decode(fields[1], validate=True)
        except ValueError as error:
            raise ValueError("an OpenSSH public key in base64") from error
        if _wire_string(blob) != fields[0].encode():
            raise ValueError(f"an OpenSSH public key that is of kind {fields[0]} inside too")
        return cls(f"{fields[0]} {fields[1]}")

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it: ``SHA256:`` and base64 without padding."""
        return _fingerprint(base64.b64decode(self.split()[1]))


class Principal(str):
    """A name in an allowed_signers file."""

    @classmethod
    def parse(cls, text: str) -> "Principal":
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]*", text):
            raise ValueError("a signer's name such as hbsd-os-build-01")
        return cls(text)


@dataclass(frozen=True, slots=True)
class Signer:
    """A signer: a name and the one key that is trusted as theirs.

    `namespace` is that of the signatures (PROTOCOL.sshsig); `renewal` is what to do when another
    key signed.
    """

    principal: Principal
    key: PublicKey
    namespace: str = NAMESPACE
    renewal: str = "If the signer has announced a new key, see ./exitisp lock --update --accept-key"

    def verify(self, message: bytes | FileIO, signature: bytes, subject: str) -> None:
        """Raise Refusal unless `signature` is this signer's, over `message`.

        A file is read from its beginning through its descriptor. `subject` names the message in
        a refusal.
        """
        found = signed_by(signature, subject)
        if found != self.key.fingerprint:
            raise Refusal(
                subject,
                f"signed by {found} instead of {self.key.fingerprint} ({self.principal})",
                f"Do not use it. {self.renewal}",
            )
        with tempfile.TemporaryDirectory(prefix="exitisp-") as folder:
            allowed = Path(folder, "allowed_signers")
            allowed.write_text(f'{self.principal} namespaces="{self.namespace}" {self.key}\n')
            detached = Path(folder, "signature")
            detached.write_bytes(signature)
            command = ["ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", self.principal]
            command += ["-n", self.namespace, "-s", str(detached)]
            done = _run(command, message)
        if done.returncode != 0:
            said = " ".join(done.stderr.decode(errors="replace").split()) or "no reason"
            raise Refusal(
                subject,
                f"the signature by {self.key.fingerprint} ({self.principal}) does not match "
                f"the content; ssh-keygen says '{said.rstrip('.')}'",
                "Fetch the file and its signature again. If that does not help, do not use them",
            )


def signed_by(signature: bytes, subject: str) -> str:
    """Return the fingerprint of the key that `signature` names; verify nothing.

    Raises Refusal if the bytes are not an OpenSSH signature; `subject` names what it signs.
    """
    armoured = _ARMOUR.fullmatch(signature)
    try:
        raw = base64.b64decode(b"".join(armoured[1].split()), validate=True) if armoured else b""
    except binascii.Error:
        raw = b""
    blob = _wire_string(raw.removeprefix(_MAGIC)) if raw.startswith(_MAGIC) else None
    if not blob:
        raise Refusal(
            f"{subject}.sig",
            f"its {len(signature)} bytes are no OpenSSH signature",
            "Fetch the signature again",
        )
    return _fingerprint(blob)


def _run(command: list[str], message: bytes | FileIO) -> subprocess.CompletedProcess[bytes]:
    try:
        if isinstance(message, bytes):
            return subprocess.run(command, input=message, capture_output=True, check=False)
        message.seek(0)
        return subprocess.run(command, stdin=message, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise Refusal(
            "ssh-keygen",
            "OpenSSH's ssh-keygen, which verifies signatures, is not in PATH",
            "Install it; on Debian and Ubuntu: sudo apt install openssh-client",
        ) from error


def _fingerprint(blob: bytes) -> str:
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"


def _wire_string(data: bytes) -> bytes | None:
    """Return the string at the start of `data`, after four bytes of its length, big-endian."""
    length = int.from_bytes(data[:4])
    return data[4 : 4 + length] if len(data) >= 4 + length and length else None
