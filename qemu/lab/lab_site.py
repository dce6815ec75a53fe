"""The site of the lab's appliance: any site file, as far as a virtual machine has room for it.

What the lab's site has otherwise than the file is said in a sentence for each difference, with the
reason. Nothing of it changes who is beside the box, or what its addresses are.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.check import examine, refused, report
from firstboot.site.model import Family, Peer, PeerRole, Performance, Routes, Site
from qemu.lab.administrator import administered
from qemu.lab.alarmed_site import told_in_the_world
from qemu.lab.made_up import made_up
from qemu.world.topology import lay_out

EXAMPLE = Path(__file__).parents[2] / "examples" / "two-transits-and-an-exchange.yaml"
"""The site of a lab that is given none."""

RELAYS = 2
"""As few relays as an emulated processor can run."""

MOST_PEERS = 20
MOST_PORTS = 24
"""A PCI bus has 32 places, and disk, graphics and chipset need some."""

ROUTES = (300, 100)
"""IPv4 and IPv6 routes that two transits announce each, or more of them together. An emulated
processor takes minutes for thousands."""

ROOM = 100
"""Routes that a session has to have room for besides those that are always there: a check announces
what has to be refused."""

MTU = 1500

TWINS = "the two boxes"
"""Who shares the secret of the session between them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fitted:
    """A site that the lab can run, and what it has otherwise than its file, as sentences."""

    site: Site
    cuts: tuple[str, ...] = ()

    def then(self, site: Site, cut: str) -> "Fitted":
        """The same with `site`, and with `cut` if that is another one."""
        return self if site == self.site else Fitted(site, (*self.cuts, cut))


def read(path: Path) -> Site:
    """The site in the file at `path`. Raises Refusal, once what is wrong with the site is printed,
    if it has errors."""
    examined = examine(path)
    if examined.errors or examined.site is None:
        say(report(examined))
        raise refused(examined, "Correct them; ./exitisp check judges the file")
    return examined.site.value


def fitted(site: Site, card: str, relays: int = RELAYS, *, bundles: bool = False) -> Fitted:
    """Fit `site` into a machine whose network cards are called as `card` says, such as vtnet{}, and
    which can be `bundles`: those need a kernel that speaks LACP.

    Raises Refusal for a site that the simulated Internet cannot be built around.
    """
    if not site.provided and not any(
        session.peer.role is PeerRole.TRANSIT for session in allot(site).sessions
    ):
        raise Refusal(
            "peers",
            "no transit is at a port of the site, so name servers and Tor cannot be reached",
            "Add an upstream with the role transit",
        )
    result = Fitted(site)
    steps: tuple[Callable[[Fitted], Fitted], ...] = (
        _few_ports,
        _few_peers,
        lambda so_far: _cards(so_far, card, bundles=bundles),
        lambda so_far: _few_relays(so_far, relays),
        _small,
        _room,
        _told,
        _administered,
        _secrets,
    )
    for step in steps:
        result = step(result)
    return result


