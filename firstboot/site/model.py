"""The site: everything that makes this exit ISP this one, in one file.

The wizard fills it in, a person may edit it, and every daemon's configuration follows from it.
Nothing here is derived: what is derived from it is in `firstboot.site.address_plan`.
"""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.values import Address, Asn, Interface, Mac, Network

SCHEMA = 1


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
    """What an exit lets out: Tor's reduced policy, the web alone, Tor's default, own rules."""

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

    name: str
    abuse: str
    """Electronic mail address that complaints go to."""

    contact: str
    """Electronic mail address that other operators use."""

    url: str
    jurisdiction: str


@dataclass(frozen=True)
class Port:
    """A network port of the box."""

    name: str
    device: str
    """As the kernel names it: ix0."""

    role: PortRole
    addresses: tuple[Interface, ...] = ()
    gateway: tuple[Address, ...] = ()
    """Of a management port, whose routing table is its own."""

    mtu: int = 1500
    vlan: int | None = None
    mac: Mac | None = None
    """The one that an exchange has registered for this port."""

    @property
    def interface(self) -> str:
        """What has the addresses: the device, or a VLAN on it as ifconfig(8) names them: ix0.7."""
        return self.device if self.vlan is None else f"{self.device}.{self.vlan}"


@dataclass(frozen=True)
class Peer:
    """A network that speaks BGP to this one; one address a family."""

    name: str
    asn: Asn
    role: PeerRole
    addresses: tuple[Address, ...]
    md5: str | None = None
    """Secret of TCP's MD5 signatures (RFC 2385)."""

    gtsm: bool = False
    """Whether IPv4 packets from afar are refused by their TTL (RFC 5082): both ends have to agree,
    for a peer that does not do it sends a TTL of 1."""

    max_prefix: int | None = None
    """Routes taken before the session is closed; None for what suits the role."""

    irr: str | None = None
    """Object of an Internet routing registry that lists the peer's routes: AS-EXAMPLE."""


@dataclass(frozen=True)
class Family:
    """Relays that belong together: the keys of new relays, the fingerprints of old ones."""

    ids: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Relays:
    """The Tor exit relays of the box."""

    count: int = 4
    nickname: str = "exitisp{n}"
    """`{n}` is the number of the relay, from 1 on."""

    contact_info: str | None = None
    """None for one in the form of CIISS, made from the operator's."""

    policy: Policy = Policy.REDUCED
    rules: tuple[str, ...] = ()
    """Of the policy `own`: "accept *:443"."""

    bandwidth_mbit: int | None = None
    """Of each relay; None for no limit."""

    family: Family = Family()
    or_addresses: tuple[Address, ...] = ()
    """In place of the plan's: one of each family for every eight relays."""

    exit_addresses: tuple[Address, ...] = ()


@dataclass(frozen=True)
class Dns:
    """The resolver."""

    strictness: Strictness = Strictness.DOCUMENTS
    cache_mib: int | None = None
    """None for what suits the memory of the box."""

    addresses: tuple[Address, ...] = ()
    """In place of the plan's: where its questions come from, one a family."""


@dataclass(frozen=True)
class Management:
    """Who may log in, from where."""

    keys: tuple[str, ...] = ()
    """SSH public keys, a line each, as in authorized_keys."""

    networks: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Performance:
    """How the kernel is tuned, where its profiles do not fit (`firstboot.site.profiles`)."""

    profiles: dict[str, str] = field(default_factory=dict)
    """Of a port's device, the profile of its driver or none: {ix0: none}."""

    settings: dict[str, int] = field(default_factory=dict)
    """Values in place of a profile's, by sysctl(8)'s name."""


@dataclass(frozen=True)
class Upgrade:
    url: str | None = None
    """Where releases are announced; None for upgrades by hand."""


@dataclass(frozen=True)
class Clock:
    servers: tuple[str, ...] = ("0.freebsd.pool.ntp.org", "2.freebsd.pool.ntp.org")


@dataclass(frozen=True)
class Site:
    """A whole site, as the file has it."""

    schema: int
    operator: Operator
    asn: Asn
    scopes: tuple[Network, ...]
    """The operator's own address space, announced to everybody."""

    ports: tuple[Port, ...]
    peers: tuple[Peer, ...] = ()
    relays: Relays = Relays()
    dns: Dns = Dns()
    router: tuple[Address, ...] = ()
    """In place of the plan's: the box's own addresses, one a family."""

    management: Management = Management()
    performance: Performance = Performance()
    upgrade: Upgrade = Upgrade()
    clock: Clock = Clock()
    waivers: dict[str, str] = field(default_factory=dict)
    """Rules that are set aside on purpose, with the reason: no_management, documentation."""


def load(path: Path) -> Document[Site]:
    """The site in the file at `path`. Raises Refusal; Faulty has all faults of its form."""
    return document.load(path, Site)
