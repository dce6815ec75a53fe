"""The family of the relays: who they are, and the secret by which relays elsewhere join them.

Tor keeps a relay's fingerprints in its DataDirectory, as a nickname and a fingerprint in a line: of
its RSA key in hexadecimal in `fingerprint`, of its Ed25519 key in Base64 in `fingerprint-ed25519`.
A family key is 96 bytes in `NAME.secret_family_key` (tor(1), --keygen-family): a heading, and the
secret key. Each relay of this box declares the others: see libexec/exitisp/family.
"""

import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.apply import site_of_running
from firstboot.box.machine import Machine, ensure_storage
from firstboot.box.output import Say
from firstboot.core.durable import keep, kept
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from firstboot.site.model import Site

RSA = re.compile(r"[A-Za-z0-9]{1,19} ([0-9A-F]{40})\n?")
ED25519 = re.compile(r"[A-Za-z0-9]{1,19} ([A-Za-z0-9+/]{43})\n?")

KEYS = "data/tor/family"
SUFFIX = ".secret_family_key"
HEADING = b"== ed25519v1-secret: fmly-id ==\x00"
LENGTH = 96

RELOAD = ("service", "exitisp_relays", "reload")


@dataclass(frozen=True, slots=True)
class Identity:
    """A relay of this box. Fingerprints are empty until it has started for the first time."""

    nickname: str
    rsa: str
    ed25519: str


def identities(site: Site, machine: Machine) -> Iterator[Identity]:
    """Raises Refusal for a file that is not what Tor writes."""
    for relay in allot(site).relays:
        folder = machine.root / f"data/tor/relay{relay.number}"
        yield Identity(
            relay.nickname,
            _fingerprint(folder / "fingerprint", RSA),
            _fingerprint(folder / "fingerprint-ed25519", ED25519),
        )


def show(machine: Machine, say: Say) -> None:
    """Print the relays, their fingerprints and the family keys. Raises Refusal."""
    site = site_of_running(machine).value
    for one in identities(site, machine):
        say(f"{one.nickname}: {one.rsa or 'has not started yet, so it has no fingerprint'}")
    for path in _keys(machine):
        say(f"family key: {path.name}")
    if told := missing_key(site, machine):
        say(told)


def proof(kind: str, machine: Machine, say: Say) -> None:
    """Print the fingerprints of all relays of this box as the ContactInfo Information Sharing
    Specification has them: the file `rsa-fingerprint.txt` or `ed25519-master-pubkey.txt` below
    /.well-known/tor-relay/, as `kind` is "rsa" or "ed25519". Raises Refusal if one is missing."""
    for one in identities(site_of_running(machine).value, machine):
        fingerprint = one.rsa if kind == "rsa" else one.ed25519
        if not fingerprint:
            raise Refusal(
                f"relay {one.nickname}",
                "it has not started yet, so it has no fingerprint",
                "Look at exitisp status, and ask again once it runs",
            )
        say(fingerprint)


def missing_key(site: Site, machine: Machine) -> str:
    """What is to be told if the site names a family key and the box has none; empty otherwise."""
    if not site.relays.family.ids or any(_keys(machine)):
        return ""
    return (
        "MISSING: the secret of the family that relays.family.ids names: exitisp family --import "
        "< NAME.secret_family_key"
    )


def take_key(machine: Machine, say: Say) -> None:
    """Have the relays use the family key that standard input has. Raises Refusal if it has none."""
    try:
        data = sys.stdin.buffer.read(LENGTH + 1)
    except OSError as error:
        raise Refusal(
            "standard input",
            f"it cannot be read ({error.strerror or error})",
            "Redirect a file into it",
        ) from error
    if len(data) != LENGTH or not data.startswith(HEADING):
        raise Refusal(
            "standard input",
            f"it is no family key, which has {LENGTH} bytes and says so in the first of them",
            "Make one with Tor 0.4.9 or newer: tor --keygen-family NAME",
        )
    ensure_storage(machine)
    site_of_running(machine)
    folder = machine.root / KEYS
    path = folder / f"{hashlib.sha256(data).hexdigest()[:16]}{SUFFIX}"
    owner = machine.owner("_tor", "_tor")
    with machine.alone():
        for made in (folder.parent, folder):
            made.mkdir(mode=0o700, exist_ok=True)
            os.chown(made, *owner)
        keep(path, data)
        os.chown(path, *owner)
        ran = machine.run(*RELOAD)
    if ran.status:
        raise Refusal(
            "the relays",
            f"the key is kept, and they did not read it: {ran.text.strip()[-200:]}",
            "Look at exitisp status",
        )
    say(f"The relays have the family key {path.name}. Make a new exitisp backup, which has it.")


def give_key(machine: Machine) -> None:
    """Write the family key to standard output. Raises Refusal if that is a terminal, and if there
    is not exactly one key."""
    found = [*_keys(machine)]
    if not found:
        raise Refusal(
            f"/{KEYS}",
            "it has no family key",
            "Make one with Tor 0.4.9 or newer, tor --keygen-family NAME, and exitisp family "
            "--import < NAME.secret_family_key",
        )
    if len(found) > 1:
        raise Refusal(
            f"/{KEYS}",
            f"it has several keys: {', '.join(one.name for one in found)}",
            "Copy the file that is meant from there",
        )
    if sys.stdout.isatty():
        raise Refusal(
            "standard output",
            "it is a terminal, and a secret does not belong on a screen",
            "From the other machine: ssh root@BOX exitisp family --export > our.secret_family_key",
        )
    data = kept(found[0], LENGTH)
    assert data is not None
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def _keys(machine: Machine) -> Iterable[Path]:
    folder = machine.root / KEYS
    return sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ()


def _fingerprint(path: Path, form: re.Pattern[str]) -> str:
    data = kept(path, 128)
    if data is None:
        return ""
    match = form.fullmatch(data.decode(errors="replace"))
    if match is None:
        raise Refusal(
            path,
            "it is not what Tor writes there: a nickname and a fingerprint",
            "Restart the relay, which writes it anew: service exitisp_relays restart",
        )
    return match[1]
