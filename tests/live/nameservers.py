"""A small domain name system: a root, one top-level domain, and zones of every kind below it.

Keys are made, zones signed with ldns's programs, and served by NSD: the root behind the peer at
the exchange, the rest behind the upstream. `example.` is the top-level domain, and in it

- `signed` is signed; `unsigned` is not, and is served over IPv4 alone;
- `bogus` has a record changed after it was signed;
- `expired` has signatures of two months ago that held for one.
"""

import datetime
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from firstboot.values import Address
from qemu.world.net import Party, World, need
from tests.live.world import Surroundings

ROOT = (ip_address("192.0.2.101"), ip_address("2001:db8:53::1"))
TOP = (ip_address("192.0.2.129"), ip_address("2001:db8:54::1"))
LEAVES = (ip_address("192.0.2.130"), ip_address("2001:db8:54::2"))

ANSWER = "192.0.2.200"
FORGED = "192.0.2.201"
"""What www in each zone has; in the bogus one, what was signed has been replaced by the second."""

DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Zone:
    """A zone, signed from `age` on for a month, if at all."""

    name: str
    servers: tuple[Address, ...]
    records: str
    age: datetime.timedelta | None = DAY


LARGE = "".join(f"large A 192.0.2.{host}\n" for host in range(128))
"""More than a datagram of 1232 bytes has room for."""

LEAF_ZONES = (
    Zone("signed.example.", LEAVES, f"www A {ANSWER}\n*.deep A {ANSWER}\n{LARGE}"),
    Zone("unsigned.example.", LEAVES[:1], f"www A {ANSWER}\n{LARGE}", age=None),
    Zone("bogus.example.", LEAVES, f"www A {ANSWER}"),
    Zone("expired.example.", LEAVES, f"www A {ANSWER}", age=60 * DAY),
)


def serve(surroundings: Surroundings) -> Path:
    """Sign and serve everything. The folder has what a resolver has to know: the root's keys in
    root.key, its servers' addresses in root.hints. Raises Unable without NSD."""
    need("nsd", "nsd")
    need("ldns-signzone", "ldnsutils")
    need("drill", "ldnsutils")
    folder = surroundings.world.folder / "zones"
    folder.mkdir()
    leaves = [_sign(surroundings.world, folder, zone) for zone in LEAF_ZONES]
    bogus = leaves[2].file
    bogus.write_text(bogus.read_text().replace(ANSWER, FORGED))
    delegations = [*map(_delegation, LEAF_ZONES), *(leaf.ds for leaf in leaves)]
    top = Zone("example.", TOP, "\n".join(delegations))
    signed_top = _sign(surroundings.world, folder, top)
    root = Zone(".", ROOT, f"{_delegation(top)}{signed_top.ds}")
    signed_root = _sign(surroundings.world, folder, root)
    _start(surroundings.neighbour, "root", ROOT, [signed_root])
    _start(surroundings.upstream, "top", TOP, [signed_top])
    _start(surroundings.upstream, "leaves", LEAVES, leaves)
    resolver = surroundings.world.folder / "resolver"
    resolver.mkdir()
    (resolver / "root.key").write_text(signed_root.ds)
    (resolver / "root.hints").write_text(_delegation(root))
    return resolver


@dataclass(frozen=True)
class _Signed:
    zone: Zone
    file: Path
    ds: str


def _server(zone: Zone) -> str:
    return "ns." if zone.name == "." else f"ns.{zone.name}"


def _addresses(name: str, addresses: tuple[Address, ...]) -> str:
    kinds = {4: "A", 6: "AAAA"}
    return "".join(f"{name} 3600 IN {kinds[one.version]} {one}\n" for one in addresses)


def _delegation(zone: Zone) -> str:
    server = _server(zone)
    return f"{zone.name} 3600 IN NS {server}\n{_addresses(server, zone.servers)}"


def _sign(world: World, folder: Path, zone: Zone) -> _Signed:
    stem = zone.name.rstrip(".") or "root"
    plain = folder / f"{stem}.zone"
    plain.write_text(
        f"$ORIGIN {zone.name}\n$TTL 3600\n"
        f"@ IN SOA {_server(zone)} hostmaster.{zone.name.lstrip('.')} 1 3600 600 86400 300\n"
        f"{_delegation(zone)}{zone.records}\n"
    )
    if zone.age is None:
        return _Signed(zone, plain, "")
    keys = folder / f"{stem}.keys"
    keys.mkdir()
    made = f"cd {keys}; ldns-keygen -a ECDSAP256SHA256"
    names = world.run("sh", "-ec", f"{made} -k {zone.name}; {made} {zone.name}").split()
    since = datetime.datetime.now(datetime.UTC) - zone.age
    first, last = (f"{moment:%Y%m%d%H%M%S}" for moment in (since, since + 30 * DAY))
    signed = folder / f"{stem}.signed"
    sign = [
        "ldns-signzone",
        "-i",
        first,
        "-e",
        last,
        "-o",
        zone.name,
        "-f",
        str(signed),
        str(plain),
    ]
    world.run(*sign, *(keys / name for name in names))
    return _Signed(zone, signed, (keys / f"{names[0]}.ds").read_text())


def _served(signed: _Signed) -> str:
    return (
        f'zone:\n  name: "{signed.zone.name}"\n  zonefile: "{signed.file}"\n'
        "  provide-xfr: 0.0.0.0/0 NOKEY\n  provide-xfr: ::/0 NOKEY\n"
    )


def _start(party: Party, name: str, addresses: tuple[Address, ...], zones: list[_Signed]) -> None:
    lo = party.port("lo")
    lo.up(*(f"{address}/{address.max_prefixlen}" for address in addresses))
    run = f"/run/nsd.{name}"
    party.run("mkdir", run)
    listeners = "".join(f"  ip-address: {address}\n" for address in addresses)
    config = party.world.folder / f"nsd.{name}.conf"
    config.write_text(
        f"server:\n{listeners}"
        f'  username: ""\n  chroot: ""\n  database: ""\n  zonesdir: "{run}"\n  xfrdir: "{run}"\n'
        f'  pidfile: "{run}/pid"\n  xfrdfile: "{run}/xfrd"\n  zonelistfile: "{run}/zones"\n'
        "  server-count: 1\n  verbosity: 1\nremote-control:\n  control-enable: no\n"
        + "".join(map(_served, zones))
    )
    daemon = party.start(f"nsd.{name}", "nsd", "-d", "-c", config)
    daemon.wait("NSD", lambda: "nsd started" in daemon.said())
    zone = zones[0].zone.name
    for address in addresses:
        daemon.wait(
            f"{zone} at {address}",
            lambda at=address: "NOERROR" in party.run("drill", f"@{at}", zone, "SOA", check=False),  # type: ignore[misc]
        )
