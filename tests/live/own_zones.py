"""The zones that papers have for a site's own addresses, below a root, `example.` and `arpa.`.

Somebody else serves them, as the site says: ns1 and ns2 in `example.`, behind the upstream. The
zones above have what the papers print for them, and nothing else of the papers: name servers and DS
records.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qemu.world.zones import Signed, Zone, addresses, sign
from tests.command import exitisp
from tests.live.appliance import changed
from tests.live.nameservers import LEAVES, ROOT, TOP, start
from tests.live.world import SITE_FILE, Surroundings

DOMAIN = "exit.example"
V4, V6 = "7.230.11.in-addr.arpa", "7.0.0.0.e.e.f.f.f.0.d.2.ip6.arpa"
"""The reverse zones of the site's scopes."""

SERVERS = ("ns1.example", "ns2.example")

CHANGES = (
    (r"198\.51\.100\.", "11.230.7."),
    (r"2001:db8:ee:", "2d0f:ffee:7:"),
    (r"(  jurisdiction: .*\n)", r"\1  country: US\n"),
)
"""What the site of the live tests has otherwise. Of the reverse zones of documentation, Unbound
says by itself that they are empty (RFC 6303), so it would ask nobody for the site's own."""

KEYS = f"""
waivers:
  documentation: This is announced in a test alone.

registry:
  rir: ripe
  network: EXAMPLE-EXIT
  organisation: ORG-EEF1-RIPE
  maintainer: EXAMPLE-EXIT-MNT
  contact: EEF2-RIPE
  abuse: EEF3-RIPE
  holding: portable
  peeringdb: 99999

zones:
  domain: {DOMAIN}
  servers: [{", ".join(SERVERS)}]
"""


@dataclass(frozen=True)
class Papers:
    """A site file, and what `./exitisp paper --sign` wrote of it: zones, and RDATA of DS records,
    by the names of zones without a final dot."""

    site: Path
    zones: Mapping[str, str]
    ds: Mapping[str, str]

    @classmethod
    def write(cls, folder: Path) -> "Papers":
        site, papers = folder / "site.yaml", folder / "papers"
        text = SITE_FILE.read_text()
        for pattern, replacement in CHANGES:
            text = changed(text, pattern, replacement)
        site.write_text(text + KEYS)
        ran = exitisp("paper", site, "-o", papers, "--sign", folder / "keys", folder=folder)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        printed = (papers / "zones" / "ds.txt").read_text()
        ds = dict(re.findall(r"(?m)^(\S+)\. IN DS (.*)$", printed))
        return cls(site, {n: (papers / "zones" / f"{n}.zone").read_text() for n in ds}, ds)


def serve(surroundings: Surroundings, papers: Papers) -> Path:
    """Serve the zones and those above. The folder gets what a resolver needs, as that of
    `tests.live.nameservers.serve` does. Raises Unable without NSD."""
    folder = surroundings.world.folder / "zones"
    folder.mkdir()
    own = []
    for name, text in papers.zones.items():
        file = folder / f"{name}.papers"
        file.write_text(text)
        own.append(Signed(Zone(f"{name}.", (), ""), file, ""))
    servers = "".join(addresses(f"{name}.", *LEAVES) for name in SERVERS)
    tld = sign(folder, Zone("example.", TOP, servers + _delegation(papers, DOMAIN)))
    reverse = [
        sign(folder, Zone(f"{above}.", TOP, _delegation(papers, zone)))
        for above, zone in (("in-addr.arpa", V4), ("ip6.arpa", V6))
    ]
    arpa = sign(folder, Zone("arpa.", TOP, "".join(map(_above, reverse))))
    root = sign(folder, Zone(".", ROOT, _above(tld) + _above(arpa)))
    start(surroundings.neighbour, "root", ROOT, [root])
    start(surroundings.upstream, "top", TOP, [tld, arpa, *reverse])
    start(surroundings.upstream, "own", LEAVES, own)
    resolver = surroundings.world.folder / "resolver"
    resolver.mkdir()
    (resolver / "root.key").write_text(root.ds)
    (resolver / "root.hints").write_text(root.zone.delegation)
    return resolver


def _delegation(papers: Papers, zone: str) -> str:
    servers = "".join(f"{zone}. 3600 IN NS {server}.\n" for server in SERVERS)
    return f"{servers}{zone}. 3600 IN DS {papers.ds[zone]}\n"


def _above(child: Signed) -> str:
    return child.zone.delegation + child.ds