def feed(site: Site) -> tuple[int, int]:
    """How many IPv4 and IPv6 routes each transit announces that sends a table."""
    full = sum(peer.role is PeerRole.TRANSIT and peer.routes is Routes.FULL for peer in site.peers)
    v4, v6 = (count * 2 // max(full, 2) for count in ROUTES)
    return v4, v6


def _few_ports(so_far: Fitted) -> Fitted:
    site = so_far.site
    ports = _first(site.ports, MOST_PORTS, lambda port: [port.role])
    gone = [port for port in site.ports if port not in ports]
    peers = [
        peer
        for peer in site.peers
        if not any(one.port in gone for one in allot(site).sessions if one.peer is peer)
    ]
    names = ", ".join(port.name for port in gone)
    return so_far.then(
        replace(site, ports=tuple(ports), peers=tuple(peers)),
        f"The machine has {MOST_PORTS} network cards, so these ports are left out, with their "
        f"peers: {names}.",
    )


def _few_peers(so_far: Fitted) -> Fitted:
    """Leave out peers beyond MOST_PEERS, and the ports that have none any more. Each role and each
    port keeps one as long as there is room."""
    site = so_far.site
    where = {
        peer: [one.port for one in allot(site).sessions if one.peer is peer] for peer in site.peers
    }

    def kinds(peer: Peer) -> list[object]:
        return [peer.role, (peer.role, peer.routes), *(port.name for port in where[peer])]

    peers = _first(site.peers, MOST_PEERS, kinds)
    gone = [peer for peer in site.peers if peer not in peers]
    kept = {port.name for peer in peers for port in where[peer]}
    empty = {port.name for peer in gone for port in where[peer]} - kept
    ports = tuple(port for port in site.ports if port.name not in empty)
    names = ", ".join(peer.name for peer in gone)
    return so_far.then(
        replace(site, ports=ports, peers=tuple(peers)),
        f"{MOST_PEERS} of {len(site.peers)} peers are there; left out: {names}.",
    )


def _first(things: Collection[T], most: int, kinds: Callable[[T], Iterable[object]]) -> list[T]:
    """At most so many of `things`, in their order: first one of each kind, then the first ones."""
    if len(things) <= most:
        return list(things)
    seen: set[object] = set()
    chosen = []
    for one in things:
        new = set(kinds(one)) - seen
        if new:
            seen |= new
            chosen.append(one)
    chosen += [one for one in things if one not in chosen]
    return [one for one in things if one in chosen[:most]]


def _cards(so_far: Fitted, card: str, *, bundles: bool) -> Fitted:
    """Call the network cards as the system does. With `bundles`, and if the machine has room, they
    stay, and so do VLANs of one card; otherwise each port has a card of its own."""
    site = so_far.site
    names = list(dict.fromkeys(name for port in site.ports for name in port.cards))
    called = {name: card.format(at) for at, name in enumerate(names)}
    if bundles and len(names) <= MOST_PORTS:
        ports = tuple(
            replace(
                port,
                device=called.get(port.device, port.device),
                members=tuple(called[name] for name in port.members),
            )
            for port in site.ports
        )
        cuts = []
    else:
        ports = tuple(
            replace(port, device=card.format(at), members=()) for at, port in enumerate(site.ports)
        )
        why = "each port has a card of its own"
        if bundles:
            why = f"the machine has room for {MOST_PORTS} cards"
        cuts = _alone(site, why)
    large = [port.name for port in ports if port.mtu > MTU]
    if large:
        cuts.append(f"The largest packet has {MTU} bytes at {', '.join(large)}.")
    ports = tuple(replace(port, mtu=min(port.mtu, MTU)) for port in ports)
    return Fitted(replace(site, ports=ports), (*so_far.cuts, *cuts))


def _alone(site: Site, why: str) -> list[str]:
    """What is told of ports that have a card of their own in the lab, and share one in `site`."""
    devices = dict.fromkeys(port.device for port in site.ports)
    bundles = dict.fromkeys(port.device for port in site.ports if port.members)
    shared = ([port.name for port in site.ports if port.device == device] for device in devices)
    return [
        *(f"A bundle ({device}) is one card: {why}." for device in bundles),
        *(
            f"Ports that are VLANs of one device have a card each, with their tags: "
            f"{', '.join(names)}."
            for names in shared
            if len(names) > 1
        ),
    ]


def _few_relays(so_far: Fitted, most: int) -> Fitted:
    relays = so_far.site.relays
    count = min(relays.count, most)

    def few(addresses: tuple[Address, ...]) -> tuple[Address, ...]:
        families = ([one for one in addresses if one.version == version] for version in (4, 6))
        return tuple(
            one
            for family in families
            for one in family[: count if len(family) >= relays.count else 1]
        )

    policies = (
        replace(one, relays=tuple(number for number in one.relays if number <= count))
        for one in relays.policies
    )
    fewer = replace(
        relays,
        count=count,
        policies=tuple(one for one in policies if one.relays),
        or_addresses=few(relays.or_addresses) if count < relays.count else relays.or_addresses,
        exit_addresses=few(relays.exit_addresses)
        if count < relays.count
        else relays.exit_addresses,
    )
    so_far = so_far.then(
        replace(so_far.site, relays=fewer),
        f"{count} of {relays.count} relays run, with the addresses that they have in the whole "
        "site.",
    )
    alone = replace(fewer, bandwidth_mbit=None, family=Family(), offline_keys=False)
    return so_far.then(
        replace(so_far.site, relays=alone),
        "The relays have no limit, no family and no offline keys: their network has nine others.",
    )


def _small(so_far: Fitted) -> Fitted:
    site = so_far.site
    small = replace(site, dns=replace(site.dns, cache_mib=None), performance=Performance())
    return so_far.then(
        small, "Memory and kernel are set as suits a small machine: dns.cache_mib, performance."
    )


def _room(so_far: Fitted) -> Fitted:
    """Let each session have what the simulated Internet announces over it."""
    site = so_far.site
    least = max(lay_out(site).routes) + max(feed(site)) + ROOM

    def enough(peer: Peer) -> Peer:
        few = peer.routes is Routes.FULL and peer.max_prefix is not None
        return replace(peer, max_prefix=None) if few and (peer.max_prefix or 0) < least else peer

    peers = tuple(enough(peer) for peer in site.peers)
    names = [peer.name for peer, other in zip(site.peers, peers, strict=True) if peer != other]
    return so_far.then(
        replace(site, peers=peers),
        f"The simulated Internet has more routes than these peers may send, so max_prefix is left "
        f"out: {', '.join(names)}.",
    )


def _told(so_far: Fitted) -> Fitted:
    return so_far.then(
        told_in_the_world(so_far.site),
        "Alarms go to a mail relay and a web server of the simulated Internet, with secrets of the "
        "lab's own.",
    )


def _administered(so_far: Fitted) -> Fitted:
    return so_far.then(
        administered(so_far.site),
        "The lab may log in too, with a key of its own, from the router at the management port.",
    )


def _secrets(so_far: Fitted) -> Fitted:
    """Secrets of the lab's own, since it writes them into files and transcripts."""
    site = so_far.site
    peers = tuple(
        replace(peer, md5=made_up(TWINS if peer.role is PeerRole.TWIN else peer.name))
        if peer.md5
        else peer
        for peer in site.peers
    )
    return so_far.then(
        replace(site, peers=peers),
        "Secrets of sessions are not those of the file: the lab keeps its own in files and "
        "transcripts.",
    )


def on(card: str, example: Path = EXAMPLE, relays: int = RELAYS) -> Site:
    """The site of the file `example`, fitted in the same way."""
    return fitted(read(example), card, relays).site


SITE = on("vtnet{}")
"""The lab's own, on the real image's names for QEMU's cards."""
