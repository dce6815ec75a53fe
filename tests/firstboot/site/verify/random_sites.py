"""Valid sites of every kind, made from a seed: what is rendered for them has no flaw."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from itertools import count
from typing import TypeVar

from firstboot.core.values import Address, Asn, Interface, Mac, Network
from firstboot.site import model
from firstboot.site.announcement import Announcement
from firstboot.site.check import RULES, Severity
from firstboot.site.community import Community
from firstboot.site.exit_policy import Destination
from firstboot.site.model import (
    Alarm,
    Clock,
    Dns,
    Family,
    Mail,
    Management,
    Operator,
    Peer,
    PeerRole,
    Performance,
    Policy,
    Port,
    PortRole,
    Protocol,
    Reachable,
    RelayPolicy,
    Relays,
    Routes,
    Site,
    Strictness,
    Webhook,
)
from firstboot.site.render import Box
from firstboot.site.rules import limits
from tests.firstboot.site.sites import TWO

KEYS = model.load(TWO).value.management.keys
DRIVERS = ("ix", "ixl", "ice", "igb", "em", "vtnet", "re", "mce", "cxl")
SECRET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!%&()*+,-./:;<=>?@[]^_{|}~"
TIER_1 = (174, 1299, 3356, 6939)
COMMUNITIES = (Community("65535:666"), Community("64500:666:0"))
MARKS = [Community(one) for one in ("0:64500", "64512:1", "64500:0:4200000000", "3356:70")]
BLOCKED = [
    Destination(one) for one in ("203.0.113.7:*", "192.0.2.0/24:25-26", "[2001:db8:bad::]/48:*")
]
EXIT_RULES = (
    "accept *:443", "accept *:80", "accept *:1024-2048", "reject *:25", "accept6 *:993",
    "reject 203.0.112.0/24:*", "reject6 [2a00::]/16:22", "accept *4:995", "reject *:*",
)  # fmt: skip

Item = TypeVar("Item")


def sites(seed: int) -> Iterator[tuple[Site, Box]]:
    """Endless sites without errors, each with a box. The same for one seed."""
    for number in count():
        maker = _Maker(random.Random(f"{seed}/{number}"))
        site = maker.site()
        if is_valid(site):
            yield site, maker.box(site)


def edges(seed: int) -> Iterator[tuple[Site, Box]]:
    """The same without end, of sites that are one of two boxes."""
    chance = random.Random(seed)
    for site, box in sites(seed):
        if not site.provided and is_valid(made := _with_a_twin(site, chance)):
            yield made, box


def _with_a_twin(site: Site, chance: random.Random) -> Site:
    """The site with a cable to another box, which has some parts of the scopes."""
    networks: list[Network] = []
    for scope in site.scopes:
        deeper = chance.choice([1, 1, 2, 3])
        networks += chance.sample(list(scope.subnets(deeper)), chance.choice([1, 1, 2]))
        if chance.random() < 0.2:
            del networks[-1]
    versions = {scope.version for scope in site.scopes}
    faces: dict[int, Interface] = {
        4: IPv4Interface("10.201.0.1/30"),
        6: IPv6Interface("fd00:201::1/64"),
    }
    port = Port(
        "cable",
        "mce9",
        PortRole.TWIN,
        tuple(face for version, face in faces.items() if version in versions),
        mtu=chance.choice([1500, 9000]),
        vlan=chance.choice([None, 7]),
    )
    twin = Peer(
        "edge",
        site.as_number,
        PeerRole.TWIN,
        tuple(face.ip + 1 for face in port.addresses),
        networks=tuple(networks),
        md5=chance.choice([None, "".join(chance.choices(SECRET, k=20))]),
        max_prefix=chance.choice([None, 1_000_000]),
    )
    peers = [
        replace(one, routes=Routes.DEFAULT if one.routes is Routes.STATIC else one.routes)
        for one in site.peers
    ]
    peers.insert(chance.randrange(len(peers) + 1), twin)
    ports = list(site.ports)
    ports.insert(chance.randrange(len(ports) + 1), port)
    return replace(site, peers=tuple(peers), ports=tuple(ports))


def is_valid(site: Site) -> bool:
    remarks = list(limits.check(site)) or [remark for rule in RULES for remark in rule(site)]
    return all(remark.severity is not Severity.ERROR for remark in remarks)


class _Maker:
    """Makes one site. Most are valid; whether one is, the rules of a site decide."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.documentation = self.often(0.2)
        self.networks = count(1)
        self.asns = count(chance.randrange(200_000, 390_000))

    def often(self, probability: float) -> bool:
        return self.chance.random() < probability

    def pick(self, *items: Item) -> Item:
        return self.chance.choice(items)

    def some(self, items: Sequence[Item], most: int) -> list[Item]:
        return self.chance.sample(items, self.chance.randrange(min(most, len(items)) + 1))

    def site(self) -> Site:
        scopes = self._scopes()
        ports = self._ports(scopes)
        relays = self._relays(scopes)
        managing = any(port.role is PortRole.MANAGEMENT for port in ports)
        site = Site(
            schema=model.SCHEMA,
            operator=Operator(
                self.pick("Onion Cooperative", "Verein für Freiheit (e.V.)", "A & B, Ltd."),
                "abuse@example.net",
                "peering+bgp@example.org",
                self.pick("https://example.net", "https://example.net/exit?a=1&b=2"),
                self.pick("Switzerland", "Île-de-France"),
            ),
            asn=Asn(next(self.asns)),
            scopes=tuple(scopes),
            ports=tuple(ports),
            peers=tuple(self._peers(ports, scopes)),
            relays=relays,
            dns=Dns(
                self.pick(*Strictness),
                self.pick(None, None, 16, 4096, 100_000),
                self._overrides(scopes, 0.15, 60),
            ),
            router=self._overrides(scopes, 0.15, 70),
            management=self._management(ports) if managing else Management(),
            performance=self._performance(ports),
            clock=self._clock(),
            alarm=self._alarm(scopes),
        )
        waivers = {} if managing else {"no_management": "A person sits beside the box."}
        if self.documentation:
            waivers["documentation"] = "An example."
        site = replace(site, waivers=waivers)
        return self._of_provider(site) if self.often(0.25) else site

    def _alarm(self, scopes: list[Network]) -> Alarm:
        """A relay and a webhook, at any address: a stranger's, an own one, a private one."""
        address = self.pick(
            None,
            IPv4Address(0x2E000000 + self.chance.randrange(1 << 16)),
            IPv6Address(0x2A10 << 112 | self.chance.randrange(1 << 16)),
            IPv4Address("10.7.0.25"),
            self.chance.choice(scopes)[9] if scopes[0].num_addresses > 9 else None,
        )
        mail, webhook = Mail(), Webhook()
        if self.often(0.5):
            port = self.pick(25, 465, 587, 443, 2525)
            mail = Mail("mail.example.net", port, address, to=("noc@example.net",))
        if self.often(0.4):
            behind = self.pick("", ":443", ":8443", ":587")
            host = self.pick("hooks.example.net", "46.1.2.3", "[2a10::7]")
            webhook = Webhook(f"https://{host}{behind}/a?b=c", self.pick(None, address))
        return Alarm(mail, webhook)

    def _of_provider(self, site: Site) -> Site:
        """The site with a few addresses of a provider's: on its link, routed, or both."""
        used = site.ports[0]
        device = used.device
        others = [port for port in site.ports if port.role is PortRole.MANAGEMENT]
        others = [port for port in others if port.device != device]
        net = 0x2D000000 + (self.chance.randrange(1 << 15) << 8)
        on_link: list[Network] = [
            IPv4Network((net + 10, 32)),
            *(IPv4Network((net + host, 32)) for host in self.some(range(11, 40), 12)),
        ]
        if self.often(0.3):
            on_link = [IPv4Network((net, self.pick(24, 26, 27, 28)))]
        scopes = on_link
        if self.often(0.4):
            length = self.pick(29, 28, 24)
            routed: Network = IPv4Network((net + (1 << 8), length))
            scopes = self.pick([routed], [*on_link, routed], [routed, *on_link])
        faces: list[Interface] = [IPv4Interface((net + 10, self.pick(24, 25, 26)))]
        gateway: list[Address] = [IPv4Address(net + 1)]
        if self.often(0.7):
            net6 = int(IPv6Address("2a0e:5::")) + (self.chance.randrange(1 << 16) << 80)
            faces.append(IPv6Interface((net6 + 0xA, 64)))
            gateway.append(self.pick(IPv6Address("fe80::1"), IPv6Address(net6 + 1)))
            scopes = [
                *scopes,
                self.pick(IPv6Network((net6, 64)), IPv6Network((net6 + (1 << 64), 64))),
            ]
            if self.often(0.3):
                some = (IPv6Network((net6 + host, 128)) for host in (0xA, 0xB, 0xC, 0xD))
                scopes = [*scopes[:-1], *some]
        port = Port(
            "provider",
            device,
            PortRole.TRANSIT,
            tuple(faces),
            tuple(gateway),
            vlan=self.pick(None, None, 1203),
            members=used.members,
        )
        return replace(
            site,
            addresses=model.Addresses.PROVIDER,
            asn=None,
            scopes=tuple(scopes),
            ports=tuple(self.pick([port, *others], [*others, port])),
            peers=(),
            relays=replace(
                site.relays, count=self.pick(1, 2, 4, 8, 9, 17), or_addresses=(), exit_addresses=()
            ),
            router=(),
            dns=replace(site.dns, addresses=()),
            performance=Performance(),
            waivers=site.waivers if others else {**site.waivers, "no_management": "A console."},
        )

    def box(self, site: Site) -> Box:
        devices = {}
        if self.often(0.5):
            devices = dict.fromkeys((port.device for port in site.ports), "8086:15ab")
            devices |= {"hwpstate_intel0": "", "em9": "8086:10d3"}
        return Box(
            cores=self.pick(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128),
            memory_mib=self.pick(512, 1024, 2048, 4000, 16384, 65536, 524_288),
            unbound=(1, self.chance.randrange(17, 27), self.chance.randrange(4)),
            openbgpd=self.pick((7, 7), (7, 8), (8, 0), (8, 4), (8, 9), (9, 2)),
            tor=self.pick((0, 4, 8), (0, 4, 9)),
            devices=devices,
            packaged_unbound=self.often(0.5),
            libevent=self.often(0.5),
            carriers=self.often(0.5),
        )

    def _scopes(self) -> list[Network]:
        if self.documentation:
            found: list[Network] = [IPv4Network("198.51.100.0/24")]
        else:
            length = self.pick(24, 24, 24, 23, 22, 20, 16)
            base = int(IPv4Address("45.0.0.0")) + (self.chance.randrange(128) << 16)
            found = [IPv4Network((base, length))]
        if self.often(0.75):
            length = self.pick(48, 48, 44, 40, 32)
            base6 = int(IPv6Address("2a0e::")) + (self.chance.randrange(1 << 8) << 96)
            found.append(IPv6Network((base6, length)))
        for number in range(self.pick(0, 0, 0, 1, 2, 5)):
            more: Network = IPv4Network((int(IPv4Address("89.7.0.0")) + (number << 8), 24))
            if self.often(0.5):
                more = IPv6Network((int(IPv6Address("2a0f:1::")) + (number << 80), 48))
            found.insert(self.chance.randrange(len(found) + 1), more)
        return found

    def _ports(self, scopes: list[Network]) -> list[Port]:
        roles = [PortRole.TRANSIT] * self.pick(0, 1, 1, 1, 2, 3)
        roles += [PortRole.EXCHANGE] * self.pick(0, 0, 1, 1, 2)
        roles = roles or [PortRole.EXCHANGE]
        roles += [PortRole.LAN] * self.pick(0, 0, 0, 1, 1, 2)
        roles += [PortRole.MANAGEMENT] * self.pick(0, 1, 1, 1, 1)
        self.chance.shuffle(roles)
        free = [f"{driver}{unit}" for driver in DRIVERS for unit in (0, 1, 2)]
        devices = iter(self.chance.sample(free, len(roles)))
        found: list[Port] = []
        for number, role in enumerate(roles):
            vlan = self.pick(None, None, 1, 100, 4094) if role is not PortRole.MANAGEMENT else None
            device = next(devices)
            before = [port for port in found if port.role is not PortRole.MANAGEMENT]
            if before and role is not PortRole.MANAGEMENT and self.often(0.25):
                device = self.chance.choice(before).device
                vlan = self.pick(None, 200 + number)
            addresses = self._port_addresses(role, scopes)
            same = next((port for port in found if port.device == device), None)
            bundled = same.members if same else self._bundle(number)
            if bundled and not same:
                device = f"lagg{number}"
            found.append(
                Port(
                    f"{role.value}-{number}",
                    device,
                    role,
                    addresses,
                    self._gateways(addresses) if role is PortRole.MANAGEMENT else (),
                    self.pick(1500, 1500, 1500, 1280, 9000, 9216),
                    vlan,
                    Mac(f"02:00:5e:10:00:{number:02x}")
                    if role is PortRole.EXCHANGE and self.often(0.5)
                    else None,
                    bundled,
                    self._reachable(addresses) if role is PortRole.LAN else (),
                )
            )
        return found

    def _reachable(self, addresses: tuple[Interface, ...]) -> tuple[Reachable, ...]:
        """Ports of machines on a LAN, or none."""
        entries = [
            Reachable(face.network[at], port, protocol)
            for face in addresses
            for at, port, protocol in (
                (3, 443, Protocol.TCP),
                (3, None, Protocol.UDP),
                (4, None, Protocol.TCP),
            )
        ]
        return tuple(self.some(entries, 4)) if self.often(0.5) else ()

    def _bundle(self, number: int) -> tuple[str, ...]:
        """Cards of a bundle that nothing else has, or none."""
        cards = tuple(f"{self.pick('bge', 'ixl')}{100 + 4 * number + nth}" for nth in range(3))
        return cards[: self.pick(1, 2, 2, 3)] if self.often(0.2) else ()

    def _port_addresses(self, role: PortRole, scopes: list[Network]) -> tuple[Interface, ...]:
        number = next(self.networks)
        versions = self.pick((4, 6), (4, 6), (4, 6), (4,), (6,), (4, 4, 6), (6, 4))
        found: list[Interface] = []
        for nth, version in enumerate(versions):
            if role is PortRole.LAN:
                found += self._lan_address(scopes, version, number, nth)
            elif version == 4:
                length = self.pick(30, 31, 29, 24) if role is PortRole.TRANSIT else 24
                base = self.pick("185.1.0.0", "80.249.0.0", "195.69.0.0")
                if role is not PortRole.EXCHANGE and self.often(0.2):
                    base = self.pick("10.0.0.0", "169.254.0.0", "100.64.0.0", "192.168.0.0")
                start = int(IPv4Address(base)) + ((number * 4 + nth) << 8)
                found.append(IPv4Interface((start + self.pick(1, 2) * (length < 31), length)))
            else:
                length = self.pick(64, 64, 127, 126, 112) if role is PortRole.TRANSIT else 64
                start6 = int(IPv6Address("2001:7f8::")) + (number << 64) + (nth << 80)
                host = self.pick(1, 2) if length < 127 else self.pick(0, 1)
                found.append(IPv6Interface((start6 + host, length)))
        return tuple(found)

    def _lan_address(
        self, scopes: list[Network], version: int, number: int, nth: int
    ) -> list[Interface]:
        of_version = [scope for scope in scopes if scope.version == version]
        if not of_version:
            return []
        scope = self.chance.choice(of_version)
        if version == 4:
            length = self.pick(28, 29, 26, 24)
            start = int(scope.network_address) + (224 - 16 * number if length > 26 else 128)
            start = start >> (32 - length) << (32 - length)
            return [IPv4Interface((start + self.pick(1, 9) % (1 << (32 - length)), length))]
        start = int(scope.network_address) + ((number + 16 * nth) << 64)
        return [IPv6Interface((start + 1, 64))]

    def _gateways(self, addresses: tuple[Interface, ...]) -> tuple[Address, ...]:
        found: dict[int, Address] = {}
        for one in addresses:
            found.setdefault(one.version, one.network.network_address + 3)
        return tuple(found.values())

    def _peers(self, ports: list[Port], scopes: list[Network]) -> Iterator[Peer]:
        outside = [port for port in ports if port.role.outside]
        many = self.pick(1, 2, 3, 3, 8, 20)
        default = self.pick(Routes.FULL, Routes.DEFAULT, Routes.STATIC)
        if self.often(0.02):
            many = self.chance.randrange(100, 201)
        hosts = {
            interface: self._hosts(interface) for port in outside for interface in port.addresses
        }
        for number in range(max(many, len(outside)) if outside else 0):
            port = outside[number] if number < len(outside) else self.chance.choice(outside)
            exchange = port.role is PortRole.EXCHANGE
            addresses: dict[int, Address] = {}
            for interface in port.addresses:
                if interface.version not in addresses and self.often(0.95):
                    host = next(hosts[interface], None)
                    if host is not None:
                        addresses[interface.version] = host
            if not addresses:
                continue
            role = PeerRole.TRANSIT
            if exchange:
                role = self.pick(PeerRole.PEER, PeerRole.PEER, PeerRole.ROUTE_SERVER)
            elif self.often(0.2):
                role = PeerRole.PEER
            gateway: tuple[Address, ...] = ()
            if not exchange and self.often(0.25):
                gateway = tuple(addresses.values())
                addresses = {version: self._loopback(version) for version in addresses}
            asn = self.chance.choice(TIER_1) if self.often(0.1) else next(self.asns)
            yield Peer(
                f"Peer-{number}.{self.pick('x', 'a-very-long-name_of.a')}",
                Asn(asn),
                role,
                tuple(addresses.values()),
                gateway=gateway,
                hops=self.pick(2, 2, 3, 32) if gateway else 2,
                routes=default if role is PeerRole.TRANSIT and self.often(0.7) else Routes.FULL,
                md5="".join(self.chance.choices(SECRET, k=self.pick(14, 24, 80)))
                if self.often(0.3)
                else None,
                gtsm=self.often(0.3),
                max_prefix=self.pick(None, None, 1, 500, 10_000_000),
                irr=self.pick(None, "AS-EXAMPLE"),
                blackhole=self.pick(None, *COMMUNITIES) if role is PeerRole.TRANSIT else None,
                announce=self._announce([one for one in scopes if one.version in addresses]),
            )

    def _loopback(self, version: int) -> Address:
        """An address that is in the network of no port: public, or private as many are."""
        number = next(self.networks)
        if version == 4:
            return IPv4Address(self.pick("62.7.0.1", "10.99.0.1")) + (number << 8)
        return IPv6Address("2a0d:7::1") + (number << 64)

    def _announce(self, scopes: list[Network]) -> tuple[Announcement, ...]:
        """Something on all scopes, on some, on both, or nothing."""
        if self.often(0.6):
            return ()
        some = tuple(self.some(scopes, 3))
        entries = [Announcement(()), Announcement(some)] if some else [Announcement(())]
        found = [
            replace(
                entry,
                prepend=self.pick(0, 0, 1, 3, 8),
                med=self.pick(None, None, 0, 50, 2**32 - 1),
                communities=tuple(self.some(MARKS, 3)),
                no_export=self.often(0.2),
            )
            for entry in entries
        ]
        if self.often(0.3):
            found[-1] = replace(entries[-1], withheld=True)
        self.chance.shuffle(found)
        return tuple(found[: self.pick(1, 2)])

    def _hosts(self, interface: Interface) -> Iterator[Address]:
        """The addresses of neighbours beside one of the box's."""
        network = interface.network
        last = network.num_addresses - 1
        for at in range(min(last + 1, 254)):
            address = network.network_address + at
            if address != interface.ip and (last == 1 or 0 < at < last):
                yield address

    def _relays(self, scopes: list[Network]) -> Relays:
        relays = self.pick(1, 2, 4, 8, 9, 16, 17, 40)
        policy = self.pick(*Policy)
        groups = -(-relays // 8)
        return Relays(
            relays,
            self.pick("exit{n}", "{n}x", "OnionCoop{n}"),
            self.pick(None, None, "email:a[]b.example url:https://b.example ciissversion:2"),
            policy,
            self._rules(policy),
            tuple(self._policies(relays)),
            tuple(self.some(BLOCKED, 3)),
            self.pick(None, 1, 10, 800, 100_000),
            Family(
                tuple(self.some(["MlKee4HVp0kUHwzAi1FxiB/TqVYsZm4l5stWPLnd7+c"], 1)),
                tuple(self.some(["0" * 37 + "A01", "AB" * 20], 2)),
            ),
            self._overrides(scopes, 0.15, 80, groups),
            self._overrides(scopes, 0.15, 90, groups),
            self.often(0.3),
        )

    def _rules(self, policy: Policy) -> tuple[str, ...]:
        return tuple(self.some(EXIT_RULES, 6)) or EXIT_RULES if policy is Policy.OWN else ()

    def _policies(self, relays: int) -> Iterator[RelayPolicy]:
        """Of some relays, or none: what they let out in place of what the others do."""
        numbers = iter(self.some(range(1, relays + 1), self.pick(0, 0, 4, relays)))
        for number in numbers:
            policy = self.pick(*Policy)
            both = (number, *itertools.islice(numbers, 1))
            yield RelayPolicy(both, policy, self._rules(policy))

    def _overrides(
        self, scopes: list[Network], probability: float, host: int, each: int = 1
    ) -> tuple[Address, ...]:
        """Addresses that take the place of the plan's, of some families, `each` at most."""
        found: list[Address] = []
        for version in (4, 6):
            of_version = [scope for scope in scopes if scope.version == version]
            if of_version and self.often(probability):
                scope = self.chance.choice(of_version)
                found += [scope.network_address + host + at for at in range(each)]
        return tuple(found)

    def _management(self, ports: list[Port]) -> Management:
        (port,) = (port for port in ports if port.role is PortRole.MANAGEMENT)
        networks: list[Network] = [interface.network for interface in port.addresses]
        versions = {interface.version for interface in port.addresses}
        if 4 in versions:
            networks += self.some([IPv4Network("0.0.0.0/0"), IPv4Network("91.2.3.4/32")], 2)
        if 6 in versions:
            networks += self.some([IPv6Network("::/0"), IPv6Network("2a02:1:2::/48")], 2)
        return Management(tuple(self.some(KEYS, 3)) or KEYS[:1], tuple(networks))

    def _performance(self, ports: list[Port]) -> Performance:
        devices = list(dict.fromkeys(card for port in ports for card in port.cards))
        profiles = dict.fromkeys(self.some(devices, 2), "none") if self.often(0.2) else {}
        settings = {"kern.ipc.soacceptqueue": 2048} if self.often(0.2) else {}
        return Performance(profiles, settings)

    def _clock(self) -> Clock:
        servers = ("ntp1.example.net", "192.33.96.102", "2001:67c:8::1", "time.example.org.")
        return Clock(tuple(self.some(servers, 4)) or servers[:1]) if self.often(0.6) else Clock()
