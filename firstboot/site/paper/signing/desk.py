"""Signs the zones of a site with the keys of a folder, which are made if there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firstboot.core.refusal import Refusal
from firstboot.site.paper.signing import bind, ring
from firstboot.site.paper.signing.bind import Ds
from firstboot.site.paper.signing.ring import Pair, Ring, Step
from firstboot.site.paper.signing.roll import Roll
from firstboot.site.paper.zones import EXPIRE, TTL, Zone

DAYS = (30, 180)
"""For how long signatures may hold: secondaries serve a zone for 14 days that they cannot renew."""

SKEW = 3600
"""Seconds that signatures hold before they are made, for clocks that are behind."""


@dataclass(frozen=True)
class Wanted:
    """What a person asks for: the folder of keys, for how many days signatures hold, and a step of
    the roll-over."""

    keys: Path
    days: int
    roll: Roll | None = None


@dataclass(frozen=True)
class Signed:
    """What the zones became: `texts` and the DS and DNSKEY records of each by its name, and what to
    say. `end` is when the signatures end (seconds since 1970)."""

    texts: Mapping[str, str]
    ds: Mapping[str, Ds]
    keys: Mapping[str, str]
    end: int
    told: tuple[str, ...]

    @property
    def again(self) -> int:
        """When the zones have to be signed again at the latest: a secondary that cannot fetch them
        serves them so long."""
        return self.end - EXPIRE


def apart(keys: Path, papers: Path) -> None:
    """Raise Refusal unless neither folder is in the other: papers are handed to others."""
    one, other = _resolved(keys), _resolved(papers)
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise Refusal(
            "--sign",
            f"{keys} and {papers} are in one another, and papers are handed to others",
            "Name a folder for the keys that is elsewhere, such as ~/zone-keys",
        )


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, RuntimeError) as error:
        raise Refusal(folder, "its links lead round in a circle", "Name another folder") from error


def prepare(wanted: Wanted, zones: Sequence[str], serial: int | None, now: int) -> Ring:
    """The keys of `zones` after the step that is wanted, with new ones made.

    They are remembered, but for a step of the roll-over, which `taken` remembers. `serial` is the
    site's, if it names one. Raises Refusal.
    """
    if not DAYS[0] <= wanted.days <= DAYS[1]:
        reason = f"{wanted.days} is not from {DAYS[0]} to {DAYS[1]}"
        raise Refusal("--days", reason, "Write --days 60")
    found = ring.read(wanted.keys) or Ring()
    first = found.zones is None
    if wanted.roll is not None:
        if first:
            raise Refusal("--roll", "there are no keys yet", "Sign without it first")
        found = ring.advance(found, wanted.roll, now)
    found = replace(found, serial=_serial(serial, found.serial, now))
    try:
        wanted.keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        if first:
            wanted.keys.chmod(0o700)
    except OSError as error:
        raise Refusal(
            wanted.keys, f"it cannot be made ({error.strerror})", "Name another folder"
        ) from error
    for zone in zones:
        if not found.pairs(zone) or wanted.roll is Roll.START:
            found = found.with_pair(zone, _pair(wanted.keys, zone))
    if wanted.roll is None:
        ring.save(wanted.keys, found)
    return found


def taken(wanted: Wanted, keys: Ring) -> None:
    """Remember `keys` after a step of the roll-over whose zones are written. Remembered earlier, a
    step would count as taken, and its time begin, though nobody can have its zones: the next one
    would then make names bogus. Raises Refusal."""
    if wanted.roll is not None:
        ring.save(wanted.keys, keys)


def sign(zones: Sequence[Zone], keys: Ring, wanted: Wanted, now: int) -> Signed:
    """`zones` signed with `keys`. Raises Refusal."""
    end = now + wanted.days * 86_400
    texts, ds, public = {}, {}, {}
    for zone in zones:
        vouched = keys.vouched(zone.name)
        ds[zone.name] = bind.ds_of(wanted.keys, vouched.ksk)
        public[zone.name] = bind.public_key(wanted.keys, vouched.ksk)
        pairs = keys.pairs(zone.name)
        names = [name for pair in pairs for name in (pair.ksk, pair.zsk)]
        records = [("DNSKEY", bind.public_key(wanted.keys, name)) for name in names]
        # What the zone above has is what it is asked to have (RFC 7344).
        records += [("CDS", str(ds[zone.name])), ("CDNSKEY", public[zone.name])]
        extra = "".join(f"@ {TTL} IN {kind} {data}\n" for kind, data in records)
        start = now - SKEW
        texts[zone.name] = bind.sign(zone, extra, wanted.keys, names, start, end)
    return Signed(texts, ds, public, end, tuple(_told(keys, wanted)))


def _told(keys: Ring, wanted: Wanted) -> list[str]:
    said = []
    if keys.step is Step.BOTH:
        said.append(
            "Roll-over: old and new keys sign. The DS records stay as they are. In a day or later: "
            "--roll switch"
        )
    if keys.step is Step.SWITCHED:
        said.append(
            "Roll-over: zones/ds.txt has new DS records. Give them to the registries in place of "
            "the old ones. When they have them, and a week has passed: --roll finish"
        )
    said.append(f"{wanted.keys} has the keys. Keep it, and a copy of it, where no network is.")
    return said


def _pair(folder: Path, zone: str) -> Pair:
    return Pair(
        bind.make_key(folder, zone, signs_keys=True), bind.make_key(folder, zone, signs_keys=False)
    )


def _serial(named: int | None, last: int, now: int) -> int:
    """The next serial. Raises Refusal where it would not be larger than the last: secondaries would
    not take the zones, and serve the old signatures until they end."""
    if named is not None:
        if named <= last:
            raise Refusal(
                "zones.serial",
                f"{named} is not larger than {last}, with which the zones were signed last",
                "Raise it, or leave it out",
            )
        return named
    if last > now + 3600:
        raise Refusal(
            "zones.serial",
            f"the zones were signed with {last} last, and the seconds since 1970 are fewer",
            f"Write serial: {last + 1} under zones, or set the clock of this machine",
        )
    return max(now, last + 1)
