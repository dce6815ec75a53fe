"""Encrypts and authenticates bytes with a passphrase, by OpenSSL.

The result is text in two parts: a private key made for this purpose alone, encrypted with the
passphrase (PKCS #8, RFC 5958; scrypt, RFC 7914), and a message to that key, encrypted and
authenticated with AES-256-GCM (CMS AuthEnvelopedData, RFC 5083 and 5084). The public key is kept
nowhere, so that nobody without the passphrase can make another message to it. OpenSSL decrypts it
without this program:

    openssl cms -decrypt -binary -inform PEM -in FILE -inkey FILE -out OPENED

A passphrase goes through a pipe. What is not encrypted is in memory alone (/var).
"""

import base64
import binascii
import os
import re
import subprocess
from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.box.working_folder import working_folder
from firstboot.core.limits import BACKUP
from firstboot.core.refusal import Refusal

KEY, MESSAGE = "ENCRYPTED PRIVATE KEY", "CMS"
"""Labels of the two parts (RFC 7468)."""

AUTHENTICATED = bytes.fromhex("060b2a864886f70d0109100117")
"""The object identifier of AuthEnvelopedData. Without a check for it, an attacker could turn the
message into one that is not authenticated (RFC 9709, section 1)."""

_PART = r"-----BEGIN {0}-----\n([A-Za-z0-9+/=\n]+)-----END {0}-----\n"
_SEALED = re.compile(_PART.format(KEY) + _PART.format(MESSAGE))

_BY_SCRYPT = re.compile(
    rb"\x30(?:.|\x81.|\x82..)\x30.\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d\x30.\x30."
    rb"\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b\x30.\x04(?:\x08.{8}|\x10.{16})"
    rb"\x02\x02\x40\x00\x02\x01\x08\x02\x01\x0a(?:\x02\x01\x20)?\x30",
    re.DOTALL,
)
"""How a key begins that is encrypted with PBES2 by scrypt with our parameters (RFC 7914, section
7). With others, or with PBKDF2, one try of a passphrase could take hours."""

_SCRYPT = ("-scrypt", "-scrypt_N", "16384", "-scrypt_r", "8", "-scrypt_p", "10")
"""Options of scrypt: as much memory as OpenSSL allows for decryption, and ten times the work."""


def seal(data: bytes, passphrase: str, machine: Machine) -> bytes:
    """Encrypt `data`. Raises Refusal."""
    with working_folder(_folder(machine)) as work:
        key, public = f"{work}/key", f"{work}/public"
        curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        _done(machine, "genpkey", *curve, "-out", key)
        named = ("-subj", "/CN=exitisp backup", "-days", "1")
        _done(machine, "x509", "-new", "-key", key, *named, "-out", public)
        sealed = _done(machine, "pkcs8", "-topk8", "-in", key, *_SCRYPT, passphrase=passphrase)
        Path(key).unlink()
        how = ("-aes-256-gcm", "-recip", public, "-keyopt", "ecdh_kdf_md:sha256")
        binary = ("-binary", "-outform", "PEM")
        return sealed + _done(machine, "cms", "-encrypt", *binary, *how, given=data)


def unseal(sealed: bytes, passphrase: str, machine: Machine, name: str) -> bytes:
    """Decrypt what `seal` made. Raises Refusal for a wrong passphrase and for a changed bit.

    `name` names the input in messages.
    """
    if not _well_formed(sealed):
        raise Refusal(
            name,
            "this is not a whole backup, as exitisp backup writes it",
            "Take another copy of it",
        )
    with working_folder(_folder(machine)) as work:
        key = f"{work}/key"
        ran = _openssl(machine, "pkey", given=sealed, passphrase=passphrase)
        if ran.returncode:
            raise Refusal(
                name,
                "the passphrase does not open it",
                "Type it again. If it is right, take another copy of the backup",
            )
        Path(key).write_bytes(ran.stdout)
        how = ("-binary", "-inform", "PEM", "-inkey", key)
        ran = _openssl(machine, "cms", "-decrypt", *how, given=sealed)
    if ran.returncode:
        raise Refusal(name, "it was changed or damaged", "Do not use it; take another copy")
    return ran.stdout


def _well_formed(sealed: bytes) -> bool:
    """Whether it is the two parts and nothing else, the first encrypted as `seal` does it, and the
    second authenticated."""
    if len(sealed) > BACKUP:
        return False
    parts = _SEALED.fullmatch(sealed.decode("ascii", "replace").replace("\r\n", "\n"))
    if parts is None:
        return False
    try:
        key, message = (
            base64.b64decode(part.replace("\n", ""), validate=True) for part in parts.groups()
        )
    except binascii.Error:
        return False
    if not _BY_SCRYPT.match(key):
        return False
    # SEQUENCE, its length in one byte or in as many more as that byte says (X.690, 8.1.3).
    length = message[1] & 0x7F if len(message) > 1 and message[1] & 0x80 else 0
    return message[:1] == b"\x30" and message[2 + length :].startswith(AUTHENTICATED)


def _folder(machine: Machine) -> Path:
    machine.state.mkdir(parents=True, exist_ok=True)
    return machine.state


def _done(machine: Machine, *command: str, given: bytes = b"", passphrase: str = "") -> bytes:
    ran = _openssl(machine, *command, given=given, passphrase=passphrase)
    if ran.returncode:
        raise Refusal(
            f"openssl {command[0]}",
            " ".join(ran.stderr.decode(errors="replace").split())[-200:]
            or f"status {ran.returncode}",
            "See that the image has OpenSSL 3",
        )
    return ran.stdout


def _openssl(
    machine: Machine, *command: str, given: bytes = b"", passphrase: str = ""
) -> subprocess.CompletedProcess[bytes]:
    """Run openssl(1) with `given` as its standard input, and with the passphrase in a pipe."""
    options: list[str] = []
    pipe: list[int] = []
    if passphrase:
        reading, writing = os.pipe()
        os.write(writing, f"{passphrase}\n".encode())
        os.close(writing)
        pipe.append(reading)
        options = ["-passout" if command[0] == "pkcs8" else "-passin", f"fd:{reading}"]
    try:
        return subprocess.run(
            ["openssl", *command, *options],
            input=given,
            capture_output=True,
            env={"PATH": machine.search, "LC_ALL": "C"},
            pass_fds=pipe,
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error).encode())
    finally:
        for descriptor in pipe:
            os.close(descriptor)
