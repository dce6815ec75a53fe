"""Signing keys of relays whose master keys are kept away from the box (`relays.offline_keys`).

A relay signs with a key that its master key has certified until a day. What comes from the desk is
judged by Tor, kept on /cfg as a whole, laid into the folders of the relays, and then removed from
there: if the power goes in between, the next minute lays it again. Tor takes new keys at SIGHUP.

The folders belong to the relays, so root follows no link in them.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firstboot.box.apply import site_of_running
from firstboot.box.family import RELOAD
from firstboot.box.machine import Machine, ensure_storage
from firstboot.box.output import Say
from firstboot.box.site_input import STANDARD_INPUT
from firstboot.box.working_folder import working_folder
from firstboot.core.durable import damaged, flush, keep, kept
from firstboot.core.refusal import Refusal
from firstboot.site.address_plan import allot
from firstboot.site.model import Site
from firstboot.site.signing_keys import (
    CERTIFICATE_FILE,
    LARGEST,
    MASTER,
    MASTER_FILE,
    MASTER_SECRETS,
    Certificate,
    SigningKeys,
    parse_carried,
    parse_certificate,
)

TOR = "/usr/local/bin/tor"
PENDING = "relay-keys"
"""On /cfg: what is being laid."""

DAY = 24 * 3600.0
SOON, NOW = 15 * DAY, DAY
"""Seconds before the end of a signing key in which it is told, and in which it is wrong."""

JUDGED = 60.0
"""Seconds for Tor to judge keys."""

LONGEST = 4096
"""Bytes of a file that Tor keeps a key or a certificate in; they have less than 200."""

DESK = "./exitisp relay-keys --renew SITE FOLDER at the desk, then exitisp relay-keys - < FILE here"


class Standing(Enum):
    """How long a relay may sign, and what is to be told of it."""

    GOOD = ""
    SOON = "ENDS SOON"
    NOW = "ENDS WITHIN A DAY"
    OVER = "IS OVER"
    MISSING = "IS MISSING"
    DAMAGED = "IS DAMAGED"

    @property
    def starts(self) -> bool:
        """Whether a relay with it starts."""
        return self in (Standing.GOOD, Standing.SOON, Standing.NOW)


@dataclass(frozen=True, slots=True)
class Relay:
    """What a relay of this box has to sign with. `has_master` is whether its master key is here."""

    number: int
    nickname: str
    certificate: Certificate | None
    standing: Standing
    has_master: bool

    @property
    def name(self) -> str:
        return f"relay{self.number}"


def relays(site: Site, machine: Machine, now: float) -> Iterator[Relay]:
    """What each relay has."""
    for one in allot(site).relays:
        folder = machine.root / f"data/tor/relay{one.number}/keys"
        certificate, standing = None, Standing.MISSING
        try:
            data = _read(folder / CERTIFICATE_FILE)
            certificate = parse_certificate(data) if data is not None else None
        except (ValueError, Refusal):
            standing = Standing.DAMAGED
        if certificate is not None:
            standing = _standing(certificate.expires - now)
        master = any((folder / name).is_file() for name in MASTER_SECRETS)
        yield Relay(one.number, one.nickname, certificate, standing, master)


def _standing(left: float) -> Standing:
    if left <= 0:
        return Standing.OVER
    return Standing.NOW if left < NOW else Standing.SOON if left < SOON else Standing.GOOD


def show(machine: Machine, say: Say) -> None:
    """Print each relay's identity, and until when it may sign. Raises Refusal."""
    site = _site(machine)
    now = time.time()
    for one in relays(site, machine, now):
        if one.certificate is None:
            say(f"relay {one.number}, {one.nickname}: its signing key {one.standing.value}")
            continue
        until = time.strftime("%Y-%m-%d %H:%M", time.gmtime(one.certificate.expires))
        days = (one.certificate.expires - now) / DAY
        say(
            f"relay {one.number}, {one.nickname}: {one.certificate.fingerprint}, may sign until "
            f"{until} UTC, {days:.0f} days"
        )


