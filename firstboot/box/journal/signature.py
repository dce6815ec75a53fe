"""Signs the head of the journal with the key of the box's SSH server, and verifies it.

``ssh-keygen -Y`` does both (ssh-keygen(1)).
"""

import re
from pathlib import Path

from firstboot.box.journal.head import NAMESPACE, Head, Signed
from firstboot.box.machine import Machine
from firstboot.core.durable import kept
from firstboot.core.refusal import Refusal

KEY = "ssh/ssh_host_ed25519_key"
"""Below /cfg."""

WHO = "box"

PATIENCE = 30.0

ARMOUR = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\n[A-Za-z0-9+/=\n]+-----END SSH SIGNATURE-----\n"
)
PUBLIC = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+")


def sign(head: Head, machine: Machine) -> str:
    """The signature of its line; empty if the box cannot sign, which is no reason not to write."""
    command = ("ssh-keygen", "-Y", "sign", "-q", "-f", str(machine.cfg / KEY), "-n", NAMESPACE)
    ran = machine.run(*command, given=head.line.decode("ascii"), patience=PATIENCE)
    found = ARMOUR.search(ran.text)
    return found[0] if ran.status == 0 and found else ""


def unproven(signed: Signed, machine: Machine) -> str:
    """Why the signature proves nothing; empty if it is this box's."""
    if not signed.signature:
        return "it is not signed: the box had no key at that time"
    try:
        key = public_key(machine)
    except Refusal as refusal:
        return f"its signature cannot be verified: {refusal.problem}"
    folder = machine.state
    folder.mkdir(parents=True, exist_ok=True)
    allowed, beside = folder / "journal.signers", folder / "journal.sig"
    allowed.write_text(f'{WHO} namespaces="{NAMESPACE}" {key}\n')
    beside.write_text(signed.signature)
    command = ("ssh-keygen", "-Y", "verify", "-f", str(allowed), "-I", WHO, "-n", NAMESPACE)
    given = signed.head.line.decode("ascii")
    ran = machine.run(*command, "-s", str(beside), given=given, patience=PATIENCE)
    for path in (allowed, beside):
        path.unlink(missing_ok=True)
    return (
        "" if ran.status == 0 else "its signature is not by the key of this box, or of other data"
    )


def has_key(machine: Machine) -> bool:
    """Whether the box has a public key; /cfg may be gone."""
    return (machine.cfg / f"{KEY}.pub").exists()


def public_key(machine: Machine) -> str:
    """The key of the box as one line, without a comment. Raises Refusal."""
    path: Path = machine.cfg / f"{KEY}.pub"
    data = kept(path)
    found = PUBLIC.match(data.decode("ascii", "replace")) if data else None
    if found is None:
        raise Refusal(path, "there is no key of the box", "Restart sshd, which makes one")
    return found[0]
