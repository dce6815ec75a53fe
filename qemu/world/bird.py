"""BIRD, the router of every network in the simulated Internet.

It announces given routes and keeps all routes that it hears.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from firstboot.core.values import Address
from qemu.world.net import START, Daemon, Party, need

OWN = "source = RTS_STATIC"
"""BIRD's filter for the routes that a router originates."""


@dataclass(frozen=True)
class Route:
    """A route that a router announces. `path` has the ASNs behind the router, nearest first.
    Packets for it go to `via`, or are dropped. `communities` are written as 64511:1, large ones as
    64511:1:1. `next_hop` is what a session that keeps next hops says instead of its own address."""

    prefix: IPv4Network | IPv6Network
    path: tuple[int, ...] = ()
    via: Address | None = None
    communities: tuple[str, ...] = ()
    next_hop: Address | None = None

    @classmethod
    def to(cls, prefix: str, *path: int) -> "Route":
        return cls(ip_network(prefix), path)


@dataclass(frozen=True)
class Session:
    """A BGP session with one neighbour over one address family. `role` is the router's own role
    (RFC 9234) in BIRD's spelling; None for a router without roles."""

    name: str
    local: Address
    neighbour: Address
    asn: int
    neighbour_asn: int
    role: str | None = None
    transparent: bool = False
    """Whether the router is a route server, which adds no ASN and keeps the next hop (RFC 7947)."""

    password: str | None = None
    gtsm: bool = False
    exports: str = OWN
    """The routes that are announced to the neighbour, as an expression of BIRD's filters."""

    hold: int = 240
    """Hold time in seconds (RFC 4271)."""

    keeps_next_hops: bool = False
    """Whether the next hops of its routes are announced, where they have one."""

    hops: int = 1
    """How many hops away the neighbour is at most."""


@dataclass(frozen=True)
class Heard:
    """A route as a router has it from a neighbour. Of a very long path only the beginning is there.
    `communities` are written as 64511:1, large ones as 64511:1:1."""

    prefix: IPv4Network | IPv6Network
    path: tuple[int, ...]
    communities: frozenset[str] = frozenset()
    med: int | None = None


class Router:
    """A running BIRD. With `routing` its routes are in the kernel's table too. Routes with the
    community GRACEFUL_SHUTDOWN are the last choice (RFC 8326)."""

    def __init__(
        self,
        party: Party,
        sessions: Iterable[Session],
        routes: Iterable[Route],
        routing: bool = False,
    ) -> None:
        need("bird", "bird2")
        self.party = party
        self._control = f"/run/bird.{party.name}"
        self._sessions = {session.name: session for session in sessions}
        self._routes = tuple(routes)
        self._more: tuple[Route, ...] = ()
        self._routing = routing
        self._config = party.world.folder / f"{party.name}.bird.conf"
        self._write()
        self.daemon: Daemon = party.start(
            *("bird", "bird", "-f", "-c", self._config),
            *("-s", self._control, "-P", f"{self._control}.pid"),
        )

    @property
    def sessions(self) -> tuple[Session, ...]:
        return tuple(self._sessions.values())

    def wait(self, seconds: float = START) -> None:
        """Wait until BIRD answers, for at most so many seconds."""
        self.daemon.wait("bird", lambda: "BIRD" in self._birdc("show status"), seconds)

    @property
    def asn(self) -> int:
        return self.sessions[0].asn

    def established(self, *sessions: str) -> bool:
        """Return whether these sessions are up; without arguments, whether all are."""
        return all(self._up(name) for name in sessions or self._sessions)

    def since(self) -> tuple[str, ...]:
        """Return of each session its state, and since when it has it."""
        lines = self._birdc("show", "protocols").splitlines()
        return tuple(line for line in lines if line.partition(" ")[0] in self._sessions)

    def heard(self) -> dict[str, set[Heard]]:
        """Return the routes that each session's neighbour announces."""
        return {name: self._heard(name) for name in self._sessions}

    def exported(self, session: str) -> int:
        """Return how many routes are announced to a session's neighbour, or wait to be."""
        found = re.search(r"([0-9]+) exported", self._birdc("show", "protocols", "all", session))
        return int(found[1]) if found else 0

    def announce(self, routes: Iterable[Route]) -> None:
        """Announce `routes` too, instead of those of the last call."""
        self._more = tuple(routes)
        self._renew()

    def join(self, sessions: Iterable[Session]) -> None:
        """Have `sessions` too, from now on."""
        self._sessions |= {session.name: session for session in sessions}
        self._renew()

    def change(self, session: str, *, password: str | None) -> None:
        """Change the TCP MD5 secret (RFC 2385) of a session; None for no secret."""
        self._sessions[session] = replace(self._sessions[session], password=password)
        self._renew()

    def shut(self, *sessions: str) -> None:
        """Disable these sessions, as an administrator does; without arguments, all."""
        for name in sessions or self._sessions:
            self._birdc("disable", name)

    def open(self, *sessions: str) -> None:
        for name in sessions or self._sessions:
            self._birdc("enable", name)

    def flap(self, times: int, seconds: float = 1) -> None:
        """Disable and enable all sessions `times` times, waiting `seconds` after each change."""
        for _ in range(times):
            self.shut()
            time.sleep(seconds)
            self.open()
            time.sleep(seconds)

    def _up(self, name: str) -> bool:
        return "Established" in self._birdc("show", "protocols", name)

    def _heard(self, session: str) -> set[Heard]:
        found: list[Heard] = []
        for line in self._birdc("show", "route", "all", "protocol", session).splitlines():
            if start := re.match(r"([0-9a-f.:]+/[0-9]+) ", line):
                found.append(Heard(ip_network(start[1]), ()))
            elif path := re.match(r"\s+BGP\.as_path:\s*(.*)", line):
                asns = tuple(int(word) for word in path[1].split() if word.isdecimal())
                found[-1] = replace(found[-1], path=asns)
            elif med := re.match(r"\s+BGP\.med:\s*([0-9]+)", line):
                found[-1] = replace(found[-1], med=int(med[1]))
            elif some := re.match(r"\s+BGP\.(?:large_)?community:\s*(.*)", line):
                spelled = re.sub(r",\s*", ":", some[1]).strip("()").split(") (")
                found[-1] = replace(found[-1], communities=found[-1].communities.union(spelled))
        return set(found)

    def _write(self) -> None:
        self._config.write_text(_config(self.sessions, (*self._routes, *self._more), self._routing))

    def _renew(self) -> None:
        self._write()
        self._birdc("configure")

    def _birdc(self, *command: str) -> str:
        return self.party.run("birdc", "-s", self._control, *command, check=False)


