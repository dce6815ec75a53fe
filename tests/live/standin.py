"""A stand-in for pf on Linux: nftables rules made from the rendered pf.conf.

Only the parts of pf.conf that decide what may leave a port without an address of the own scopes:
the rules for BGP and neighbour discovery, in their order, and the two LEAK rules after them. It
shows that those rules, with those tables, suffice; that pf reads them as nftables does here is
for a machine that has pf.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from qemu.world.net import Party, need
from tests.live.appliance import PF, rendered
from tests.live.world import PLAN, SITE

LISTENERS = "mld-listener-report, mld-listener-reduction, mld2-listener-report"


def hush(party: Party) -> None:
    """Drop Linux's own multicast listener reports (RFC 3810), which come from link addresses.

    They are the kernel's, pf's LEAK6 drops them on the box, and Linux has no switch for them. With
    this, all that a capture sees is somebody else's doing.
    """
    need("nft", "nftables")
    _load(
        party,
        "table inet hush { chain out { type filter hook output priority 0;\n"
        f"icmpv6 type {{ {LISTENERS} }} drop\n}}\n}}\n",
    )


@dataclass(frozen=True)
class StandIn:
    """The rules, loaded in the appliance's namespace."""

    party: Party

    @classmethod
    def load(cls, party: Party) -> "StandIn":
        need("nft", "nftables")
        _load(party, rules(rendered()[PF]))
        return cls(party)

    def caught(self) -> dict[str, int]:
        """Return how many packets each LEAK rule has dropped."""
        listed = self.party.run("nft", "list", "table", "inet", "standin")
        found = re.findall(r'counter packets (\d+) .* comment "(\w+)"', listed)
        return {label: int(count) for count, label in found}


def rules(pf: str) -> str:
    """Return the rules of `pf` up to the LEAK rules in nftables' language."""
    tables = {
        name: members.split()
        for name, members in re.findall(r"(?m)^table <([\w-]+)> const \{ (.*) \}$", pf)
    }
    lines = [
        line
        for outside, source, destination, label in re.findall(
            r"(?m)^pass (?:out|in) quick on (\S+) inet6? proto tcp from (\S+) to (\S+) port 179 "
            r'.*label "(bgp-out|bgp-in)"$',
            pf,
        )
        for line in _bgp(outside, source, destination, outgoing=label == "bgp-out")
    ]
    lines += [
        _discovery(outside, _addresses(sources, tables), _addresses(destinations, tables))
        for outside, sources, destinations in re.findall(
            r"(?m)^pass out quick on (\S+) inet6 proto icmp6 from \{ (.*) \} to \{ (.*) \} "
            r'icmp6-type \{ neighbrsol neighbradv \} no state label "nd-out"$',
            pf,
        )
    ]
    lines += [
        _leak(outside.split(), inet, tables[own], label)
        for outside, inet, own, label in re.findall(
            r'(?m)^block out quick on \{ (.*) \} (inet6?) from ! <(\w+)> label "(LEAK[46])"$', pf
        )
    ]
    _complete(lines, [port.interface for port in SITE.ports if port.role.outside])
    body = "\n".join(lines)
    return (
        "table inet standin { chain out { type filter hook postrouting priority 0;\n"
        f"{body}\n}}\n}}\n"
    )


def _complete(lines: list[str], outside: list[str]) -> None:
    """Raises AssertionError if pf.conf has other rules than this module knows."""
    for session in PLAN.sessions:
        for side in ("dport", "sport"):
            found = any(f"daddr {session.remote} tcp {side}" in line for line in lines)
            assert found, f"other rules: {session.remote}"
    for name in outside:
        assert any("icmpv6" in line and f'"{name}"' in line for line in lines), (
            f"other rules: {name}"
        )
        for label in ("LEAK4", "LEAK6"):
            found = any(label in line and f'"{name}"' in line for line in lines)
            assert found, f"other rules: {label} on {name}"


def _addresses(members: str, tables: Mapping[str, list[str]]) -> list[str]:
    """Return what is in a list of tables and addresses of pf.conf."""
    return [one for name in members.split() for one in tables.get(name.strip("<>"), [name])]


def _bgp(outside: str, source: str, destination: str, *, outgoing: bool) -> list[str]:
    """Return rules that pass packets of known connections, as pf's states do."""
    local, remote = (source, destination) if outgoing else (destination, source)
    family = "ip6" if ":" in local else "ip"
    side = "dport" if outgoing else "sport"
    return [
        f'oifname "{outside}" {family} saddr {local} {family} daddr {remote} tcp {side} 179 accept'
    ]


def _discovery(outside: str, sources: list[str], near: list[str]) -> str:
    return (
        f'oifname "{outside}" ip6 saddr {{ {_set(sources)} }} ip6 daddr {{ {_set(near)} }} '
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
    )


def _leak(outside: list[str], inet: str, own: list[str], label: str) -> str:
    version, family = (6, "ip6") if inet == "inet6" else (4, "ip")
    scopes = [scope for scope in own if ip_network(scope).version == version]
    names = ", ".join(f'"{name}"' for name in outside)
    return (
        f"oifname {{ {names} }} {family} saddr != {{ {_set(scopes)} }} "
        f'counter drop comment "{label}"'
    )


def _set(members: list[str]) -> str:
    """Return the networks without overlaps, which nftables refuses and pf accepts."""
    networks = {ip_network(member) for member in members}
    widest = [n for n in networks if not any(n != o and _within(n, o) for o in networks)]
    return ", ".join(sorted(map(str, widest)))


def _within(inner: object, outer: object) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[attr-defined, no-any-return]


def _load(party: Party, text: str) -> None:
    party.run("nft", "-f", "-", given=text)
