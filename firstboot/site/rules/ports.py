"""Ports: devices, VLANs, MTUs, Ethernet addresses, and the networks on them.

There may be several transit, exchange and LAN ports, but only one management port, because its
routing table (FIB 1) has one gateway.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key, quote
from firstboot.core.fault import quote_value
from firstboot.core.values import Interface
from firstboot.site.model import Port, PortRole, Site
from firstboot.site.rules.finding import Finding, advice, error, for_documentation, warning
from firstboot.site.rules.hosts import inside, no_host
from firstboot.site.rules.overlap import Named, overlaps
from firstboot.site.rules.special import purpose_of_address
from firstboot.site.unsupported import TWO_TAGS

NAME_OF_DEVICE = re.compile(r"[a-z][a-z_]{0,11}[0-9]{1,3}")
"""ifnet(9): the driver's name and a number, 15 characters at most."""

TUNNELS = ("gif", "gre", "ipsec", "me", "ovpn", "stf", "tap", "tun", "vxlan", "wg")
"""Interfaces whose packets leave by another port, in an envelope with that port's address."""

PSEUDO = ("bridge", "enc", "epair", "ipfw", "lo", "ng", "pflog", "pfsync", "vlan")

OF_A_CARD = re.compile(
    r"(?P<card>[a-z][a-z_]{0,11}[0-9]{1,3})\.(?P<tag>[0-9]{1,4})(?P<inner>\.[0-9]{1,4})?"
)
"""How FreeBSD names the VLAN of a card: ix0.100, or ix0.100.200 with two tags."""

BUNDLE = "lagg"
"""lagg(4), whose members speak LACP."""

SHORTEST = {4: 16, 6: 48}
"""The shortest prefix lengths of real networks on ports; a shorter one is a typing error."""


def check(site: Site) -> Iterator[Finding]:
    if not any(port.role.outside for port in site.ports):
        yield error(
            ("ports",),
            "there is no transit or exchange port, so nothing leads to the Internet",
            "Add the port that leads to an upstream, with the role transit",
        )
    for at, port in enumerate(site.ports):
        yield from _device(("ports", at), port)
        yield from _addresses(site, ("ports", at), port)
    yield from _devices_apart(site)
    yield from _bundles(site)
    yield from _addresses_apart(site)


def _device(key: Key, port: Port) -> Iterator[Finding]:
    bundle = port.device.rstrip("0123456789") == BUNDLE
    if bundle and not port.members:
        yield error(
            (*key, "members"),
            f"{port.device} is a bundle, and no card is named that is in it",
            "Name them, for instance members: [ix0, ix1]",
        )
    elif port.members and not bundle:
        yield error(
            (*key, "device"),
            f"{quote_value(port.device)} is one card, and the port has members",
            f"Name the bundle here, such as {BUNDLE}0, and its cards as members",
        )
    if not bundle:
        yield from _card((*key, "device"), port.device)
    for at, member in enumerate(port.members):
        yield from _card((*key, "members", at), member)
    if len(port.members) == 1:
        yield warning(
            (*key, "members"),
            "there is one card in the bundle, so nothing takes over when it goes",
            "Name the other one, or the card as the device",
        )
    if port.mtu != 1500 and port.role is PortRole.EXCHANGE:
        yield warning(
            (*key, "mtu"),
            f"the MTU is {port.mtu}, but most exchanges use 1500, and a mismatch loses packets",
            "Ask the exchange; remove the key for 1500",
        )
    yield from _mac(key, port)


def _card(key: Key, device: str) -> Iterator[Finding]:
    """The name of a network card."""
    tags = OF_A_CARD.fullmatch(device)
    if tags and tags["inner"]:
        yield error(key, TWO_TAGS.reason, TWO_TAGS.remedy)
    elif tags:
        yield error(
            key,
            f"{quote(device)} is a VLAN of a card with its tag",
            f"Write device: {tags['card']} and vlan: {int(tags['tag'])}",
        )
    elif device.rstrip("0123456789") in TUNNELS:
        yield error(
            key,
            f"{device} is a tunnel, and tunnels are not supported: their envelopes would leave "
            "with the address of a port, which is what the leak rules stop",
            "Ask for a session on a wire or a VLAN of the upstream or the exchange",
        )
    elif not NAME_OF_DEVICE.fullmatch(device):
        yield error(
            key,
            f"{quote_value(device)} is not the name of a FreeBSD network device",
            "Write driver and number, such as ix0; `ifconfig -l` lists them on the box",
        )
    elif device.rstrip("0123456789") in (*PSEUDO, BUNDLE):
        yield error(
            key,
            f"{device} is not a network card",
            "Name the card here, and a VLAN with the key vlan",
        )


