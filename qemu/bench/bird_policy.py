"""The rendered policy for transits, said in BIRD's words, to compare two daemons with equal work.

`firstboot.site.verify.bgpd.policy` derives from a site what has to be taken; this says the same to
BIRD 2. Not there are sets in paths (`reject as-set`), for which BIRD has no option.
"""

from collections.abc import Iterable

from firstboot.core.values import Network
from firstboot.site import bogons
from firstboot.site.address_plan import Session, allot
from firstboot.site.model import PeerRole, PortRole, Site
from firstboot.site.verify.bgpd.policy import (
    LENGTHS_TAKEN,
    LONGEST_PATH,
    MARKS,
    MOST,
    PREFERENCE,
    ROLES,
)


def config(
    site: Site, roas: Iterable[tuple[Network, int]], keeping: bool, refused: Network | None = None
) -> str:
    """Return a configuration with a session for each address of the site's transits.

    `roas` are prefixes, of which nothing longer may be announced, and their origins. With
    `keeping`, BIRD keeps what neighbours announce, before any policy, as OpenBGPD does. `refused`
    is one more prefix that is not taken.
    """
    plan = allot(site)
    validated = list(roas)
    parts = [f"log stderr all;\nrouter id {plan.router.v4 or '192.0.0.8'};\nprotocol device {{}}\n"]
    for version in (4, 6):
        own = [scope for scope in site.scopes if scope.version == version]
        announced = "".join(
            f"  route {scope} blackhole {{ bgp_large_community.add(({site.as_number}, 1, 1)); }};\n"
            for scope in own
        )
        of_version = (one for one in validated if one[0].version == version)
        said = "".join(
            f"  route {prefix} max {prefix.prefixlen} as {origin};\n"
            for prefix, origin in of_version
        )
        parts += [
            f"protocol static own{version} {{\n  ipv{version};\n{announced}}}\n",
            f"roa{version} table rpki{version};\n"
            f"protocol static roas{version} {{\n"
            f"  roa{version} {{ table rpki{version}; }};\n{said}}}\n",
            _filter(site, version, refused),
        ]
    sessions = [one for one in plan.sessions if one.peer.role is PeerRole.TRANSIT]
    parts += [_session(site, one, number, keeping) for number, one in enumerate(sessions)]
    return "".join(parts)


def _filter(site: Site, version: int, refused: Network | None) -> str:
    shortest, longest = LENGTHS_TAKEN[version]
    nobodys = bogons.of(site)
    exchanges = (port for port in site.ports if port.role is PortRole.EXCHANGE)
    lans = (interface.network for port in exchanges for interface in port.addresses)
    unwanted = [
        f"{network}+"
        for network in (*site.scopes, *nobodys.prefixes, *lans)
        if network.version == version
    ]
    if refused is not None and refused.version == version:
        unwanted.append(str(refused))
    asns = ", ".join(f"{first}..{last}" for first, last in nobodys.asns)
    own = site.as_number
    plain = f"  bgp_community.delete([({own}, *)]);\n" if own < 1 << 16 else ""
    return f"""\
filter taken{version} {{
  if net ~ [ {", ".join(unwanted)} ] then reject;
  if net.len < {shortest} || net.len > {longest} then reject;
  if bgp_next_hop != from then reject;
  if bgp_path ~ [ {asns} ] then reject;
  if bgp_path.len > {LONGEST_PATH} then reject;
  if roa_check(rpki{version}, net, bgp_path.last) = ROA_INVALID then reject;
  bgp_large_community.delete([({own}, *, *)]);
{plain}\
  bgp_local_pref = {PREFERENCE[PeerRole.TRANSIT]};
  bgp_large_community.add(({own}, 2, {MARKS[PeerRole.TRANSIT]}));
  if (65535, 0) ~ bgp_community then bgp_local_pref = 0;
  accept;
}}
"""


def _session(site: Site, session: Session, number: int, keeping: bool) -> str:
    peer, version = session.peer, session.remote.version
    scopes = [scope for scope in peer.heard_of(site.scopes) if scope.version == version]
    most = MOST[peer.role][version] if peer.max_prefix is None else peer.max_prefix
    return f"""\
protocol bgp transit{number} {{
  local {session.local} as {site.as_number};
  neighbor {session.remote} as {int(peer.asn)};
  local role {ROLES[peer.role]};
  enforce first as on;
  {f'password "{peer.md5}";' if peer.md5 else ""}
  {"ttl security on;" if peer.gtsm and version == 4 else ""}
  ipv{version} {{
    import table {"on" if keeping else "off"};
    import limit {most} action disable;
    import filter taken{version};
    export limit {max(len(scopes), 1)} action disable;
    export where source = RTS_STATIC && net ~ [ {", ".join(map(str, scopes))} ]
      && ({site.as_number}, 1, 1) ~ bgp_large_community;
  }};
}}
"""
