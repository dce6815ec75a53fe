"""BIRD as anybody's router: it announces given routes and keeps whatever it is told."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from firstboot.values import Address
from qemu.world.net import Daemon, Party, need


@dataclass(frozen=True)
class Route:
    """A route and the path behind the router that announces it, nearest ASN first."""

    prefix: IPv4Network | IPv6Network
    path: tuple[int, ...] = ()

    @classmethod
    def to(cls, prefix: str, *path: int) -> "Route":
        return cls(ip_network(prefix), path)


@dataclass(frozen=True)
class Session:
    """A session to one neighbour over one family. `role` is the router's in it, as BIRD spells
    those of RFC 9234; None for a router that knows of no roles."""

    name: str
    local: Address
    neighbour: Address
    asn: int
    neighbour_asn: int
    role: str | None
    transparent: bool = False
    password: str | None = None
    gtsm: bool = False


@dataclass(frozen=True)
class Heard:
    """A route as a router has it from a neighbour; of a very long path only the beginning."""

    prefix: IPv4Network | IPv6Network
    path: tuple[int, ...]


class Router:
    """A running BIRD."""

    def __init__(self, party: Party, sessions: Iterable[Session], routes: Iterable[Route]) -> None:
        need("bird", "bird2")
        self._party = party
        self._control = f"/run/bird.{party.name}"
        self._sessions = tuple(sessions)
        config = party.world.folder / f"{party.name}.bird.conf"
        config.write_text(_config(self._sessions, tuple(routes)))
        self.daemon: Daemon = party.start(
            "bird", "bird", "-f", "-c", config, "-s", self._control, "-P", f"{self._control}.pid"
        )
        self.daemon.wait("bird", lambda: "BIRD" in self._birdc("show status"))

    def established(self) -> bool:
        """Whether every session is up."""
        return all(self.up())

    def up(self) -> list[bool]:
        """Of each session, whether it is up."""
        states = (self._birdc("show", "protocols", session.name) for session in self._sessions)
        return ["Established" in state for state in states]

    def heard(self) -> dict[str, set[Heard]]:
        """By session, every route that its neighbour announces."""
        return {session.name: self._heard(session.name) for session in self._sessions}

    def _heard(self, session: str) -> set[Heard]:
        found: set[Heard] = set()
        prefix = ""
        for line in self._birdc("show", "route", "all", "protocol", session).splitlines():
            if start := re.match(r"([0-9a-f.:]+/[0-9]+) ", line):
                prefix = start[1]
            elif path := re.match(r"\s+BGP\.as_path:\s*(.*)", line):
                asns = tuple(int(word) for word in path[1].split() if word.isdecimal())
                found.add(Heard(ip_network(prefix), asns))
        return found

    def _birdc(self, *command: str) -> str:
        return self._party.run("birdc", "-s", self._control, *command, check=False)


def _config(sessions: tuple[Session, ...], routes: tuple[Route, ...]) -> str:
    first = next(str(session.local) for session in sessions if session.local.version == 4)
    parts = [f"log stderr all;\nrouter id {first};\nprotocol device {{}}\n"]
    for version in (4, 6):
        lines = [_static(route) for route in routes if route.prefix.version == version]
        feed = "\n".join(lines)
        parts.append(f"protocol static feed{version} {{\nipv{version};\n{feed}\n}}\n")
    parts += [_session(session) for session in sessions]
    return "".join(parts)


def _static(route: Route) -> str:
    path = " ".join(f"bgp_path.prepend({asn});" for asn in reversed(route.path))
    return (
        f"route {route.prefix} blackhole {{ {path} }};"
        if path
        else (f"route {route.prefix} blackhole;")
    )


def _session(session: Session) -> str:
    password = f'password "{session.password}";' if session.password else ""
    gtsm = "ttl security on;" if session.gtsm else ""
    transparent = "rs client;" if session.transparent else ""
    role = f"local role {session.role};" if session.role else ""
    return f"""\
protocol bgp {session.name} {{
  local {session.local} as {session.asn};
  neighbor {session.neighbour} as {session.neighbour_asn};
  {role}
  allow local as 100;
  {gtsm}
  connect delay time 1;
  error wait time 1, 5;
  {password}
  {transparent}
  ipv{session.neighbour.version} {{
    import all;
    export where source = RTS_STATIC;
    next hop self;
  }};
}}
"""
