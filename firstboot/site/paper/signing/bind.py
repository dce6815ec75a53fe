"""BIND's programs for DNSSEC, which make the keys and sign the zones.

Of the programs that can do it they are the ones whose keys are two plain files each, that are told
which keys to use and which not, and that verify a zone after they signed it. Knot's keymgr(8) keeps
a database and a clock of its own; ldns-signzone(1) verifies nothing.
"""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firstboot.core.refusal import Refusal
from firstboot.site.paper.zones import TTL, Zone

ALGORITHM, DIGEST = 13, 2
"""ECDSA with P-256 and SHA-256, whose signatures are small and which every validator has to know
(RFC 8624); SHA-256 for DS records, the only digest that RFC 8624 wants."""

PATIENCE = 120.0
"""Seconds for one program."""

SEARCH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin"

KEY = re.compile(r"K[a-z0-9./-]{1,255}\.\+013\+[0-9]{5}")
"""The name of a key, which its two files have too, with .key and .private behind."""


@dataclass(frozen=True)
class Ds:
    """A DS record (RFC 4034, section 5). `digest` is in hexadecimal."""

    tag: int
    algorithm: int
    kind: int
    digest: str

    def __str__(self) -> str:
        return f"{self.tag} {self.algorithm} {self.kind} {self.digest}"


def make_key(folder: Path, zone: str, *, signs_keys: bool) -> str:
    """Make a key in `folder`, which nobody else can read, and return its name. Raises Refusal."""
    flags = ["-f", "KSK"] if signs_keys else []
    words = ["-q", "-K", str(folder), "-a", str(ALGORITHM), "-L", str(TTL), *flags, zone]
    name = _run("dnssec-keygen", *words).strip()
    if not KEY.fullmatch(name):
        raise Refusal("dnssec-keygen", "it named no key that it made", "Look at the folder of keys")
    return name


def public_key(folder: Path, name: str) -> str:
    """What the DNSKEY record of a key says (RFC 4034, section 2). Raises Refusal."""
    path = folder / f"{name}.key"
    try:
        text = path.read_bytes()[:4096].decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise lost(path, "it cannot be read") from error
    found = re.search(r"(?m)^[^;\s]\S* (?:[0-9]+ )?IN DNSKEY ([0-9]+ 3 13 [A-Za-z0-9+/= ]+)$", text)
    if not found:
        raise lost(path, "it is no key")
    return found[1]


def ds_of(folder: Path, name: str) -> Ds:
    """The DS record that leads to a key. Raises Refusal."""
    said = _run("dnssec-dsfromkey", "-a", "SHA-256", str(folder / f"{name}.key"))
    found = re.search(r" IN DS ([0-9]+) ([0-9]+) ([0-9]+) ([0-9A-F]{64})\s*$", said)
    if not found:
        raise lost(folder / f"{name}.key", "dnssec-dsfromkey makes no DS of it")
    return Ds(int(found[1]), int(found[2]), int(found[3]), found[4])


def sign(zone: Zone, extra: str, folder: Path, keys: list[str], start: int, end: int) -> str:
    """The text of `zone`, with the records of `extra`, signed with `keys` from `start` to `end`
    (seconds since 1970), and with proofs of what is not there (NSEC). Raises Refusal."""
    with tempfile.TemporaryDirectory(prefix="exitisp-") as place:
        plain, signed = Path(place) / "plain", Path(place) / "signed"
        plain.write_text(zone.text + extra)
        words = ["-q", "-x", "-N", "keep", "-o", zone.name, "-f", str(signed), "-d", place]
        words += ["-K", str(folder), "-s", _moment(start), "-e", _moment(end)]
        _run("dnssec-signzone", *words, str(plain), *keys)
        return signed.read_text()


def lost(path: Path, problem: str) -> Refusal:
    """The refusal for a key that was there."""
    return Refusal(
        path,
        problem,
        "Bring back the copy of the folder of keys. If there is none, have the DS records removed "
        "first, and name a new folder when they are gone everywhere",
    )


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}"


def _run(program: str, *arguments: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SEARCH}")
    if found is None:
        raise Refusal(
            program,
            "it is not on this machine, and it takes part in signing zones",
            "Install it, on Debian and Ubuntu with: sudo apt install bind9-utils",
        )
    try:
        ended = subprocess.run(
            [found, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"PATH": SEARCH, "LC_ALL": "C", "TZ": "UTC"},
            text=True,
            errors="replace",
            timeout=PATIENCE,
            umask=0o077,
        )
    except subprocess.TimeoutExpired:
        raise Refusal(program, f"it was not done in {PATIENCE:g} s", "Try it again") from None
    if ended.returncode:
        said = " ".join((ended.stdout + ended.stderr).split())[-300:]
        raise Refusal(program, f"it failed: {said}", "Look at the folder of keys")
    return ended.stdout
