"""Makes and keeps the master keys of relays at a desk, and what a box needs of them.

Tor makes them (tor(1), --keygen). The folder has a DataDirectory for each relay, with its master
key, and the file to carry to the box. Signing keys are in that file alone.
"""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from firstboot.core.durable import keep, kept
from firstboot.core.output import say
from firstboot.core.passwords import weakness
from firstboot.core.refusal import Refusal
from firstboot.site.commands import sound
from firstboot.site.signing_keys import (
    CERTIFICATE,
    CERTIFICATE_FILE,
    MASTER_SECRETS,
    SECRET,
    SECRET_FILE,
    SECRET_KEY,
    SigningKeys,
    compose,
)

CARRIED = "box.relay-keys"

DAYS = (7, 365)
"""For how long a signing key may be good. Tor refuses less than a day and an hour."""

PATIENCE = 60.0
"""Seconds for Tor to make a key."""

SEARCH = "/usr/local/bin:/usr/bin:/bin"


def make_keys(site_path: Path, folder: Path, days: int, *, renew: bool, encrypted: bool) -> None:
    """Make signing keys for `days`, and with them, unless `renew`, the master keys, for each relay
    of the site at `site_path`. New master keys are `encrypted` with a passphrase if that is wanted.

    Raises Refusal.
    """
    site = sound(site_path)
    if not site.relays.offline_keys:
        raise Refusal(
            f"{site_path}: relays.offline_keys",
            "the relays of this site make and keep their own master keys",
            "Write offline_keys: true below relays first",
        )
    if not DAYS[0] <= days <= DAYS[1]:
        raise Refusal("--days", f"{days} is not from {DAYS[0]} to {DAYS[1]}", "Write --days 180")
    tor = _tor()
    relays = {number: folder / f"relay{number}" for number in range(1, site.relays.count + 1)}
    there = [number for number, own in relays.items() if _master(own)]
    if there and not renew:
        raise Refusal(
            relays[there[0]],
            "the relay has a master key already, which is its identity",
            "Write --renew for new signing keys, or name another folder for other relays",
        )
    if renew and not there:
        raise Refusal(
            folder,
            "it has no master key of a relay of this site",
            "Name the folder of the first time, or make master keys without --renew",
        )
    passphrase = _passphrase(new=not there and encrypted, old=any(map(_sealed, relays.values())))
    made = []
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number, own in relays.items():
            new = number not in there
            made.append(_made(tor, number, own, days, passphrase))
            until = time.strftime("%Y-%m-%d", time.gmtime(made[-1].certified.expires))
            what = "new identity" if new else "identity"
            say(f"relay {number}: {what} {made[-1].certified.fingerprint}, may sign until {until}")
        keep(folder / CARRIED, compose(made))
    except OSError as error:
        raise Refusal(
            error.filename or folder,
            f"the keys cannot be kept there ({error.strerror or error})",
            "Name another folder",
        ) from error
    say(f"To the box: ssh root@BOX exitisp relay-keys - < {folder / CARRIED}")
    say(f"{folder} has the master keys. Keep it, and a copy of it, where no network is.")


def _tor() -> str:
    found = shutil.which("tor", path=f"{os.environ.get('PATH', '')}:{SEARCH}")
    if found is None:
        raise Refusal(
            "tor",
            "it is not on this machine, and it makes the keys",
            "Install it, on Debian and Ubuntu with: sudo apt install tor",
        )
    return found


def _master(own: Path) -> bool:
    return any((own / "keys" / name).exists() for name in MASTER_SECRETS)


def _sealed(own: Path) -> bool:
    plain, sealed = (own / "keys" / name for name in MASTER_SECRETS)
    return sealed.exists() and not plain.exists()


def _passphrase(*, new: bool, old: bool) -> bytes:
    """The passphrase of master keys, or nothing where there is none: typed, or the first line of a
    standard input that is not a terminal. Raises Refusal."""
    if not (new or old):
        return b""
    if not sys.stdin.isatty():
        typed = again = sys.stdin.readline().rstrip("\n")
    else:
        typed = getpass.getpass("Passphrase of the master keys: ")
        again = getpass.getpass("The same again: ") if new else typed
    weak = weakness(typed, []) if new else "" if typed else "it is empty"
    if typed != again or weak:
        raise Refusal(
            "the passphrase",
            weak or "the two passphrases differ",
            "Take five random words, and write them down where the keys are not",
        )
    return typed.encode()


def _made(tor: str, number: int, own: Path, days: int, passphrase: bytes) -> SigningKeys:
    """Have Tor make what is missing below `own`, and take the signing key from there. Raises
    Refusal and OSError."""
    own.mkdir(mode=0o700, exist_ok=True)
    secret, certificate = (own / "keys" / name for name in (SECRET_FILE, CERTIFICATE_FILE))
    try:
        told = _keygen(tor, own, days, passphrase)
        data = [kept(path, 4096) or b"" for path in (secret, certificate)]
    finally:
        for path in (secret, certificate):
            path.unlink(missing_ok=True)
    if not (data[0].startswith(SECRET) and len(data[0]) == len(SECRET) + SECRET_KEY):
        raise Refusal(own, f"Tor made no signing key: {told}", "Look at the folder")
    found = SigningKeys(number, data[0][len(SECRET) :], data[1][len(CERTIFICATE) :])
    try:
        _ = found.certified
    except ValueError as error:
        raise Refusal(own, f"Tor made another certificate: {error}", "Take Tor 0.4.8") from error
    return found


def _keygen(tor: str, own: Path, days: int, passphrase: bytes) -> str:
    with tempfile.TemporaryDirectory(prefix="exitisp-") as empty:
        torrc = Path(empty) / "torrc"
        torrc.touch()
        command = [tor, "--keygen", "--hush", "-f", str(torrc), "--defaults-torrc", str(torrc)]
        command += ["--DataDirectory", str(own), "--SigningKeyLifetime", f"{days} days"]
        reading, writing = os.pipe()
        try:
            os.write(writing, passphrase)
            os.close(writing)
            how = ["--passphrase-fd", str(reading)] if passphrase else ["--no-passphrase"]
            ended = subprocess.run(
                [*command, *how],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={"PATH": SEARCH, "HOME": empty, "LC_ALL": "C"},
                pass_fds=[reading],
                text=True,
                errors="replace",
                timeout=PATIENCE,
            )
        except subprocess.TimeoutExpired:
            raise Refusal(own, f"Tor was not done in {PATIENCE:g} s", "Try it again") from None
        finally:
            os.close(reading)
    lines = [line.strip() for line in ended.stdout.splitlines() if "as root" not in line]
    if ended.returncode:
        raise Refusal(
            own,
            f"Tor made no keys: {' '.join(lines)[-300:]}",
            "Type the right passphrase" if passphrase else "Look at the folder",
        )
    return " ".join(lines)[-300:]
