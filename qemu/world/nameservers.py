"""The domain name system of the world: a signed root at the real root servers' addresses, top-level
domains, and below `example.`

- `good` is signed, `unsigned` is not;
- `bogus` has a record changed after it was signed;
- `expired` has signatures of two months ago that held for one;
- `slow` is signed, and its server takes its time.

`www` in each, as in `example.net`, is the web server, and so is every name below `deep` in the
first two. A resolver may make up what is below it in `good` from one answer (RFC 8198), and has to
ask for each name in `unsigned`.
"""

import sys
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
"""Seconds that the slow server takes."""

FORGED = "11.250.3.66"
"""What `www.bogus.example` has, against its signature."""

HIDDEN = "127.0.0.2"
"""Where the slow server really is."""


@dataclass(frozen=True)
class Question:
    """What a name server was asked. `name` is in lower case, with its dot; None of a connection.
    `kind` is the type that was asked for, as IANA numbers them: 1 of A, 28 of AAAA."""

    server: Address
    source: Address
    name: str | None = None
    kind: int = 0


class Nameserver:
    """A host that serves zones, and what it was asked, from the first question on."""

    def __init__(self, party: Party) -> None:
        self._party = party
        self._capture = Capture(party.port("uplink"))

    def questions(self) -> list[Question]:
        """All so far: each datagram, and each connection."""
        packets = [f.packet for f in self._capture.inbound() if f.ethertype in (IPV4, IPV6)]
        return [
            Question(p.destination, p.source, *(p.question if p.protocol == UDP else ()))
            for p in packets
            if p.ports[1] == DNS and (p.protocol == UDP or p.opens)
        ]

    def blackhole(self, *sources: Address) -> None:
        """From now on answer nothing that comes from these."""
        for source in sources:
            self._party.run("ip", "route", "add", "blackhole", str(source))

    def hear(self, *sources: Address) -> None:
        for source in sources:
            self._party.run("ip", "route", "delete", "blackhole", str(source))


class Nameservers:
    """All of them: of the root, of the top-level domains, of the zones below."""

    def __init__(self, topology: Topology, parties: dict[str, Party], root_keys: Path) -> None:
        self.roots, self.registry, self.zones = (
            Nameserver(parties[name]) for name in ("roots", "registry", "zones")
        )
        roots, registry, zones = (topology.host(name) for name in ("roots", "registry", "zones"))
        folder = parties["roots"].world.folder / "zones"
        folder.mkdir()
        root_servers = Zone("root-servers.net.", (), _root_servers("root-servers.net."), age=None)
        leaves = _leaves(folder, zones, topology.host("web"))
        delegation = {
            "example.": "".join(_delegation(one) for one in leaves if ".example." in one.zone.name),
            "net.": _root_servers("root-servers.net.") + _delegation(leaves[-1]),
            "org.": "",
        }
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


def _leaves(folder: Path, zones: Host, web: Host) -> list[Signed]:
    """Those below `example.`, and one below `net.`."""
    usual = (zones.v4(), zones.v6())
    www = addresses("www", web.v4(), web.v6())
    deep = addresses("*.deep", web.v4(), web.v6())
    leaves = [
        sign(folder, zone)
        for zone in (
            Zone("good.example.", usual, www + deep),
            Zone("unsigned.example.", usual, www + deep, age=None),
            Zone("bogus.example.", usual, addresses("www", web.v4())),
            Zone("expired.example.", usual, www, age=60 * DAY),
            Zone("slow.example.", _slow(zones), www),
            Zone("example.net.", usual, www),
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
    """That they serve this zone, and their addresses."""
    names = {letter: f"{letter}.root-servers.net." for letter in ROOT_SERVERS}
    return "".join(
        f"{zone} 3600 IN NS {name}\n{addresses(name, *map(ip_address, ROOT_SERVERS[letter]))}"
        for letter, name in names.items()
    )
