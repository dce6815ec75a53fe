"""The management port, its gateway, who may log in and from where."""

from collections.abc import Iterator
from ipaddress import ip_network

from firstboot.core.document import Key
from firstboot.core.values import within
from firstboot.site.model import Port, PortRole, Site
from firstboot.site.rules.finding import Finding, advice, error, waived, warning
from firstboot.site.rules.hosts import no_host
from firstboot.site.rules.overlap import overlaps
from firstboot.site.rules.ssh_key import SshKey

RSA_BITS = (3072, 16384)
"""NIST SP 800-57 for use beyond 2030, and the most that OpenSSH takes."""

ADVISED_ADMINS = 2


def check(site: Site) -> Iterator[Finding]:
    ports = [port for port in site.ports if port.role is PortRole.MANAGEMENT]
    if not ports and not waived(site, "no_management"):
        yield error(
            ("ports",),
            "there is no management port, and nobody may log in from the Internet"
            if site.provided
            else "there is no management port, so whoever loses BGP loses the box with it",
            "Add a port with the role management, or set the rule aside: waivers, no_management "
            "and the reason",
        )
    yield from _keys(site)
    for at, port in enumerate(site.ports):
        key: Key = ("ports", at)
        if port.role is PortRole.MANAGEMENT:
            yield from _gateway(site, key, port)
        elif site.provided and port.role is PortRole.TRANSIT:
            yield from _routers(key, port, link_local=True)
        elif port.gateway:
            yield error(
                (*key, "gateway"),
                f"a {port.role.value} port has no gateway: its routes come from BGP, and a default "
                "route would carry packets past every policy",
                "Remove the key gateway. For a static default route, write routes: static at the "
                "peer; where there is no BGP at all, write addresses: provider",
            )
    yield from _networks(site, ports)


def _keys(site: Site) -> Iterator[Finding]:
    keys = site.management.keys
    seen: dict[bytes, str] = {}
    yield from _each("keys", keys, seen)
    admins = len(seen)
    yield from _each("monitoring", site.management.monitoring, seen)
    if not keys and not waived(site, "no_management"):
        yield error(
            ("management", "keys"),
            "there is no key, so nobody can log in except at the console",
            "Add the public keys of at least two administrators",
        )
    elif keys and admins < ADVISED_ADMINS:
        yield advice(
            ("management", "keys"),
            "there is only one administrator, and nobody can help while that one is away",
            "Add the key of a second administrator",
        )


def _each(name: str, keys: tuple[str, ...], seen: dict[bytes, str]) -> Iterator[Finding]:
    """What is wrong with each of the keys in the list `name`. `seen` are those before, and where
    they are."""
    for at, text in enumerate(keys):
        key: Key = ("management", name, at)
        try:
            found = SshKey.parse(text)
        except ValueError as reason:
            yield error(
                key,
                f"this is {reason}",
                "Give the line of the file NAME.pub that `ssh-keygen -t ed25519` makes",
            )
            continue
        yield from _kind(key, found)
        here = f"management.{name}[{at}]"
        other = seen.setdefault(found.blob, here)
        if other != here:
            yield error(key, f"this is the same key as {other}", "Remove one of the two")


def _kind(key: Key, found: SshKey) -> Iterator[Finding]:
    remedy = "Make a new key with `ssh-keygen -t ed25519`"
    if found.kind == "ssh-dss":
        yield error(key, "DSA keys are broken, and OpenSSH no longer takes them", remedy)
    elif found.kind == "ssh-rsa" and not RSA_BITS[0] <= found.bits <= RSA_BITS[1]:
        yield error(
            key,
            f"the RSA key has {found.bits} bits, and {RSA_BITS[0]} to {RSA_BITS[1]} are accepted",
            remedy,
        )
    elif "ed25519" not in found.kind:
        yield advice(key, f"{found.kind} works, but ed25519 is shorter and safer", remedy)


def _gateway(site: Site, key: Key, port: Port) -> Iterator[Finding]:
    yield from _routers(key, port)
    networks = [ip_network(interface.network) for interface in port.addresses]
    families = {gateway.version for gateway in port.gateway}
    beyond = [
        allowed
        for allowed in site.management.networks
        if allowed.version not in families
        and not any(within(allowed, network) for network in networks)
    ]
    if beyond:
        yield error(
            key,
            f"{beyond[0]} may log in and is behind a router, but this port has no "
            f"IPv{beyond[0].version} gateway",
            "Add the gateway, or correct management.networks",
        )
    elif not families and port.addresses:
        yield warning(
            key,
            "the management port has no gateway, so only its own network can reach the box",
            "Add the gateway, unless the administrators are on that network",
        )


def _routers(key: Key, port: Port, *, link_local: bool = False) -> Iterator[Finding]:
    """The routers on the link of a port, one of each family at most."""
    own = {interface.ip for interface in port.addresses}
    networks = [ip_network(interface.network) for interface in port.addresses]
    families = set()
    for at, gateway in enumerate(port.gateway):
        where: Key = (*key, "gateway", at)
        network = next((network for network in networks if gateway in network), None)
        why = no_host(gateway, network) if network else None
        if network is None and not (link_local and gateway.is_link_local):
            yield error(
                where,
                f"{gateway} is in no network of this port",
                "Give the address of the router there",
            )
        elif gateway in own:
            yield error(
                where, f"{gateway} is the box's own address", "Give the address of the router"
            )
        elif why:
            yield error(where, f"{gateway} {why} of {network}", "Give the address of the router")
        if gateway.version in families:
            yield error(where, f"this is the second IPv{gateway.version} gateway", "Keep one")
        families.add(gateway.version)


def _networks(site: Site, ports: list[Port]) -> Iterator[Finding]:
    networks = site.management.networks
    spoken = {interface.version for port in ports for interface in port.addresses}
    if not networks and ports:
        yield error(
            ("management", "networks"),
            "there is no network, so the firewall lets nobody log in",
            "Name the networks of the administrators, for example that of the management port",
        )
    for at, network in enumerate(networks):
        key: Key = ("management", "networks", at)
        if network.prefixlen == 0:
            yield warning(
                key,
                f"{network} lets everybody on the Internet try to log in",
                "Name the networks that administrators come from, for example that of a VPN",
            )
        if ports and network.version not in spoken:
            yield warning(
                key,
                f"the management port has no IPv{network.version} address, so nobody can log in "
                f"from {network}",
                "Give the port an address of that family, or remove the network",
            )
    for (outer, _), (inner, key) in overlaps(
        (network, ("management", "networks", at)) for at, network in enumerate(networks)
    ):
        yield advice(key, f"{inner} is already part of {outer}", "Remove one of them")
