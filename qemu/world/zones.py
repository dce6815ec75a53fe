"""DNS zones: signed with ldns, served by NSD."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Daemon, Party, need, run

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Zone:
    """A zone. Its signatures begin `age` ago and last 30 days; with None it is not signed.
    `servers` are the addresses of its name server, which is called ns in the zone. Without
    `servers` the name servers are among `records`."""

    name: str
    servers: tuple[Address, ...]
    records: str
    age: datetime.timedelta | None = DAY

    @property
    def delegation(self) -> str:
        """The records of the zone above that delegate this zone, without the DS record."""
        if not self.servers:
            return ""
        server = "ns." if self.name == "." else f"ns.{self.name}"
        return f"{self.name} 3600 IN NS {server}\n{addresses(server, *self.servers)}"

    @property
    def stem(self) -> str:
        return self.name.rstrip(".") or "root"


@dataclass(frozen=True)
class Signed:
    """The file that is served, and the DS record for the zone above, "" if it is not signed."""

    zone: Zone
    file: Path
    ds: str


def addresses(name: str, *hers: Address) -> str:
    """Return the A and AAAA records of `name`."""
    kinds = {4: "A", 6: "AAAA"}
    return "".join(f"{name} 3600 IN {kinds[one.version]} {one}\n" for one in hers)


def sign(folder: Path, zone: Zone, keys: Path | None = None) -> Signed:
    """Write the files of `zone` into `folder`, signed with the keys in the folder `keys` or with
    new ones. Raises Unable without ldns's programs."""
    need("ldns-signzone", "ldnsutils")
    plain = folder / f"{zone.stem}.zone"
    plain.write_text(
        f"$ORIGIN {zone.name}\n$TTL 3600\n"
        f"@ IN SOA ns hostmaster 1 3600 600 86400 300\n{zone.delegation}{zone.records}\n"
    )
    if zone.age is None:
        return Signed(zone, plain, "")
    if keys is None:
        keys = make_keys(folder / f"{zone.stem}.keys", zone.name)
    since = datetime.datetime.now(datetime.UTC) - zone.age
    first, last = (f"{moment:%Y%m%d%H%M%S}" for moment in (since, since + 30 * DAY))
    signed = folder / f"{zone.stem}.signed"
    names = [keys / key.stem for key in keys.glob("*.private")]
    when = ("-i", first, "-e", last)
    run(["ldns-signzone", *when, "-o", zone.name, "-f", signed, plain, *names])
    (ds,) = keys.glob("*.ds")
    return Signed(zone, signed, ds.read_text())


def make_keys(folder: Path, zone: str) -> Path:
    """Make `folder` with a key-signing key and a zone-signing key for `zone`."""
    need("ldns-keygen", "ldnsutils")
    folder.mkdir(parents=True, mode=0o700)
    for flags in (["-k"], []):
        run(["ldns-keygen", "-a", "ECDSAP256SHA256", *flags, zone], folder=folder)
    return folder


def serve(party: Party, name: str, listen: Iterable[Address], zones: Iterable[Signed]) -> Daemon:
    """Start NSD with `zones` at addresses of `party`. It answers whoever asks a lot, too
    (`rrl-ratelimit: 0`). Raises Unable without NSD."""
    need("nsd", "nsd")
    place = f"/run/nsd.{name}"
    party.run("mkdir", place)
    listeners = "".join(f"  ip-address: {address}\n" for address in listen)
    config = party.world.folder / f"nsd.{name}.conf"
    config.write_text(
        f"server:\n{listeners}"
        '  username: ""\n  chroot: ""\n  database: ""\n'
        f'  zonesdir: "{place}"\n  xfrdir: "{place}"\n'
        f'  pidfile: "{place}/pid"\n  xfrdfile: "{place}/xfrd"\n  zonelistfile: "{place}/zones"\n'
        "  server-count: 1\n  rrl-ratelimit: 0\n  verbosity: 1\n"
        "remote-control:\n  control-enable: no\n" + "".join(map(_served, zones))
    )
    daemon = party.start(f"nsd.{name}", "nsd", "-d", "-c", config)
    daemon.wait("NSD", lambda: "nsd started" in daemon.said())
    return daemon


def _served(signed: Signed) -> str:
    return (
        f'zone:\n  name: "{signed.zone.name}"\n  zonefile: "{signed.file}"\n'
        "  provide-xfr: 0.0.0.0/0 NOKEY\n  provide-xfr: ::/0 NOKEY\n"
    )