def told(site: Site, machine: Machine) -> Iterator[tuple[str, bool]]:
    """What is to be told of the signing keys, and whether it is as it has to be."""
    if not site.relays.offline_keys:
        return
    found = tuple(relays(site, machine, time.time()))
    for standing in Standing:
        those = [one for one in found if one.standing is standing]
        if those and standing is not Standing.GOOD:
            ends = min((one.certificate.expires for one in those if one.certificate), default=0)
            when = f", {time.strftime('%Y-%m-%d %H:%M', time.gmtime(ends))} UTC" if ends else ""
            many = _numbered(those, len(found))
            yield f"SIGNING KEY {standing.value}: {many}{when}: {DESK}", standing is Standing.SOON
    if masters := [one for one in found if one.has_master]:
        many = _numbered(masters, len(found))
        yield (
            f"MASTER KEY ON THE BOX: {many}: copy ed25519_master_id_secret_key below "
            "/data/tor/relayN/keys to the desk, and remove it here",
            False,
        )
    if (machine.cfg / PENDING).exists():
        yield "UNFINISHED: signing keys were cut off, and are laid within a minute", False


def _numbered(some: list[Relay], of: int) -> str:
    if len(some) == of:
        return "all relays"
    return f"relay {', '.join(str(one.number) for one in some)}"


def without_keys(site: Site, machine: Machine) -> frozenset[str]:
    """The names of relays that cannot start before somebody brings keys."""
    if not site.relays.offline_keys:
        return frozenset()
    found = relays(site, machine, time.time())
    return frozenset(one.name for one in found if not one.standing.starts)


def take(name: str, machine: Machine, say: Say) -> None:
    """Have the relays sign with the keys in the file called `name`; `-` is standard input. Raises
    Refusal, and then nothing has changed."""
    data, where = _given(name)
    try:
        carried = parse_carried(data)
    except ValueError as error:
        raise Refusal(
            where,
            f"this is not what ./exitisp relay-keys writes: {error}",
            "Carry the file to the box again",
        ) from error
    ensure_storage(machine)
    with machine.alone():
        site = _site(machine)
        _fit(carried, site, machine, where)
        for one in carried:
            judge(one, machine, where)
        keep(machine.cfg / PENDING, data)
        _lay_all(carried, machine)
    left = [one for one in relays(site, machine, time.time()) if not one.standing.starts]
    for one in carried:
        until = time.strftime("%Y-%m-%d", time.gmtime(one.certified.expires))
        say(f"relay {one.relay}: may sign until {until}, as {one.certified.fingerprint}")
    if left:
        say(f"Still without a signing key: {_numbered(left, site.relays.count)}.")


def finish(machine: Machine, say: Say) -> None:
    """Lay the keys that were cut off. Raises Refusal."""
    data = kept(machine.cfg / PENDING, LARGEST)
    if data is None:
        return
    try:
        carried = parse_carried(data)
    except ValueError as error:
        raise damaged(machine.cfg / PENDING, str(error)) from error
    with machine.alone():
        _lay_all(carried, machine)
    say("Signing keys of relays that were cut off are laid.")


def _site(machine: Machine) -> Site:
    site = site_of_running(machine).value
    if not site.relays.offline_keys:
        raise Refusal(
            "relays.offline_keys",
            "the relays of this box make and keep their own master keys",
            "Write offline_keys: true below relays in the site, and apply it",
        )
    return site


def _given(name: str) -> tuple[bytes, str]:
    where = "standard input" if name in STANDARD_INPUT else name
    try:
        with os.fdopen(0, "rb", closefd=False) if where != name else Path(name).open("rb") as file:
            return file.read(LARGEST + 1), where
    except OSError as error:
        raise Refusal(
            where,
            f"it cannot be read ({error.strerror or error})",
            "Name the file box.relay-keys of the desk",
        ) from error


