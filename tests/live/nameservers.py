"""A small DNS: a root, two top-level domains, and zones of every kind below the first.

Keys are made, zones signed with ldns's programs, and served by NSD: the root behind the peer at
the exchange, the rest behind the upstream. `example.` is the top-level domain, and in it

- `signed` is signed; `unsigned` is not, and is served over IPv4 alone;
- `bogus` has a record changed after it was signed;
- `expired` has signatures of two months ago that held for one;
- `near` has the addresses of a member of the exchange as its name server's, where nobody serves it.

`crowd.` is the other one, which many names are right below. It is not signed: a resolver has to ask
for each name, as for those below `com.`, whose proofs of what does not exist cover only themselves.
"""

from ipaddress import ip_address
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Party, need
from qemu.world.zones import DAY, Signed, Zone, sign
from qemu.world.zones import serve as serve_zones
from tests.live.world import STRANGER, Surroundings

ROOT = (ip_address("192.0.2.101"), ip_address("2001:db8:53::1"))
TOP = (ip_address("192.0.2.129"), ip_address("2001:db8:54::1"))
LEAVES = (ip_address("192.0.2.130"), ip_address("2001:db8:54::2"))

ANSWER = "192.0.2.200"
FORGED = "192.0.2.201"
"""The address of www in each zone. In the bogus one the second has replaced what was signed."""

LARGE = "".join(f"large A 192.0.2.{host}\n" for host in range(128))
"""More records than fit in a datagram of 1232 bytes."""

LEAF_ZONES = (
    Zone("signed.example.", LEAVES, f"www A {ANSWER}\n*.deep A {ANSWER}\n{LARGE}"),
    Zone("unsigned.example.", LEAVES[:1], f"www A {ANSWER}\n{LARGE}", age=None),
    Zone("bogus.example.", LEAVES, f"www A {ANSWER}"),
    Zone("expired.example.", LEAVES, f"www A {ANSWER}", age=60 * DAY),
)

NEAR = Zone("near.example.", tuple(interface.ip for interface in STRANGER), "", age=None)

INHABITANTS = tuple(f"n{number}.crowd." for number in range(300))
CROWD = Zone("crowd.", TOP, "".join(f"{one} A {ANSWER}\n" for one in INHABITANTS), age=None)


def serve(surroundings: Surroundings) -> Path:
    """Sign and serve all zones. The folder gets what a resolver needs: the root's keys in root.key,
    and its servers' addresses in root.hints. Raises Unable without NSD."""
    need("drill", "ldnsutils")
    folder = surroundings.world.folder / "zones"
    folder.mkdir()
    leaves = [sign(folder, zone) for zone in LEAF_ZONES]
    bogus = leaves[2].file
    bogus.write_text(bogus.read_text().replace(ANSWER, FORGED))
    delegations = [zone.delegation for zone in (*LEAF_ZONES, NEAR)]
    delegations += [leaf.ds for leaf in leaves]
    top = sign(folder, Zone("example.", TOP, "\n".join(delegations)))
    crowd = sign(folder, CROWD)
    root = sign(folder, Zone(".", ROOT, f"{top.zone.delegation}{top.ds}{CROWD.delegation}"))
    start(surroundings.neighbour, "root", ROOT, [root])
    start(surroundings.upstream, "top", TOP, [top, crowd])
    start(surroundings.upstream, "leaves", LEAVES, leaves)
    resolver = surroundings.world.folder / "resolver"
    resolver.mkdir()
    (resolver / "root.key").write_text(root.ds)
    (resolver / "root.hints").write_text(root.zone.delegation)
    return resolver


def start(party: Party, name: str, addresses: tuple[Address, ...], zones: list[Signed]) -> None:
    """Serve `zones` at addresses that the party gets, and wait until the first one is there."""
    party.port("lo").up(*(f"{address}/{address.max_prefixlen}" for address in addresses))
    daemon = serve_zones(party, name, addresses, zones)
    zone = zones[0].zone.name
    for address in addresses:
        daemon.wait(
            f"{zone} at {address}",
            lambda at=address: "NOERROR" in party.run("drill", f"@{at}", zone, "SOA", check=False),  # type: ignore[misc]
        )
