"""Ports: devices, VLANs, frame sizes, Ethernet addresses, and the networks on them.

Transit, exchange and LAN ports may be several. The management port is one, because it has a
routing table of its own (FIB 1) with one way out.
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

NAME_OF_DEVICE = re.compile(r"[a-z][a-z_]{0,11}[0-9]{1,3}")
"""ifnet(9): the driver's name and a number, 15 characters at most."""

PSEUDO = ("enc", "gif", "gre", "ipfw", "lo", "ng", "pflog", "pfsync", "tap", "tun", "vlan", "wg")

SHORTEST = {4: 16, 6: 48}
"""Networks of ports that are larger than any exchange's are slips of the pen."""


def check(site: Site) -> Iterator[Finding]:
    if not any(port.role.outside for port in site.ports):
        yield error(
            ("ports",),
            "there is no transit and no exchange port, so nothing leads out",
            "Add the port that leads to an upstream, with the role transit",
        )
    for at, port in enumerate(site.ports):
        yield from _device(("ports", at), port)
        yield from _addresses(site, ("ports", at), port)
    yield from _devices_apart(site)
    yield from _addresses_apart(site)


def _device(key: Key, port: Port) -> Iterator[Finding]:
    driver = port.device.rstrip("0123456789")
    if not NAME_OF_DEVICE.fullmatch(port.device):
        yield error(
            (*key, "device"),
            f"{quote_value(port.device)} is no name of a FreeBSD network device",
            "Give the driver and the number, such as ix0; `ifconfig -l` lists them on the box",
        )
    elif driver in PSEUDO:
        yield error(
            (*key, "device"),
            f"{port.device} is no network card",
            "Give the card, and the VLAN with the key vlan",
        )
    if port.mtu != 1500 and port.role is PortRole.EXCHANGE:
        yield warning(
            (*key, "mtu"),
            f"{port.mtu} on an exchange, where almost all use 1500 and a mismatch loses packets",
            "Ask the exchange; leave the key out for 1500",
        )
    yield from _mac(key, port)


def _mac(key: Key, port: Port) -> Iterator[Finding]:
    if port.role is PortRole.EXCHANGE:
        if port.mac is None:
            yield advice(
                key,
                "the exchange port keeps the Ethernet address of its card, and exchanges lock a "
                "port to the one on file",
                "Set mac, so that a spare card or box is let in too",
            )
    elif port.mac is not None:
        yield error(
            (*key, "mac"),
            "an Ethernet address is set for exchange ports alone",
            "Remove it, or correct the role",
        )
    if port.mac is not None and port.mac == "00:00:00:00:00:00":
        yield error(
            (*key, "mac"),
            "all zeros is no station's address",
            "Give the one that the exchange has on file",
        )


def _addresses(site: Site, key: Key, port: Port) -> Iterator[Finding]:
    if not port.addresses:
        yield error(key, "the port has no address", "Give it addresses with their prefix lengths")
    for at, interface in enumerate(port.addresses):
        yield from _address(site, (*key, "addresses", at), port, interface)


def _address(site: Site, key: Key, port: Port, interface: Interface) -> Iterator[Finding]:
    network = ip_network(interface.network)
    why = no_host(interface.ip, network)
    if why:
        yield error(key, f"{interface} {why}", "Give one of the addresses between")
    if network.num_addresses == 1:
        yield error(
            key,
            f"a /{network.prefixlen} has no room for a neighbour",
            "Give the prefix length of the network, a /30 or a /64 for example",
        )
    elif network.prefixlen < SHORTEST[network.version]:
        yield warning(
            key,
            f"{network} is larger than the network of any port",
            "Look for a digit that is missing in the prefix length",
        )
    special = purpose_of_address(interface.ip)
    own = inside(interface.ip, site.scopes)
    if port.role is PortRole.LAN:
        if not own:
            yield error(
                key,
                f"{interface.ip} is in none of the scopes, and there is no NAT: nothing that a "
                "machine there sends could leave",
                "Number the LAN from the scopes",
            )
    elif own or any(network.overlaps(s) for s in site.scopes if s.version == network.version):
        yield error(
            key,
            f"{network} is a part of the own scopes, or they of it, so it is announced to "
            "everybody" + _what_then(port),
            "Number this port from its owner's space, not from your scopes",
        )
    elif special and special.documents(ip_network(interface.ip)):
        yield from for_documentation(
            site, key, str(interface.ip), "Give the address that the port's owner assigned"
        )
    elif special and not special.link:
        yield error(
            key,
            f"{interface.ip} is in the space for {special.purpose}",
            "Give the address that the port's owner assigned",
        )
    elif special and port.role is PortRole.EXCHANGE:
        yield error(
            key,
            f"{interface.ip} is in the space for {special.purpose}, and exchanges number from "
            "space of their own",
            "Give the address that the exchange assigned",
        )
    elif special and port.role is PortRole.TRANSIT:
        yield warning(
            key,
            f"{interface.ip} is in the space for {special.purpose}; it works, but no traceroute "
            "shows the link and other networks may drop its errors",
            "Ask the upstream for a public link network",
        )


def _what_then(port: Port) -> str:
    if port.role is PortRole.MANAGEMENT:
        return ", and out of reach when BGP is down, which is when management is needed"
    return ", and its own routes are refused as hijacks"


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
                f"{quote(port.name)} is the name of two ports",
                "Give each its own",
            )
        names[port.name.lower()] = port.name
        managements += port.role is PortRole.MANAGEMENT
        if port.role is PortRole.MANAGEMENT and managements > 1:
            yield error(
                ("ports", at, "role"),
                "there is a second management port, and their routing table has one way out",
                "Keep one; make the other a LAN port, or remove it",
            )
        wire = (port.device, port.vlan)
        other = devices.get(port.device)
        if wire in wires:
            on = f" with VLAN {port.vlan}" if port.vlan is not None else ""
            yield error(
                ("ports", at, "device"),
                f"{quote(port.device)}{on} is the port {quote(wires[wire].name)} too",
                "Give each port a device or a VLAN of its own",
            )
        elif other and PortRole.MANAGEMENT in (port.role, other.role):
            yield error(
                ("ports", at, "device"),
                f"{quote(port.device)} carries the port {quote(other.name)} too, and management "
                "has to survive what happens to the others",
                "Give management a card and a cable of its own",
            )
        elif other and PortRole.EXCHANGE in (port.role, other.role):
            yield warning(
                ("ports", at, "device"),
                f"{quote(port.device)} carries the port {quote(other.name)} too, and exchanges "
                "want one Ethernet address and nothing else on the wire",
                "Give the exchange a card of its own",
            )
        wires.setdefault(wire, port)
        devices.setdefault(port.device, port)
        if port.mac is not None and port.mac in macs:
            yield error(
                ("ports", at, "mac"),
                f"{port.mac} is the Ethernet address of {quote(macs[port.mac].name)} too",
                "Give each port the one that its exchange has on file",
            )
        if port.mac is not None:
            macs.setdefault(port.mac, port)


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
            yield error(key, f"{address} is there twice", "Give every port its own address")
        seen[address] = key
        del network
    for (outer, first), (inner, key) in overlaps(networks):
        if first[1] != key[1]:
            assert isinstance(first[1], int)
            yield error(
                key,
                f"{inner} shares addresses with {outer} of the port "
                f"{quote(site.ports[first[1]].name)}, so it is not known which way they are",
                "Correct the prefix lengths, or the address",
            )
        elif inner != outer:
            yield warning(
                key,
                f"{inner} and {outer} share addresses on one port",
                "Give both the prefix length of the network",
            )
