"""Trust anchors of the simulated Internet: the DNS root's key, Tor's directory authorities, the
RPKI's trust anchor and who vouches for web servers. In the real Internet IANA, the Tor Project, the
registries and browsers' makers provide them.

They are made before the simulated Internet starts, so that they can be put into an image. A folder
that has them gives the same ones again.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from firstboot.core.values import Network
from firstboot.site.model import Site
from qemu.world.net import need, run
from qemu.world.routes import ORIGIN, VALIDATED
from qemu.world.rpki import certificates, repository
from qemu.world.rpki.payloads import Roa
from qemu.world.topology import lay_out
from qemu.world.zones import make_keys

OR_PORT, DIR_PORT = 9001, 9030

RPKI = "rpki.example.net"
"""The host that the RPKI is fetched from."""


@dataclass(frozen=True)
class Authority:
    """One of Tor's directory authorities."""

    nickname: str
    keys: Path
    """The folder `keys` of its DataDirectory."""

    v4: IPv4Address
    v6: IPv6Address
    identity: str
    """Fingerprint of its authority identity key: 40 hexadecimal digits."""

    fingerprint: str
    """Its fingerprint as a relay."""

    @property
    def line(self) -> str:
        """Its DirAuthority line for torrc(5)."""
        return (
            f"DirAuthority {self.nickname} orport={OR_PORT} v3ident={self.identity} "
            f"ipv6=[{self.v6}]:{OR_PORT} {self.v4}:{DIR_PORT} {self.fingerprint}\n"
        )


@dataclass(frozen=True)
class Trust:
    root_keys: Path
    """The folder with the root zone's keys, as ldns-keygen(1) writes them."""

    anchor: str
    """The DS record of the root, for Unbound's trust-anchor-file."""

    authorities: tuple[Authority, ...]
    rpki: Path
    """The folder with the RPKI's repository (`qemu.world.rpki.repository`)."""

    origins: tuple[Roa, ...]
    """What is signed there: the origins of the site's scopes if they are its own, of all
    hosts, and of `qemu.world.routes.VALIDATED`."""

    @property
    def roas(self) -> str:
        """The origins as a roa-set of bgpd.conf(5), as rpki-client(8) writes it."""
        lines = (
            f"  {roa.prefix} maxlen {roa.max_length} source-as {roa.origin}\n"
            for roa in self.origins
        )
        return f"roa-set {{\n{''.join(lines)}}}\n"

    @property
    def locator(self) -> str:
        """The RPKI's trust anchor locator."""
        return (self.rpki / repository.LOCATOR).read_text()

    @property
    def web_authority(self) -> str:
        """The certificate, as PEM, of who vouches for web servers."""
        return (self.rpki / certificates.AUTHORITY).read_text()

    @property
    def torrc(self) -> str:
        """Lines of torrc(5) that make a Tor part of this network."""
        return "TestingTorNetwork 1\n" + "".join(one.line for one in self.authorities)


def make(folder: Path, site: Site) -> Trust:
    """Read the anchors from `folder`, or make them there. Raises Unable without Tor and ldns.
    What is signed is good for 30 days."""
    need("tor", "tor")
    need("tor-gencert", "tor")
    root = folder / "root"
    if not root.exists():
        make_keys(root, ".")
    (anchor,) = root.glob("*.ds")
    host = lay_out(site).host("authorities")
    with ThreadPoolExecutor() as pool:
        authorities = pool.map(
            lambda at: _authority(folder / f"authority{at + 1}", host.v4(at), host.v6(at)), range(3)
        )
    origins, rpki = _origins(site), folder / "rpki"
    if not (rpki / certificates.AUTHORITY).exists():
        rpki.mkdir()
        repository.make(rpki, RPKI, origins)
        certificates.make(rpki, RPKI)
    return Trust(root, anchor.read_text(), tuple(authorities), rpki, origins)


def _authority(folder: Path, v4: IPv4Address, v6: IPv6Address) -> Authority:
    keys = folder / "keys"
    if not keys.exists():
        keys.mkdir(parents=True)
        folder.chmod(0o700)
        keys.chmod(0o700)
        files = ("-i", "authority_identity_key", "-s", "authority_signing_key")
        address = ("-a", f"{v4}:{DIR_PORT}", "-m", "12")
        certificate = ("-c", "authority_certificate", "--passphrase-fd", "0")
        make = ["tor-gencert", "--create-identity-key", *address, *files, *certificate]
        run(make, given="nobody's secret\n", folder=keys)
    known = (keys / "authority_certificate").read_text()
    identity = re.search(r"(?m)^fingerprint ([0-9A-F]{40})$", known)
    assert identity, known
    if not (folder / "fingerprint").exists():
        nobody = ("--dirauthority", f"nobody 127.0.0.1:1 {'0' * 40}", "--orport", str(OR_PORT))
        nothing = ("--quiet", "--ignore-missing-torrc", "-f", "/dev/null", "--datadirectory", ".")
        run(["tor", "--list-fingerprint", *nobody, *nothing], folder=folder)
    _, fingerprint = (folder / "fingerprint").read_text().split()
    return Authority(folder.name, keys, v4, v6, identity[1], fingerprint)


def _origins(site: Site) -> tuple[Roa, ...]:
    known: list[tuple[Network, int]] = []
    if not site.provided:
        known += [(scope, site.as_number) for scope in site.scopes]
    known += [(prefix, host.asn) for host in lay_out(site).hosts for prefix in host.prefixes]
    known += [(prefix, ORIGIN) for prefix in VALIDATED]
    return tuple(Roa(asn, net, net.prefixlen) for net, asn in known)
