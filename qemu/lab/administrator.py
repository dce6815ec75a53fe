"""Who administers the boxes of a lab: somebody at the router behind the management port, with a key
for SSH of the lab's own."""

from dataclasses import replace
from functools import cache
from ipaddress import ip_network

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from firstboot.core.values import Address
from firstboot.site.model import Port, PortRole, Site


def way_in(site: Site) -> tuple[Port, Address, Address] | None:
    """The first management port with a router on one of its networks, the box's address there and
    that of the router, which the administrator has; None if there is none."""
    for port in site.ports:
        if port.role is PortRole.MANAGEMENT:
            for face in port.addresses:
                for gateway in port.gateway:
                    if gateway in face.network:
                        return port, face.ip, gateway
    return None


def administered(site: Site) -> Site:
    """`site` with the lab's key besides those of its administrators, from where the lab has it. A
    site without a way in stays as it is."""
    found = way_in(site)
    if found is None:
        return site
    _, _, router = found
    keys, networks = site.management.keys, site.management.networks
    if public_key() not in keys:
        keys = (*keys, public_key())
    if networks and not any(router in network for network in networks):
        networks = (*networks, ip_network(router))
    return replace(site, management=replace(site.management, keys=keys, networks=networks))


def public_key() -> str:
    """As a line of authorized_keys(5)."""
    public = _key().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public.decode()} lab"


def private_key() -> bytes:
    """As a file for ssh(1)."""
    return _key().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


@cache
def _key() -> Ed25519PrivateKey:
    """It is made once for this process."""
    return Ed25519PrivateKey.generate()
