"""The DNS of the simulated Internet.

There is a signed root at the addresses of the real root servers, there are top-level domains, and
below `example.` these zones:

- `good` is signed, `unsigned` is not;
- `bogus` has a record that was changed after signing;
- `expired` has signatures that ran out a month ago;
- `slow` is signed, and its server answers late.

In each of them, and in `example.net`, `www` is the web server. `ntp1` and `ntp2` in the last one
are the time servers, `rpki` is the RPKI's repository. In the first two every name below
`deep` is the web server as well. In `good` a resolver may answer for such names from one answer
that it has (RFC 8198); in `unsigned` it has to ask for each name.

The names of the site's own time servers exist too.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from firstboot.core.values import Address
from qemu.world.net import Party
from qemu.world.packets import IPV4, IPV6, UDP
from qemu.world.recording import Capture
from qemu.world.topology import ROOT_SERVERS, Host, Topology
from qemu.world.zones import DAY, Signed, Zone, addresses, serve, sign

DNS = 53
DNS_DELAY = Path(__file__).parent / "dns_delay.py"
DELAY = 2.0
"""Seconds by which the slow server's answers are late."""

FORGED = "11.250.3.66"
"""The address of `www.bogus.example`, which contradicts its signature."""

LEAVES = ("good.example", "unsigned.example", "bogus.example", "expired.example", "slow.example")
SERVED = (*LEAVES, "example.net", "root-servers.net")
"""Zones that are there whatever the site."""

HIDDEN = "127.0.0.2"
"""The address where the slow server really listens."""


@dataclass(frozen=True)
class Question:
    """A question that a name server got. `name` is in lower case with its final dot, or None for a
    TCP connection. `kind` is the type by IANA's numbers: 1 is A, 28 is AAAA."""

    server: Address
    source: Address
    name: str | None = None
    kind: int = 0


class Nameserver:
    """A host that serves zones. It is recorded from the first question on."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._capture = Capture(party.port("uplink"))

    def questions(self) -> list[Question]:
        """Return all questions so far: each datagram, and each TCP connection."""
        packets = [f.packet for f in self._capture.inbound() if f.ethertype in (IPV4, IPV6)]
        return [
            Question(p.destination, p.source, *(p.question if p.protocol == UDP else ()))
            for p in packets
            if p.ports[1] == DNS and (p.protocol == UDP or p.opens)
        ]

    def blackhole(self, *sources: Address) -> None:
        """Drop what comes from these addresses from now on."""
        for source in sources:
            self._party.run("ip", "route", "add", "blackhole", str(source))

    def hear(self, *sources: Address) -> None:
        for source in sources:
            self._party.run("ip", "route", "delete", "blackhole", str(source))


class Nameservers:
    """The name servers of the root, of the top-level domains, and of the zones below."""

    def __init__(self, topology: Topology, parties: dict[str, Party], root_keys: Path) -> None:
        self.roots, self.registry, self.zones = (
            Nameserver(parties[name]) for name in ("roots", "registry", "zones")
        )
        roots, registry, zones = (topology.host(name) for name in ("roots", "registry", "zones"))
        folder = parties["roots"].world.folder / "zones"
        folder.mkdir()
        root_servers = Zone("root-servers.net.", (), _root_servers("root-servers.net."), age=None)
        names = site_names(topology)
        web, time, rpki = (topology.host(name) for name in ("web", "time", "rpki"))
        leaves = _leaves(folder, zones, web, time, rpki, names)
        usual = (zones.v4(), zones.v6())
        leaves += [sign(folder, zone) for zone in zones_of(names, usual)]
        delegation = {"example.": "", "net.": _root_servers("root-servers.net."), "org.": ""}
        for leaf in leaves:
            top = f"{leaf.zone.name.rstrip('.').rpartition('.')[2]}."
            delegation[top] = delegation.get(top, "") + _delegation(leaf)
        tops = [sign(folder, Zone(n, registry.addresses, text)) for n, text in delegation.items()]
        above = _root_servers(".") + "".join(map(_delegation, tops))
        root = sign(folder, Zone(".", (), above), root_keys)
        served = [root, sign(folder, root_servers)]
        serve(parties["roots"], "roots", roots.addresses, served)
        serve(parties["registry"], "registry", registry.addresses, tops)
        parties["zones"].port("lo").up(f"{HIDDEN}/32")
        serve(parties["zones"], "zones", (zones.v4(), zones.v6(), ip_address(HIDDEN)), leaves)
        late = (str(DELAY), HIDDEN, *map(str, _slow(zones)))
        slow = parties["zones"].start("dns_delay", sys.executable, DNS_DELAY, *late)
        slow.wait("the slow server", lambda: "ready" in slow.said())


def site_names(topology: Topology) -> dict[str, tuple[Address, ...]]:
    """The names of the site's time servers, without a final dot, and the addresses of each in the
    simulated Internet."""
    hers = topology.host("time").addresses
    return {name.lower().rstrip("."): hers for name in topology.site.clock.names}


def zones_of(names: Mapping[str, tuple[Address, ...]], servers: tuple[Address, ...]) -> list[Zone]:
    """Zones for those of `names` that no other zone has: one for each name, which has the names
    below it as well. `servers` serve all of them."""
    others = [name for name in names if not _inside(name, SERVED)]
    above = [name for name in others if not _inside(name, [one for one in others if one != name])]
    return [
        Zone(
            f"{zone}.",
            servers,
            "".join(
                addresses(f"{name}.", *names[name]) for name in others if _inside(name, [zone])
            ),
        )
        for zone in above
    ]


def _inside(name: str, zones: Iterable[str]) -> bool:
    """Whether `name` is one of `zones`, or below one."""
    return any(f".{name}".endswith(f".{zone}") for zone in zones)


def _leaves(
    folder: Path,
    zones: Host,
    web: Host,
    time: Host,
    rpki: Host,
    names: Mapping[str, tuple[Address, ...]],
) -> list[Signed]:
    """Sign the zones below `example.`, and one below `net.`, which has those of `names` that are
    below it."""
    usual = (zones.v4(), zones.v6())
    www = addresses("www", web.v4(), web.v6())
    deep = addresses("*.deep", web.v4(), web.v6())
    here = {f"{name}.example.net": time.addresses for name in ("ntp1", "ntp2")}
    here |= {name: hers for name, hers in names.items() if name.endswith(".example.net")}
    clocks = "".join(addresses(f"{name}.", *hers) for name, hers in here.items())
    leaves = [
        sign(folder, zone)
        for zone in (
            Zone("good.example.", usual, www + deep),
            Zone("unsigned.example.", usual, www + deep, age=None),
            Zone("bogus.example.", usual, addresses("www", web.v4())),
            Zone("expired.example.", usual, www, age=60 * DAY),
            Zone("slow.example.", _slow(zones), www),
            Zone("example.net.", usual, www + clocks + addresses("rpki", *rpki.addresses)),
        )
    ]
    bogus = leaves[2].file
    bogus.write_text(bogus.read_text().replace(str(web.v4()), FORGED))
    return leaves


def _slow(zones: Host) -> tuple[Address, ...]:
    return zones.v4(1), zones.v6(1)


def _delegation(child: Signed) -> str:
    return child.zone.delegation + child.ds


def _root_servers(zone: str) -> str:
    """Return the NS records by which the root servers serve `zone`, and their addresses."""
    names = {letter: f"{letter}.root-servers.net." for letter in ROOT_SERVERS}
    return "".join(
        f"{zone} 3600 IN NS {name}\n{addresses(name, *map(ip_address, ROOT_SERVERS[letter]))}"
        for letter, name in names.items()
    )
