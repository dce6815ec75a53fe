"""What the Tor network says of the relays of this box: whether it lists them, and with which flags.

Each relay keeps the consensus that it goes by in its DataDirectory (tor(1), FILES), and replaces it
every hour or so. The newest one of them has all relays of this box, so no relay has to be asked.
Of a relay there is a line ``r NICKNAME IDENTITY ...``, the identity in Base64 without padding, and
behind it a line ``s FLAG FLAG ...`` (dir-spec, 3.4.1).
"""

import base64
import os
import re
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from firstboot.box.family import identities
from firstboot.box.machine import Machine
from firstboot.core.durable import damaged
from firstboot.core.limits import CONSENSUS
from firstboot.site.model import Site

NAMES = ("cached-microdesc-consensus", "cached-consensus")
"""The files that Tor keeps it in, by its flavour."""

OLD = 24 * 3600
"""Seconds after which a consensus is good for nothing, to Tor neither (dir-spec, 5.1)."""

HEAD = 8192
"""Bytes in which it says from when on it is good."""

FLAG = re.compile(rb"[A-Za-z0-9]{1,30}")
MOST_FLAGS = 40
LONGEST_LINE = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """A relay of this box. `flags` are None if the consensus does not have it."""

    number: int
    nickname: str
    flags: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Consensus:
    """`valid_after` is when it began to be good, in seconds since 1970. Relays that have not
    started yet are not among `relays`."""

    valid_after: int
    relays: tuple[Listed, ...]

    def old(self, now: float) -> bool:
        return now - self.valid_after > OLD

    @property
    def when(self) -> str:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(self.valid_after))

    @property
    def counts(self) -> str:
        """How many of the relays have each flag."""
        flags = [flag for one in self.relays for flag in one.flags or ()]
        return ", ".join(f"{flag} {flags.count(flag)}" for flag in sorted({*flags}))


def look(site: Site, machine: Machine) -> Consensus | None:
    """None if no relay has one yet. Raises Refusal for files that are not Tor's."""
    found = max(_kept(site, machine), default=None)
    if found is None:
        return None
    _, path = found
    known = {n: one for n, one in enumerate(identities(site, machine), 1) if one.rsa}
    try:
        valid_after, flags = parse(_read(path), {n: _spelled(one.rsa) for n, one in known.items()})
    except ValueError as error:
        raise damaged(path, str(error)) from error
    relays = (Listed(n, one.nickname, flags.get(n)) for n, one in known.items())
    return Consensus(valid_after, tuple(relays))


def parse(data: bytes, wanted: Mapping[int, str]) -> tuple[int, dict[int, tuple[str, ...]]]:
    """When a consensus began to be good, and the flags of each relay in `wanted` that it has;
    `wanted` are identities in Base64. Raises ValueError."""
    head = re.match(rb"network-status-version 3[^\n]*\n", data)
    since = re.search(rb"(?m)^valid-after ([0-9 :-]{19})$", data[:HEAD])
    if not head or not since:
        raise ValueError("it is no consensus of Tor")
    when = datetime.strptime(since[1].decode(), "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    found = {number: _flags(data, identity.encode()) for number, identity in wanted.items()}
    return int(when.timestamp()), {n: flags for n, flags in found.items() if flags is not None}


def _flags(data: bytes, identity: bytes) -> tuple[str, ...] | None:
    """Those of the relay with this identity; None if it is not there."""
    at = data.find(b" %b " % identity)
    while at >= 0:
        start = data.rfind(b"\n", 0, at) + 1
        if re.fullmatch(rb"r [A-Za-z0-9]{1,19}", data[start:at]):
            following = data.find(b"\nr ", at)
            flags = data.find(b"\ns ", at, following if following >= 0 else len(data))
            if flags < 0:
                return ()
            line = data[flags + 3 : flags + LONGEST_LINE].split(b"\n")[0]
            return tuple(one.decode() for one in FLAG.findall(line)[:MOST_FLAGS])
        at = data.find(b" %b " % identity, at + 1)
    return None


def _kept(site: Site, machine: Machine) -> Iterator[tuple[float, Path]]:
    """What the relays keep, with the time of each."""
    for number in range(1, site.relays.count + 1):
        for name in NAMES:
            path = machine.root / f"data/tor/relay{number}/{name}"
            try:
                found = path.lstat()
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                yield found.st_mtime, path


def _read(path: Path) -> bytes:
    """The folder belongs to a relay, so no link in it is followed. Raises Refusal."""
    try:
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, how), "rb") as file:
            data = file.read(CONSENSUS + 1)
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror or error}") from error
    if len(data) > CONSENSUS:
        raise damaged(path, f"it has more than {CONSENSUS} bytes")
    return data


def _spelled(fingerprint: str) -> str:
    return base64.b64encode(bytes.fromhex(fingerprint)).decode().rstrip("=")