def _mac(key: Key, port: Port) -> Iterator[Finding]:
    if port.role is PortRole.EXCHANGE:
        if port.mac is None:
            yield advice(
                key,
                "the exchange port has the Ethernet address of its card, and exchanges let in only "
                "the address on file",
                "Set mac, so that a spare card or box can take over",
            )
    elif port.mac is not None:
        yield error(
            (*key, "mac"),
            "only exchange ports can have an Ethernet address of their own",
            "Remove the key mac, or correct the role",
        )
    if port.mac is not None and port.mac == "00:00:00:00:00:00":
        yield error(
            (*key, "mac"),
            "an Ethernet address of zeros belongs to no station",
            "Give the one that the exchange has on file",
        )


def _addresses(site: Site, key: Key, port: Port) -> Iterator[Finding]:
    if not port.addresses:
        yield error(key, "the port has no address", "Add its addresses with their prefix lengths")
    for at, interface in enumerate(port.addresses):
        yield from _address(site, (*key, "addresses", at), port, interface)


def _address(site: Site, key: Key, port: Port, interface: Interface) -> Iterator[Finding]:
    network = ip_network(interface.network)
    why = no_host(interface.ip, network)
    if why:
        yield error(key, f"{interface} {why}", "Give a host address of the network")
    if network.num_addresses == 1:
        yield error(
            key,
            f"a /{network.prefixlen} has no room for a neighbour, and a router outside of the "
            "port's network is not supported",
            "Give the prefix length of the network, for example /30 or /64; if the router is in "
            "none of yours, ask the provider for a network that both are in",
        )
    elif network.prefixlen < SHORTEST[network.version]:
        yield warning(
            key,
            f"{network} is larger than any real network on a port",
            "Check the prefix length for a missing digit",
        )
    special = purpose_of_address(interface.ip)
    own = inside(interface.ip, site.scopes)
    if port.role is PortRole.LAN:
        if not own:
            yield error(
                key,
                f"{interface.ip} is in none of the scopes, and there is no NAT, so machines there "
                "cannot reach the Internet",
                "Give the LAN addresses from the scopes",
            )
    elif (
        own or any(network.overlaps(s) for s in site.scopes if s.version == network.version)
    ) and not (site.provided and port.role.outside):
        yield error(
            key,
            f"{network} overlaps the own scopes, so it is announced to everybody"
            + _what_then(port),
            "Use private addresses: nobody else sees them"
            if port.role is PortRole.TWIN
            else "Use the addresses that the owner of the network assigned, not your scopes",
        )
    elif special and special.documents(ip_network(interface.ip)):
        yield from for_documentation(
            site, key, str(interface.ip), "Give the address that the owner of the network assigned"
        )
    elif special and not special.link:
        yield error(
            key,
            f"{interface.ip} is in address space for {special.purpose}",
            "Give the address that the owner of the network assigned",
        )
    elif special and port.role is PortRole.EXCHANGE:
        yield error(
            key,
            f"{interface.ip} is in address space for {special.purpose}, and exchanges use address "
            "space of their own",
            "Give the address that the exchange assigned",
        )
    elif special and port.role is PortRole.TRANSIT:
        yield warning(
            key,
            f"{interface.ip} is in address space for {special.purpose}; it works, but traceroute "
            "does not show the link, and other networks may drop its ICMP errors",
            "Ask the upstream for a public link network",
        )


def _what_then(port: Port) -> str:
    if port.role is PortRole.MANAGEMENT:
        return ", and it cannot be reached when BGP is down, which is when management is needed"
    return ", and routes to it from others are refused as hijacks"