def _config(sessions: tuple[Session, ...], routes: tuple[Route, ...], routing: bool) -> str:
    first = next((session.local for session in sessions if session.local.version == 4), None)
    parts = [f"log stderr all;\nrouter id {first or '192.0.0.8'};\nprotocol device {{}}\n"]
    for version in (4, 6):
        lines = [_static(route) for route in routes if route.prefix.version == version]
        feed = "\n".join(lines)
        parts.append(f"protocol static feed{version} {{\nipv{version};\n{feed}\n}}\n")
        if any(session.hops > 1 for session in sessions):
            # The way to a next hop that is on no link of its own is looked up.
            parts.append(f"protocol direct direct{version} {{\nipv{version};\n}}\n")
        if routing:
            parts.append(_kernel(version))
    parts += [_session(session) for session in sessions]
    return "".join(parts)


def _static(route: Route) -> str:
    said = [f"bgp_path.prepend({asn});" for asn in reversed(route.path)]
    for community in route.communities:
        kind = "bgp_large_community" if community.count(":") == 2 else "bgp_community"
        said.append(f"{kind}.add(({community.replace(':', ', ')}));")
    if route.next_hop is not None:
        said.append(f"bgp_next_hop = {route.next_hop};")
    to = "blackhole" if route.via is None else f"via {route.via}"
    return (
        f"route {route.prefix} {to} {{ {' '.join(said)} }};"
        if said
        else f"route {route.prefix} {to};"
    )


def _kernel(version: int) -> str:
    """Return BIRD's protocol that puts routes into the kernel. Blackhole routes are only
    announced."""
    return (
        f"protocol kernel kernel{version} {{\n"
        f"ipv{version} {{ import none;\n"
        "export where dest != RTD_BLACKHOLE && source != RTS_DEVICE; };\n}\n"
    )


def _session(session: Session) -> str:
    password = f'password "{session.password}";' if session.password else ""
    gtsm = "ttl security on;" if session.gtsm else ""
    multihop = f"multihop {session.hops};" if session.hops > 1 else ""
    transparent = "rs client;" if session.transparent else ""
    role = f"local role {session.role};" if session.role else ""
    return f"""\
protocol bgp {session.name} {{
  local {session.local} as {session.asn};
  neighbor {session.neighbour} as {session.neighbour_asn};
  {role}
  {multihop}
  allow local as 100;
  {gtsm}
  connect delay time 1;
  connect retry time 5;
  error wait time 1, 5;
  hold time {session.hold};
  {password}
  {transparent}
  ipv{session.neighbour.version} {{
    import filter {{ if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }};
    export where {session.exports};
    next hop {"keep" if session.transparent or session.keeps_next_hops else "self"};
  }};
}}
"""
