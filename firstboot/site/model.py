"""The site: everything that makes this exit ISP this one, in one file.

The wizard fills it in, a person may edit it, and the configuration of every daemon follows from it.
Nothing here is derived; `firstboot.site.address_plan` has what is. Each field carries what there is
to say of its key (`firstboot.core.keys`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.keys import key
from firstboot.core.values import Address, Asn, Interface, Mac, Network, is_address
from firstboot.site.announcement import Announcement, of_scope
from firstboot.site.community import Community
from firstboot.site.exit_policy import Destination

SCHEMA = 2
"""The newest version of the site file that this program reads, and the one that it writes."""

MTU = (1280, 9216)
"""IPv6 needs the smaller one (RFC 8200); switches and network cards end at the larger one."""

VLAN = (1, 4094)
"""IEEE 802.1Q; 0 and 4095 are reserved."""

HOPS = (2, 32)
"""bgpd.conf(5) takes more, but nobody is that far away. A neighbour on the link is 1 away, and it
takes 2 to have a session with a loopback, whoever has it."""

MOST = 64
"""Entries of a list or a mapping, where the key does not say otherwise."""

MOST_ADDRESSES = 8
"""Addresses of a port or a peer."""

MOST_MEMBERS = 8
"""Cards of a bundle; switches take no more in one."""

MOST_RELAYS = 256

MOST_BLOCKED = 200
"""Destinations that exits do not reach. A relay's descriptor has its policy in it, and directory
authorities take no descriptor above 20,000 bytes (MAX_DESCRIPTOR_UPLOAD_SIZE in Tor's or.h)."""


class Addresses(Enum):
    """Whose addresses the box has: the operator's own, which it announces by BGP with an AS number,
    or some of a provider's, which the provider routes to it."""

    OWN = "own"
    PROVIDER = "provider"


class PortRole(Enum):
    TRANSIT = "transit"
    EXCHANGE = "exchange"
    LAN = "lan"
    MANAGEMENT = "management"
    TWIN = "twin"

    @property
    def outside(self) -> bool:
        """Whether what leaves this port is seen by strangers."""
        return self in (PortRole.TRANSIT, PortRole.EXCHANGE)

    @property
    def guarded(self) -> bool:
        """Whether the port stays down until the preflight has passed: what leaves it is seen by
        strangers, there or behind the twin."""
        return self.outside or self is PortRole.TWIN


class PeerRole(Enum):
    TRANSIT = "transit"
    PEER = "peer"
    ROUTE_SERVER = "route-server"
    TWIN = "twin"


class Routes(Enum):
    """What is taken of a transit: all of its table, its default route, or nothing, with a static
    default route by its router instead."""

    FULL = "full"
    DEFAULT = "default"
    STATIC = "static"


class Protocol(Enum):
    TCP = "tcp"
    UDP = "udp"


class Policy(Enum):
    """What exits let out: Tor's reduced policy, the web, Tor's default policy, own rules."""

    REDUCED = "reduced"
    WEB = "web"
    DEFAULT = "default"
    OWN = "own"


class Strictness(Enum):
    DOCUMENTS = "documents"
    COMPATIBLE = "compatible"


class Rir(Enum):
    """The five registries of numbers."""

    RIPE = "ripe"
    ARIN = "arin"
    APNIC = "apnic"
    LACNIC = "lacnic"
    AFRINIC = "afrinic"


class Holding(Enum):
    """How an operator came to have address space."""

    PORTABLE = "portable"
    ALLOCATED = "allocated"
    MEMBER = "member"


@dataclass(frozen=True)
class Operator:
    """Who runs this network, and how they are reached."""

    name: str = key("As registries and the exit notice show it.", label="name")
    abuse: str = key("Mail address for complaints.", label="complaints")
    contact: str = key("Mail address for other operators.", label="other operators")
    url: str = key("Web page about what this operator does.", label="web page")
    jurisdiction: str = key("The law that applies.", label="law of")
    country: str | None = key(
        "For papers: the country that the registry has, in two letters (ISO 3166): US.",
        label="country",
        default=None,
    )


@dataclass(frozen=True)
class Reachable:
    """What strangers reach of a machine on a LAN."""

    address: Address = key("The machine's.")
    port: int | None = key(
        "Its port; left out, all of the protocol.", since=2, limit=(1, 65535), default=None
    )
    protocol: Protocol = key("tcp or udp.", since=2, default=Protocol.TCP)


@dataclass(frozen=True)
class Port:
    """A network port of the box."""

    name: str = key("What people call the port.")
    device: str = key(
        "Driver and number, as `ifconfig -l` lists them on the box: ix0. A bundle of cards is "
        "lagg0, lagg1 and so on.",
        also=("interface", "card", "nic", "if", "iface", "dev"),
    )
    role: PortRole = key(
        "transit (to an upstream), exchange, lan (other machines of the operator), twin (to the "
        "other box of two, and nothing else on it) or management (on a routing table of its own).",
    )
    addresses: tuple[Interface, ...] = key(
        "With prefix lengths. Those of a LAN port are in the scopes, all others are not.",
        also=("ip", "ips", "ip_address", "ipv4", "ipv6", "inet", "inet6", "prefixes"),
        limit=(0, MOST_ADDRESSES),
        default=(),
    )
    gateway: tuple[Address, ...] = key(
        "Of the management port, and of the transit port where the addresses are a provider's: the "
        "router that its routing table uses.",
        label="router",
        limit=(0, MOST_ADDRESSES),
        default=(),
    )
    mtu: int = key(
        "Largest packet in bytes. Exchanges say what theirs is.",
        label="MTU",
        limit=MTU,
        default=1500,
    )
    vlan: int | None = key(
        "IEEE 802.1Q tag, if the port is a VLAN of the device.",
        also=("tag", "vid", "dot1q"),
        label="VLAN",
        limit=VLAN,
        default=None,
    )
    mac: Mac | None = key(
        "Ethernet address that the exchange has on file; of exchange ports only.",
        label="Ethernet address",
        default=None,
    )

    members: tuple[str, ...] = key(
        "The network cards of a bundle (LACP, IEEE 802.1AX), if the device is one. Ports that are "
        "VLANs of one bundle name the same.",
        label="LACP of",
        since=2,
        limit=(0, MOST_MEMBERS),
        default=(),
    )

    reachable: tuple[Reachable, ...] = key(
        "Of a LAN port: what strangers reach of the machines on it. Nothing else comes from "
        "outside but replies to what the machines asked, and ICMP.",
        since=2,
        limit=(0, MOST),
        default=(),
    )

    @property
    def cards(self) -> tuple[str, ...]:
        """The network cards that carry the port: the device, or the members of a bundle."""
        return self.members or (self.device,)

    @property
    def interface(self) -> str:
        """The interface with the addresses: the device, or a VLAN on it as ifconfig(8) names it
        (``ix0.7``)."""
        return self.device if self.vlan is None else f"{self.device}.{self.vlan}"


@dataclass(frozen=True)
class Peer:
    """A network that speaks BGP with this one, or the other box of two; at most one address of each
    family."""

    name: str = key("What people call the peer.")
    asn: Asn = key("Its AS number.", also=("as", "remote_as", "peer_as", "as_number"))
    role: PeerRole = key(
        "transit (carries packets to the whole Internet), peer (sends its own routes and its "
        "customers'), route-server (of an exchange) or twin (the other box of two: iBGP).",
    )
    addresses: tuple[Address, ...] = key(
        "Addresses of its router, one of each family, in the network of a port.",
        also=("ip", "ips", "ip_address", "ipv4", "ipv6", "neighbor", "neighbour", "remote_address"),
        limit=(0, MOST_ADDRESSES),
    )
    networks: tuple[Network, ...] = key(
        "Of a twin alone: the parts of the scopes whose addresses it has. All others are this "
        "box's, and the address plan begins with them.",
        label="has",
        since=2,
        limit=(0, MOST),
        default=(),
    )
    gateway: tuple[Address, ...] = key(
        "Where an address of the peer is in the network of no port, because the session is with a "
        "loopback several hops away (multihop): the router on the link of a transit port that "
        "leads to it, one of each family.",
        label="by router",
        since=2,
        limit=(0, MOST_ADDRESSES),
        default=(),
    )
    hops: int = key(
        "How many hops away such an address is at most: 2 for a loopback of the router on the "
        "link, and of a router right behind that.",
        label="hops",
        since=2,
        limit=HOPS,
        default=2,
    )
    routes: Routes = key(
        "What is taken of a transit: full (its whole table, and no default route), default (the "
        "default route alone) or static (nothing; the box has a static default route by this "
        "router).",
        label="routes",
        since=2,
        default=Routes.FULL,
    )
    md5: str | None = key(
        "Secret for TCP MD5 signatures (RFC 2385): 16 to 80 characters that nobody guesses.",
        also=("password", "secret", "key", "tcp_md5", "md5_password", "authentication_key"),
        label="signed",
        secret=True,
        default=None,
    )
    gtsm: bool = key(
        "Whether IPv4 packets from far away are refused by their TTL (RFC 5082). Both ends have "
        "to agree.",
        label="GTSM",
        default=False,
    )
    max_prefix: int | None = key(
        "The session is closed when the peer sends more routes, and stays closed until somebody "
        "opens it; left out, what suits the role.",
        also=("maximum_prefix", "prefix_limit", "import_limit"),
        label="routes at most",
        limit=(1, 10_000_000),
        default=None,
    )
    blackhole: Community | None = key(
        "Community by which a transit drops everything that goes to an address: 65535:666 "
        "(RFC 7999) or its own. `exitisp blackhole` needs it.",
        label="blackhole",
        since=2,
        default=None,
    )
    announce: tuple[Announcement, ...] = key(
        "What the scopes have on them when this peer hears of them, and whether it does; left out, "
        "they go out as they are. One entry for all of them, and others for some.",
        since=2,
        limit=(0, MOST),
        default=(),
    )
    irr: str | None = key(
        "Object in a routing registry that lists the routes of the peer: AS-EXAMPLE.",
        label="registry",
        default=None,
    )

    def first_hop(self, address: Address) -> Address:
        """The router on the link of a port by which packets to an address of the peer go: the
        gateway of that family, or the peer itself."""
        return next((one for one in self.gateway if one.version == address.version), address)

    def announces(self, scope: Network) -> Announcement:
        """How it hears of a scope."""
        return of_scope(self.announce, scope)

    def hears(self, scope: Network) -> bool:
        """Whether it hears of a scope, where it has a session of that family."""
        return not self.announces(scope).withheld

    def heard_of(self, scopes: Iterable[Network]) -> tuple[Network, ...]:
        """Those of `scopes` that it hears of, where it has a session of their family."""
        return tuple(one for one in scopes if self.hears(one))


@dataclass(frozen=True)
class Family:
    """Relays that belong together: the keys of new relays, the fingerprints of old ones."""

    ids: tuple[str, ...] = key(
        "Public parts of family keys, as `tor --keygen-family` prints them.",
        label="family ids",
        limit=(0, MOST),
        default=(),
    )
    members: tuple[str, ...] = key(
        "Fingerprints of relays elsewhere that know no family keys.",
        label="family members",
        limit=(0, MOST),
        default=(),
    )


@dataclass(frozen=True)
class RelayPolicy:
    """What some of the relays let out."""

    relays: tuple[int, ...] = key(
        "Numbers of the relays that it is for, from 1 on.",
        since=2,
        limit=(0, MOST_RELAYS),
        default=(),
    )
    policy: Policy = key("As relays.policy.", since=2, default=Policy.REDUCED)
    rules: tuple[str, ...] = key("As relays.rules.", since=2, limit=(0, 500), default=())


@dataclass(frozen=True)
class Relays:
    """The Tor exit relays of the box."""

    count: int = key(
        "How many relays, about one for each core. Eight listen on an IPv4 address.",
        label="how many",
        limit=(1, MOST_RELAYS),
        default=4,
    )
    nickname: str = key(
        "{n} stands for the number of the relay; at most 19 letters and digits.",
        also=("name", "names"),
        label="names",
        default="exitisp{n}",
    )
    contact_info: str | None = key(
        "ContactInfo in the form of CIISS; left out, it is made from the operator's addresses.",
        label="contact",
        default=None,
    )
    policy: Policy = key(
        "What exits let out: reduced (Tor's reduced policy), web (ports 80 and 443), default "
        "(Tor's default policy) or own (the rules below).",
        label="let out",
        default=Policy.REDUCED,
    )
    rules: tuple[str, ...] = key(
        "With the policy own: the first rule that fits decides. For example accept *:443.",
        label="rules",
        limit=(0, 500),
        default=(),
    )
    policies: tuple[RelayPolicy, ...] = key(
        "What single relays let out, in place of what the two keys above say.",
        since=2,
        limit=(0, MOST_RELAYS),
        default=(),
    )
    block: tuple[Destination, ...] = key(
        "What exits must not reach, whatever the policy says: addresses or prefixes, with a port "
        "or a range of ports behind if not all are meant. For example 203.0.113.7:25.",
        label="never reached",
        since=2,
        limit=(0, MOST_BLOCKED),
        default=(),
    )
    bandwidth_mbit: int | None = key(
        "Limit of each relay in Mbit/s; left out, no limit.",
        label="limit, Mbit/s",
        limit=(1, 100_000),
        default=None,
    )
    family: Family = key(
        "Relays that belong together, so that no circuit passes two of them.",
        default=Family(),
    )
    or_addresses: tuple[Address, ...] = key(
        "Addresses that other relays connect to, instead of the plan's: of each family, one for "
        "each relay or one for every eight.",
        label="relays listen",
        limit=(0, 2 * MOST_RELAYS),
        default=(),
    )
    exit_addresses: tuple[Address, ...] = key(
        "Source addresses of exit traffic, instead of the plan's: of each family, one for each "
        "relay or one for every eight.",
        label="exits",
        limit=(0, 2 * MOST_RELAYS),
        default=(),
    )
    offline_keys: bool = key(
        "Whether the master keys of the relays are kept away from the box, which then has signing "
        "keys that end. See docs/day-two.md.",
        label="offline master keys",
        since=2,
        default=False,
    )

    def lets_out(self, number: int) -> RelayPolicy:
        """What the relay with this number lets out."""
        own = (one for one in self.policies if number in one.relays)
        return next(own, RelayPolicy((), self.policy, self.rules))


@dataclass(frozen=True)
class Dns:
    """The resolver."""

    strictness: Strictness = key(
        "documents (the strictest; some misconfigured names do not resolve) or compatible.",
        label="resolver",
        default=Strictness.DOCUMENTS,
    )
    cache_mib: int | None = key(
        "Memory for the cache in MiB; left out, what suits the box.",
        label="cache, MiB",
        limit=(16, 262_144),
        default=None,
    )
    addresses: tuple[Address, ...] = key(
        "Source addresses of the resolver's queries, instead of the plan's: one of each family, "
        "used for nothing else.",
        label="resolver",
        limit=(0, MOST),
        default=(),
    )


@dataclass(frozen=True)
class Management:
    """Who may log in, and from where."""

    keys: tuple[str, ...] = key(
        "SSH public keys, one line each; at least two administrators.",
        label="keys",
        limit=(0, MOST),
        default=(),
    )
    networks: tuple[Network, ...] = key(
        "Networks that may log in; nobody else can.",
        label="from",
        limit=(0, MOST),
        default=(),
    )
    monitoring: tuple[str, ...] = key(
        "SSH public keys that may run exitisp metrics and exitisp status --json, and nothing else.",
        label="monitoring",
        since=2,
        limit=(0, MOST),
        default=(),
    )


@dataclass(frozen=True)
class Performance:
    """How the kernel is tuned where its profiles do not fit (`firstboot.site.profiles`)."""

    profiles: dict[str, str] = key(
        "By device: none, for a port that no profile may touch.",
        label="Profiles",
        limit=(0, MOST),
        default_factory=dict,
    )
    settings: dict[str, int] = key(
        "By the name that sysctl(8) uses: numbers that replace those of a profile.",
        label="Kernel",
        limit=(0, MOST),
        default_factory=dict,
    )


@dataclass(frozen=True)
class Clock:
    """Where the time of day comes from."""

    servers: tuple[str, ...] = key(
        "NTP servers, by name or address.",
        label="time servers",
        limit=(0, MOST),
        default=("0.freebsd.pool.ntp.org", "2.freebsd.pool.ntp.org"),
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are no addresses. A name may stand for many servers."""
        return tuple(one for one in self.servers if not is_address(one))


@dataclass(frozen=True)
class Mail:
    """How sentences about the box go out by mail, if there is a relay."""

    relay: str | None = key(
        "Name or address of the SMTP server that takes the mail. Its connection is encrypted, and "
        "its certificate has to be right, or nothing is sent.",
        label="mail relay",
        since=2,
        default=None,
    )
    port: int = key(
        "TCP port of the relay: 465 is TLS from the start, all others have to offer STARTTLS.",
        since=2,
        limit=(1, 65535),
        default=587,
    )
    address: Address | None = key(
        "Address of the relay, so that its name need not be resolved. Without it nothing goes over "
        "the management port after a restart while names do not resolve.",
        since=2,
        default=None,
    )
    certificate: str | None = key(
        "SHA-256 of the relay's certificate in hexadecimal, in place of the authorities that the "
        "base trusts: for one that signs for itself.",
        since=2,
        default=None,
    )
    to: tuple[str, ...] = key(
        "Mail addresses of those who are told.",
        label="tells",
        since=2,
        limit=(0, 8),
        default=(),
    )
    sender: str | None = key(
        "Mail address that it comes from; left out, the first of those who are told.",
        since=2,
        default=None,
    )
    user: str | None = key(
        "Account at the relay, if it wants one.",
        since=2,
        default=None,
    )
    password: str | None = key(
        "Password of that account.",
        label="mail password",
        secret=True,
        since=2,
        default=None,
    )


@dataclass(frozen=True)
class Webhook:
    """How sentences about the box are posted to a web server, if there is a URL."""

    url: str | None = key(
        "Where a JSON document is posted, https alone. Whoever knows it can post there, so it "
        "is kept like a password.",
        label="webhook",
        secret=True,
        since=2,
        default=None,
    )
    address: Address | None = key(
        "Address of its server, as that of the mail relay.",
        since=2,
        default=None,
    )
    certificate: str | None = key(
        "SHA-256 of its certificate, as that of the mail relay.",
        since=2,
        default=None,
    )


@dataclass(frozen=True)
class Alarm:
    """Who is told when something is wrong with the box."""

    mail: Mail = key("By mail, if there is a relay.", since=2, default=Mail())
    webhook: Webhook = key("By a webhook, if there is a URL.", since=2, default=Webhook())


@dataclass(frozen=True)
class Registry:
    """What the registry of this network, and others where one is listed, know it by."""

    rir: Rir | None = key("The registry that the numbers are from.", label="registry", default=None)
    network: str | None = key(
        "Short name of the network, in capitals: EXAMPLE-EXIT.", label="network", default=None
    )
    organisation: str | None = key(
        "Handle of the organisation: ORG-EEF1-RIPE.", label="organisation", default=None
    )
    maintainer: str | None = key(
        "Who may change the objects: EXAMPLE-MNT.", label="maintainer", default=None
    )
    contact: str | None = key(
        "Handle of the role or person for administration and technology: EXA1-RIPE.",
        label="handle",
        default=None,
    )
    abuse: str | None = key(
        "Handle of the role for complaints: EXB1-RIPE. APNIC and AFRINIC call such a role an IRT.",
        label="for complaints",
        default=None,
    )
    as_set: str = key(
        "Last part of the name of the as-set, which begins with the AS number: AS64511:AS-EXIT.",
        default="AS-EXIT",
    )
    holding: Holding = key(
        "How the prefixes are held: portable (assigned by the registry, through a sponsor or not), "
        "allocated (to this operator, as a member) or member (assigned by another member).",
        default=Holding.PORTABLE,
    )
    peeringdb: int | None = key(
        "Number of the organisation at PeeringDB.",
        label="PeeringDB",
        limit=(1, 2**31 - 1),
        default=None,
    )


@dataclass(frozen=True)
class Zones:
    """The zones of the addresses and of their names. The box serves none of them."""

    domain: str | None = key(
        "Domain of the names of the addresses, with nothing else in it: exit.example.org.",
        label="domain",
        since=2,
        default=None,
    )
    servers: tuple[str, ...] = key(
        "Name servers that serve the zones, two at least: ns1.example.org.",
        label="name servers",
        limit=(0, 12),
        default=(),
    )
    serial: int | None = key(
        "Serial number of the zones, larger with every change; left out, the seconds since 1970.",
        label="serial",
        since=2,
        limit=(1, 2**32 - 1),
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class Site:
    """A whole site, as the file has it."""

    schema: int = key(f"Version of this file's format; the newest is {SCHEMA}.")
    operator: Operator = key(
        "Who runs this network, and how they are reached. All of it is public.",
    )
    addresses: Addresses = key(
        "Whose addresses these are: own (of this operator, announced by BGP with an AS number) or "
        "provider (some of a provider's, which routes them here: no AS number, no BGP).",
        label="addresses of",
        since=2,
        default=Addresses.OWN,
    )
    asn: Asn | None = key(
        "The AS number of this network. It has to be there, unless the addresses are a provider's.",
        also=("as", "local_as", "as_number", "my_as"),
        label="AS number",
        default=None,
    )
    scopes: tuple[Network, ...] = key(
        "Address space of this network, announced to everybody: /24 or larger, /48 or larger. The "
        "address plan takes its addresses from the first scope of each family. Of a provider's "
        "addresses: those that it gave to this box, single ones or networks.",
        also=("prefixes", "prefix"),
        label="prefixes",
        limit=(0, MOST),
    )
    ports: tuple[Port, ...] = key(
        "Network ports of the box: any number of transit, exchange and LAN ports, one for "
        "management, and one to a twin.",
        limit=(0, MOST),
    )
    peers: tuple[Peer, ...] = key(
        "Networks that speak BGP with this one.",
        limit=(0, 1000),
        default=(),
    )
    relays: Relays = key("The Tor exit relays of the box.", default=Relays())
    dns: Dns = key("The resolver.", default=Dns())
    router: tuple[Address, ...] = key(
        "The box's own addresses, instead of the plan's: one of each family.",
        label="router",
        limit=(0, MOST),
        default=(),
    )
    management: Management = key("Who may log in, and from where.", default=Management())
    performance: Performance = key(
        "How the kernel is tuned where the profiles of the hardware do not fit.",
        default=Performance(),
    )
    clock: Clock = key("The time of day. Tor and DNSSEC fail without it.", default=Clock())
    alarm: Alarm = key(
        "Who is told when something is wrong with the box, and when it is well again.",
        since=2,
        default=Alarm(),
    )
    waivers: dict[str, str] = key(
        "Rules that are set aside on purpose, each with the reason: no_management (there is no "
        "management port), documentation (numbers and addresses are examples), private_asn "
        "(transits have private AS numbers).",
        label="Rules set aside",
        limit=(0, MOST),
        default_factory=dict,
    )
    registry: Registry = key(
        "For papers: what registries know this network by. The box takes no notice.",
        default=Registry(),
    )
    zones: Zones = key(
        "For papers: the zones of the addresses and of their names. The box takes no notice.",
        default=Zones(),
    )

    @property
    def provided(self) -> bool:
        """Whether the addresses are a provider's, so that there is no BGP."""
        return self.addresses is Addresses.PROVIDER

    def mtu(self, device: str) -> int:
        """Of a device with several ports: the largest of theirs, which its VLANs stay below."""
        return max(port.mtu for port in self.ports if port.device == device)

    @property
    def twin(self) -> Peer | None:
        """The other box of two, if there is one."""
        return next((peer for peer in self.peers if peer.role is PeerRole.TWIN), None)

    @property
    def forwards(self) -> bool:
        """Whether packets are passed on: for machines on a LAN, or for the twin."""
        return any(port.role in (PortRole.LAN, PortRole.TWIN) for port in self.ports)

    @property
    def as_number(self) -> Asn:
        """The AS number of a site that has BGP. Raises ValueError if there is none."""
        if self.asn is None:
            raise ValueError("the site has no AS number")
        return self.asn


def load(path: Path) -> Document[Site]:
    """The site in the file at `path`. Raises Refusal (Faulty for mistakes of form)."""
    return document.load(path, Site)