def _fit(carried: tuple[SigningKeys, ...], site: Site, machine: Machine, where: str) -> None:
    """Raises Refusal for keys of other relays, and for keys that are older than those here."""
    now = time.time()
    there = {one.number: one for one in relays(site, machine, now)}
    for new in carried:
        old = there.get(new.relay)
        at = f"{where}: relay{new.relay}"
        if old is None:
            raise Refusal(at, "this box has no such relay", "Take the file of this box's site")
        identity = _identity(old, machine)
        if identity not in (None, new.certified.identity):
            raise Refusal(
                at,
                "its master key is another one than the relay's on this box, whose identity "
                f"would change from {Certificate(identity or b'', b'', 0).fingerprint}",
                "Take the file of this box. For a new identity, stop the relay and remove "
                f"/data/tor/{old.name} first",
            )
        if new.certified.expires <= now:
            raise Refusal(
                at,
                "its signing key is over already, by the clock of this box",
                "Look at the clock in exitisp status, and make new ones with --renew",
            )
        if old.certificate is not None and new.certified.expires < old.certificate.expires:
            raise Refusal(
                at,
                "the relay has a signing key that lasts longer",
                "Take the file that was made last, or make one for more days",
            )


def _identity(relay: Relay, machine: Machine) -> bytes | None:
    """The master key by which the box knows the relay, or None if it never had one. Raises Refusal
    if that is damaged."""
    path = machine.root / f"data/tor/{relay.name}/keys" / MASTER_FILE
    data = _read(path)
    if data is None:
        return relay.certificate.identity if relay.certificate else None
    if not data.startswith(MASTER) or len(data) != len(MASTER) + 32:
        raise damaged(path, "it is no public key of a relay")
    return data[len(MASTER) :]


def judge(keys: SigningKeys, machine: Machine, where: str) -> None:
    """Raises Refusal if Tor would not start with these keys."""
    machine.state.mkdir(parents=True, exist_ok=True)
    with working_folder(machine.state) as work:
        folder = work / "relay/keys"
        folder.parent.mkdir(mode=0o700)
        folder.mkdir(mode=0o700)
        for name, data in keys.files.items():
            (folder / name).touch(0o600)
            (folder / name).write_bytes(data)
        torrc = work / "torrc"
        torrc.write_text(
            f"DataDirectory {work / 'relay'}\nOfflineMasterKey 1\nORPort 9\nNickname judged\n"
        )
        of_torrc = ("-f", str(torrc), "--defaults-torrc", str(torrc))
        program = str(machine.root / TOR.lstrip("/"))
        ran = machine.run(program, "--list-fingerprint", "--hush", *of_torrc, patience=JUDGED)
    if ran.status:
        raise Refusal(
            f"{where}: relay{keys.relay}",
            f"Tor does not take its keys: {' '.join(ran.text.split())[-200:]}",
            "Make them again with --renew, and carry the file again",
        )


def _lay_all(carried: tuple[SigningKeys, ...], machine: Machine) -> None:
    """Write the keys to where the relays look for them, and have the relays do so."""
    owner = machine.owner("_tor", "_tor")
    for one in carried:
        lay(machine.root / "data", f"tor/relay{one.relay}/keys", one.files, owner)
    (machine.cfg / PENDING).unlink()
    ran = machine.run(*RELOAD)
    if ran.status:
        raise Refusal(
            "the relays",
            f"the keys are kept, and they did not read them: {ran.text.strip()[-200:]}",
            "Look at exitisp status",
        )


def lay(top: Path, below: str, files: Mapping[str, bytes], owner: tuple[int, int]) -> None:
    """Write `files` into the folder `below` of `top`, each as a whole. No name is followed that is
    a link. Raises OSError."""
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in below.split("/"):
            try:
                os.mkdir(name, 0o700, dir_fd=folder)
                made = True
            except FileExistsError:
                made = False
            how = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(name, how, dir_fd=folder)
            os.close(folder)
            folder = inner
            if made:
                os.fchown(folder, *owner)
        for name, data in files.items():
            part = f".{name}.new"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
            how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(part, how, 0o600, dir_fd=folder), "wb") as file:
                os.fchown(file.fileno(), *owner)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        flush()
    finally:
        os.close(folder)


def _read(path: Path) -> bytes | None:
    """What a relay keeps at `path`; None if nothing is there. Raises Refusal for what is no regular
    file of its size."""
    try:
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, how), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise damaged(path, "it is no regular file")
            data = file.read(LONGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror or error}") from error
    if len(data) > LONGEST:
        raise damaged(path, f"it has more than {LONGEST} bytes")
    return data
