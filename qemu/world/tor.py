"""A small Tor network: three directory authorities, four relays, an exit, and a client.

The client is a party of its own. `qemu/world/socks.py` runs in its namespace to use it.
"""

import base64
import re
import select
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from firstboot.core.values import Address
from qemu.world.net import START, Daemon, Failed, Party, environment, need
from qemu.world.resolver import resolve
from qemu.world.services import ECHO
from qemu.world.topology import Topology
from qemu.world.trust import DIR_PORT, OR_PORT, Trust

SOCKS = Path(__file__).parent / "socks.py"
CONTROL = "/run/tor.client/control"
RELAYS, EXIT = ("world1", "world2", "world3", "world4"), "worldexit"

COMMON = """\
DataDirectory {folder}
Log notice stdout
SafeLogging 0
"""
RELAY = f"""\
SocksPort 0
Nickname {{name}}
ContactInfo world
Address {{v4}}
Address {{v6}}
ORPort {{v4}}:{OR_PORT}
ORPort [{{v6}}]:{OR_PORT}
OutboundBindAddress {{v4}}
OutboundBindAddress [{{v6}}]
AssumeReachable 1
__DisablePredictedCircuits 1
"""
INSIDE = "ExitPolicy reject *:*\n"
INTERVAL = 20
"""Seconds between two consensuses."""

SOONEST = 11
"""Seconds until the first consensus, four of them for voting. By then the relays have published
their descriptors."""

AUTHORITY = f"""\
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
DirPort {{v4}}:{DIR_PORT}
TestingDirAuthVoteGuard *
TestingV3AuthInitialVotingInterval {INTERVAL}
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
TestingV3AuthVotingStartOffset {{offset}}
V3AuthVotingInterval {INTERVAL}
V3AuthVoteDelay 4
V3AuthDistDelay 4
V3AuthNIntervalsValid 6
"""
OUTSIDE = """\
ExitRelay 1
IPv6Exit 1
ExitPolicy accept *:*
ServerDNSResolvConfFile {resolv}
"""
CLIENT = f"""\
SocksPort 9050
SocksTimeout 30
ControlSocket {CONTROL}
"""


@dataclass(frozen=True)
class Listed:
    """A relay in the consensus."""

    nickname: str
    fingerprint: str
    """40 hexadecimal digits."""

    address: Address
    flags: frozenset[str]


class Stream:
    """A connection through Tor to an echo service. It stays open until close()."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        if self._line() != "connected":
            try:
                self._process.wait(START)
            except subprocess.TimeoutExpired:
                raise Failed(f"no connection within {START:g} s") from None
            assert self._process.stderr is not None
            raise Failed(f"no connection: {self._process.stderr.read()}")

    def echo(self, text: str) -> str:
        """Send a line and return the line that comes back. "" if the connection has ended, or if
        nothing comes within START seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{text}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self._line()

    def close(self) -> None:
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _line(self) -> str:
        """The next line, or "" if the connection has ended or is silent for START seconds."""
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], START)[0]:
            return ""
        return self._process.stdout.readline().rstrip("\n")


class Client:
    """A Tor client."""

    def __init__(self, party: Party, daemon: Daemon) -> None:
        self._party = party
        self.daemon = daemon

    def wait(self) -> None:
        """Wait until it can build circuits."""
        self.daemon.wait("a circuit", lambda: "Bootstrapped 100%" in self.daemon.said())

    def consensus(self) -> list[Listed]:
        """Return the relays of its consensus."""
        said = self._party.run(sys.executable, SOCKS, "ask", CONTROL, "GETINFO ns/all")
        found = re.findall(r"(?m)^r (\S+) (\S+) \S+ \S+ \S+ (\S+) .*\n(?:a .*\n)*s (.*)$", said)
        return [
            Listed(
                name,
                base64.b64decode(f"{identity}=").hex().upper(),
                ip_address(address),
                frozenset(flags.split()),
            )
            for name, identity, address, flags in found
        ]

    def fetch(self, host: str, path: str = "/", exit: str | None = None) -> str:
        """Fetch `path` from the web server `host`, and return header and page. `exit` is the
        fingerprint of the exit to use, None for any. Raises Failed."""
        request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n"
        return self._party.run(*self._through("fetch", host, 80, exit), given=request)

    def hold(self, host: str, exit: str | None = None) -> Stream:
        """Open a connection to the echo service of `host`. Raises Failed."""
        return Stream(self._party.inside(*self._through("hold", host, ECHO, exit)))

    def _through(self, what: str, host: str, port: int, last: str | None) -> list[str | Path]:
        leave = [] if last is None else [last]
        return [sys.executable, SOCKS, what, CONTROL, host, str(port), *leave]


class Network:
    """The daemons of the network. `client` exists after wait()."""

    client: Client

    def __init__(self, topology: Topology, parties: dict[str, Party], trust: Trust) -> None:
        need("tor", "tor")
        self._trust = trust
        self._parties = parties
        self._folder = parties["client"].world.folder / "tor"
        self._folder.mkdir()
        offset = (int(time.time()) + SOONEST) % INTERVAL
        for one in trust.authorities:
            text = RELAY + INSIDE + AUTHORITY
            self._start(
                "authorities", one.nickname, text, one.keys, v4=one.v4, v6=one.v6, offset=offset
            )
        hosts = topology.host("relays")
        for at, name in enumerate(RELAYS):
            self._start("relays", name, RELAY + INSIDE, v4=hosts.v4(at), v6=hosts.v6(at))
        v4, v6 = hosts.v4(len(RELAYS)), hosts.v6(len(RELAYS))
        resolv = self._folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\n")
        resolve(parties["relays"], trust.anchor, (v4, v6))
        self.exit = self._start("relays", EXIT, RELAY + OUTSIDE, v4=v4, v6=v6, resolv=resolv)

    def wait(self) -> None:
        """Wait until the consensus has all relays, then start the client and wait for its
        circuits."""
        consensus = self._folder / self._trust.authorities[0].nickname / "cached-consensus"
        everybody = len(self._trust.authorities) + len(RELAYS) + 1

        def complete() -> bool:
            return consensus.exists() and consensus.read_text().count("\nr ") == everybody

        self.exit.wait("a consensus with all relays", complete)
        self._parties["client"].run("mkdir", "-m", "0700", str(Path(CONTROL).parent))
        self.client = Client(self._parties["client"], self._start("client", "client", CLIENT))
        self.client.wait()

    def _start(
        self, host: str, name: str, text: str, keys: Path | None = None, **values: object
    ) -> Daemon:
        folder = self._folder / name
        folder.mkdir(mode=0o700)
        if keys is not None:
            shutil.copytree(keys, folder / "keys")
        torrc = self._folder / f"{name}.torrc"
        filled = (COMMON + text).format(folder=folder, name=name, **values)
        torrc.write_text(self._trust.torrc + filled)
        there = self._parties[host]
        return there.start(f"tor.{name}", "tor", "-f", torrc, "--defaults-torrc", "/dev/null")
