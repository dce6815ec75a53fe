"""The site: everything that makes this exit ISP this one, in one file.

The wizard fills it in, a person may edit it, and the configuration of every daemon follows from it.
Nothing here is derived; `firstboot.site.address_plan` has what is. Each field carries what there is
to say of its key (`firstboot.core.keys`).
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.keys import key
from firstboot.core.values import Address, Asn, Interface, Mac, Network

SCHEMA = 1
"""The version of the site file that this program reads and writes."""

MTU = (1280, 9216)
"""IPv6 needs the smaller one (RFC 8200); switches and network cards end at the larger one."""

VLAN = (1, 4094)
"""IEEE 802.1Q; 0 and 4095 are reserved."""

MOST = 64
"""Entries of a list or a mapping, where the key does not say otherwise."""

MOST_ADDRESSES = 8
"""Addresses of a port or a peer."""


class PortRole(Enum):
    TRANSIT = "transit"
    EXCHANGE = "exchange"
    LAN = "lan"
    MANAGEMENT = "management"

    @property
    def outside(self) -> bool:
        """Whether what leaves this port is seen by strangers."""
        return self in (PortRole.TRANSIT, PortRole.EXCHANGE)


class PeerRole(Enum):
    TRANSIT = "transit"
    PEER = "peer"
    ROUTE_SERVER = "route-server"


class Policy(Enum):
    """What exits let out: Tor's reduced policy, the web, Tor's default policy, own rules."""

    REDUCED = "reduced"
    WEB = "web"
    DEFAULT = "default"
    OWN = "own"


class Strictness(Enum):
    DOCUMENTS = "documents"
    COMPATIBLE = "compatible"


@dataclass(frozen=True)
class Operator:
    """Who runs this network, and how they are reached."""

    name: str = key("As registries and the exit notice show it.", label="name")
    abuse: str = key("Mail address for complaints.", label="complaints")
    contact: str = key("Mail address for other operators.", label="other operators")
    url: str = key("Web page about what this operator does.", label="web page")
    jurisdiction: str = key("The law that applies.", label="law of")


@dataclass(frozen=True)
class Port:
    """A network port of the box."""

    name: str = key("What people call the port.")
    device: str = key("Driver and number, as `ifconfig -l` lists them on the box: ix0.")
    role: PortRole = key(
        "transit (to an upstream), exchange, lan (other machines of the operator) or management "
        "(on a routing table of its own).",
    )
    addresses: tuple[Interface, ...] = key(
        "With prefix lengths. Those of a LAN port are in the scopes, all others are not.",
        limit=(0, MOST_ADDRESSES),
        default=(),
    )
    gateway: tuple[Address, ...] = key(
        "Of the management port only: the router that its routing table uses.",
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
        label="VLAN",
        limit=VLAN,
        default=None,
    )
    mac: Mac | None = key(
        "Ethernet address that the exchange has on file; of exchange ports only.",
        label="Ethernet address",
        default=None,
    )

    @property
    def interface(self) -> str:
        """The interface with the addresses: the device, or a VLAN on it as ifconfig(8) names it
        (``ix0.7``)."""
        return self.device if self.vlan is None else f"{self.device}.{self.vlan}"


@dataclass(frozen=True)
class Peer:
    """A network that speaks BGP with this one; at most one address of each family."""

    name: str = key("What people call the peer.")
    asn: Asn = key("Its AS number.")
    role: PeerRole = key(
        "transit (sends the whole Internet), peer (sends its own routes and its customers') or "
        "route-server (of an exchange).",
    )
    addresses: tuple[Address, ...] = key(
        "Addresses of its router, one of each family, in the network of a port.",
        limit=(0, MOST_ADDRESSES),
    )
    md5: str | None = key(
        "Secret for TCP MD5 signatures (RFC 2385): 16 to 80 characters that nobody guesses.",
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
        "The session is closed when the peer sends more routes; left out, what suits the role.",
        label="routes at most",
        limit=(1, 10_000_000),
        default=None,
    )
    irr: str | None = key(
        "Object in a routing registry that lists the routes of the peer: AS-EXAMPLE.",
        label="registry",
        default=None,
    )


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
class Relays:
    """The Tor exit relays of the box."""

    count: int = key(
        "How many relays, about one for each core. Eight share an IPv4 address.",
        label="how many",
        limit=(1, 256),
        default=4,
    )
    nickname: str = key(
        "{n} stands for the number of the relay; at most 19 letters and digits.",
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
        "Addresses that other relays connect to, instead of the plan's: one of each family for "
        "every eight relays.",
        label="relays listen",
        limit=(0, MOST),
        default=(),
    )
    exit_addresses: tuple[Address, ...] = key(
        "Source addresses of exit traffic, instead of the plan's: one of each family for every "
        "eight relays.",
        label="exits",
        limit=(0, MOST),
        default=(),
    )


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


@dataclass(frozen=True)
class Site:
    """A whole site, as the file has it."""

    schema: int = key("Version of this file's format.")
    operator: Operator = key(
        "Who runs this network, and how they are reached. All of it is public.",
    )
    asn: Asn = key("The AS number of this network.", label="AS number")
    scopes: tuple[Network, ...] = key(
        "Address space of this network, announced to everybody: /24 or larger, /48 or larger. The "
        "address plan takes its addresses from the first scope of each family.",
        label="prefixes",
        limit=(0, MOST),
    )
    ports: tuple[Port, ...] = key(
        "Network ports of the box: any number of transit, exchange and LAN ports, and one for "
        "management.",
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
    waivers: dict[str, str] = key(
        "Rules that are set aside on purpose, each with the reason: no_management (there is no "
        "management port), documentation (numbers and addresses are examples).",
        label="Rules set aside",
        limit=(0, MOST),
        default_factory=dict,
    )


def load(path: Path) -> Document[Site]:
    """The site in the file at `path`. Raises Refusal (Faulty for mistakes of form)."""
    return document.load(path, Site)