def _devices_apart(site: Site) -> Iterator[Finding]:
    names: dict[str, str] = {}
    wires: dict[tuple[str, int | None], Port] = {}
    devices: dict[str, Port] = {}
    macs: dict[str, Port] = {}
    managements = 0
    for at, port in enumerate(site.ports):
        if port.name.lower() in names:
            yield error(
                ("ports", at, "name"),
                f"two ports have the name {quote(port.name)}",
                "Give each its own name",
            )
        names[port.name.lower()] = port.name
        managements += port.role is PortRole.MANAGEMENT
        if port.role is PortRole.MANAGEMENT and managements > 1:
            yield error(
                ("ports", at, "role"),
                "this is a second management port, and their routing table has one gateway",
                "Keep one, and make the other a LAN port or remove it",
            )
        wire = (port.device, port.vlan)
        other = devices.get(port.device)
        if wire in wires:
            on = f" with VLAN {port.vlan}" if port.vlan is not None else ""
            yield error(
                ("ports", at, "device"),
                f"{quote(port.device)}{on} is already used by the port {quote(wires[wire].name)}",
                "Give each port its own device or VLAN",
            )
        elif other and PortRole.MANAGEMENT in (port.role, other.role):
            yield error(
                ("ports", at, "device"),
                f"{quote(port.device)} also carries the port {quote(other.name)}, and management "
                "must survive what happens to the others",
                "Give management its own card and cable",
            )
        elif other and PortRole.EXCHANGE in (port.role, other.role):
            yield warning(
                ("ports", at, "device"),
                f"{quote(port.device)} also carries the port {quote(other.name)}, and exchanges "
                "want one Ethernet address and nothing else on the wire",
                "Give the exchange its own card",
            )
        if port.vlan is None and port.mtu < site.mtu(port.device):
            yield error(
                ("ports", at, "mtu"),
                f"a VLAN of {quote(port.device)} has an MTU of {site.mtu(port.device)}, and the "
                f"port without a VLAN {port.mtu}, which is the device's",
                "Give the port without a VLAN the largest MTU, or make it a VLAN as well",
            )
        wires.setdefault(wire, port)
        devices.setdefault(port.device, port)
        if port.mac is not None and port.mac in macs:
            yield error(
                ("ports", at, "mac"),
                f"{port.mac} is also the Ethernet address of {quote(macs[port.mac].name)}",
                "Give each port the address that its exchange has on file",
            )
        if port.mac is not None:
            macs.setdefault(port.mac, port)


def _bundles(site: Site) -> Iterator[Finding]:
    """Each card is in one bundle, or is a device by itself."""
    bundles: dict[str, Port] = {}
    whose: dict[str, str] = {port.device: port.device for port in site.ports if not port.members}
    for at, port in enumerate(site.ports):
        other = bundles.setdefault(port.device, port)
        key: Key = ("ports", at, "members")
        if set(other.members) != set(port.members) and port.members:
            yield error(
                key,
                f"{quote(other.name)} has other cards in {quote(port.device)}",
                "Name the same at each port that is a VLAN of the bundle",
            )
            continue
        for nth, member in enumerate(port.members):
            if member in port.members[:nth]:
                yield error((*key, nth), f"{member} is listed twice", "Remove one of the two")
            elif whose.setdefault(member, port.device) != port.device:
                yield error(
                    (*key, nth),
                    f"{member} is used by {whose[member]} already",
                    "Name a card that nothing else has",
                )


def _addresses_apart(site: Site) -> Iterator[Finding]:
    networks: list[Named] = [
        (ip_network(interface.network), ("ports", at, "addresses", nth))
        for at, port in enumerate(site.ports)
        for nth, interface in enumerate(port.addresses)
    ]
    seen: dict[object, Key] = {}
    for network, key in networks:
        _, at, _, nth = key
        assert isinstance(at, int)
        assert isinstance(nth, int)
        address = site.ports[at].addresses[nth].ip
        if address in seen:
            yield error(key, f"{address} is used twice", "Give every port its own address")
        seen[address] = key
        del network
    for (outer, first), (inner, key) in overlaps(networks):
        if first[1] != key[1]:
            assert isinstance(first[1], int)
            yield error(
                key,
                f"{inner} shares addresses with {outer} of the port "
                f"{quote(site.ports[first[1]].name)}, so it is unclear which port leads to them",
                "Correct the prefix lengths or the address",
            )
        elif inner != outer:
            yield warning(
                key,
                f"{inner} and {outer} overlap on one port",
                "Give both addresses the prefix length of the network",
            )
