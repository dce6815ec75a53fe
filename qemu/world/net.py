"""Network namespaces for the simulated Internet: parties, wires, switches and daemons.

A world is a process that waits in new network, mount and process namespaces. Everything happens
inside them, so nothing leaves this host. The process reads a pipe that only its creator holds. When
the creator ends, however it ends, the pipe closes, and the kernel kills every process of the world
and removes its namespaces, addresses and mounts.

Without root the world has a user namespace as well, with the subordinate users and groups of
/etc/subuid and /etc/subgid (newuidmap(1)), because daemons switch to users of their own.
"""

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from firstboot.core.refusal import Refusal
from qemu.failure import Failure, Late

CABLE = Path(__file__).parent / "cable.py"

START = 60.0
"""Seconds that a command or a daemon may take to be ready, on a busy host."""

QUIET = {
    "net.ipv6.conf.all.accept_ra": 0,
    "net.ipv6.conf.default.accept_ra": 0,
    "net.ipv6.conf.default.accept_dad": 0,
    "net.ipv6.conf.default.router_solicitations": 0,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
}
"""Settings of every party: those of the appliance's sysctl.conf, and no duplicate address
detection."""


class Unable(Refusal):
    """This host does not allow or lacks something that the simulated Internet needs."""


class Failed(Failure):
    """A command in the world failed, or a daemon ended. The message has its output."""


def need(program: str, package: str) -> None:
    """Raise Unable, which names the Debian package, if there is no such program."""
    if shutil.which(program, path=environment()["PATH"]) is None:
        raise Unable(
            program,
            "this program is not in PATH, and the simulated Internet needs it",
            f"Install the Debian package {package}",
        )


def wait(what: str, ready: Callable[[], bool], seconds: float = START, pause: float = 0.05) -> None:
    """Call `ready` every `pause` seconds until it returns true. Raises Late, which names `what`."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Late(f"{what}: did not come within {seconds:.0f} s")
        time.sleep(pause)


class World:
    """Namespaces that last as long as the `with` block. `folder` keeps logs and captures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parties: list[Party] = []

    def __enter__(self) -> Self:
        need("unshare", "util-linux")
        need("nsenter", "util-linux")
        need("ip", "iproute2")
        self._holder = subprocess.Popen(
            [
                "unshare",
                *([] if os.geteuid() == 0 else _user_namespace()),
                *("--net", "--mount", "--pid", "--fork", "--mount-proc"),
                *("sh", "-ec", "mount -t tmpfs tmpfs /run; mkdir /run/netns; echo ready; exec cat"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=environment(),
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != "ready\n":
            said = self._holder.stderr.read().strip()
            self.close()
            raise Unable(
                "namespaces",
                f"this user may not make network namespaces ({' '.join(said.split())})",
                "Become root, or allow user namespaces, see user_namespaces(7)",
            )
        self.process = _child(self._holder.pid)
        """The process that holds the namespaces, by its number outside of them."""
        self.namespace = str(Path(f"/proc/{self.process}/ns/pid").readlink())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the world, and wait until all are gone."""
        for pipe in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            assert pipe is not None
            pipe.close()
        self._holder.wait(START)
        for party in self.parties:
            for daemon in party.daemons:
                daemon.process.wait(START)

    def inside(self, *command: str | Path) -> list[str]:
        """Return the command with which this process runs `command` inside the world."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", f"--target={self.process}", *user, "--net", "--mount", "--pid"]
        return [*enter, "--", *map(str, command)]

    def run(self, *command: str | Path) -> str:
        """Run `command` in the world, outside all parties, and return its output."""
        return run(self.inside(*command))

    def party(self, name: str, forwarding: bool = False, silent: bool = False) -> "Party":
        """Make a party: a network namespace with its loopback interface up. One that is `silent`
        has no IPv6, so that it sends nothing by itself."""
        party = Party(self, name)
        self.run("ip", "netns", "add", name)
        settings = {
            **QUIET,
            "net.ipv4.ip_forward": int(forwarding),
            "net.ipv6.conf.all.forwarding": int(forwarding),
            "net.ipv6.conf.default.disable_ipv6": int(silent),
        }
        lines = (f"echo {value} >/proc/sys/{k.replace('.', '/')}" for k, value in settings.items())
        party.run("sh", "-ec", "\n".join([*lines, "ip link set lo up"]))
        self.parties.append(party)
        return party

    def wire(self, one: "Port", other: "Port") -> None:
        """Connect two ports, which stay down until they are raised."""
        self.run(
            *("ip", "link", "add", one.device, "netns", one.party.name, "type", "veth"),
            *("peer", "name", other.device, "netns", other.party.name),
        )

    def switch(self, name: str, ports: Iterable["Port"]) -> list["Port"]:
        """Make a switch that is wired to `ports`. Returns its own ports, in the same order."""
        switch = self.party(name, silent=True)
        switch.run("ip", "link", "add", "fabric", "type", "bridge", "mcast_snooping", "0")
        ends = []
        for number, port in enumerate(ports):
            end = switch.port(f"port{number}")
            self.wire(end, port)
            switch.run("ip", "link", "set", end.device, "master", "fabric")
            end.up()
            ends.append(end)
        switch.run("ip", "link", "set", "fabric", "up")
        return ends


class Party:
    """A network namespace that stands for somebody's machine."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.daemons: list[Daemon] = []

    def inside(self, *command: str | Path) -> list[str]:
        return self.world.inside("ip", "netns", "exec", self.name, *command)

    def run(self, *command: str | Path, given: str = "", check: bool = True) -> str:
        """Run `command` and return its output. Raises Failed with the output if it fails."""
        return run(self.inside(*command), given, check)

    def port(self, device: str) -> "Port":
        return Port(self, device)

    def start(self, name: str, *command: str | Path) -> "Daemon":
        """Start a daemon in the foreground. Its log is `PARTY.NAME.log`."""
        log = self.world.folder / f"{self.name}.{name}.log"
        daemon = Daemon(self.inside(*command), log)
        self.daemons.append(daemon)
        return daemon


class Port:
    """A network device of a party."""

    def __init__(self, party: Party, device: str) -> None:
        self.party = party
        self.device = device

    def up(self, *addresses: object) -> None:
        """Give the port addresses, each with its prefix length, and raise it.

        `nodad` is for IPv6 addresses: otherwise they could not be bound for a moment.
        """
        lines = [
            f"address add {address} dev {self.device}{' nodad' if ':' in str(address) else ''}\n"
            for address in addresses
        ]
        self.party.run("ip", "-batch", "-", given="".join([*lines, f"link set {self.device} up\n"]))

    def down(self) -> None:
        self.party.run("ip", "link", "set", self.device, "down")


class Daemon:
    """A process in a world, and its log."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def wait(self, what: str, ready: Callable[[], bool], seconds: float = START) -> None:
        """Wait until `ready`. Raises Failed with the log if the daemon ends first."""

        def alive_and_ready() -> bool:
            if self.process.poll() is not None:
                raise Failed(f"{self.log.name} ended: {self.said()}")
            return ready()

        wait(f"{what} ({self.log})", alive_and_ready, seconds)

    def stop(self) -> None:
        """End the daemon, and wait until it is gone."""
        if self.process.poll() is None:
            os.kill(_child(self.process.pid), signal.SIGTERM)
            self.process.wait(START)


def environment() -> dict[str, str]:
    """The environment of every process. Debian keeps daemons outside an ordinary user's PATH."""
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


def _user_namespace() -> list[str]:
    need("newuidmap", "uidmap")
    return ["--user", "--map-root-user", "--map-auto"]


def _child(process: int) -> int:
    """Return the one child of a process that forks once, waiting for it."""
    children = Path(f"/proc/{process}/task/{process}/children")
    wait("a child", lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])


def run(
    command: Iterable[str | Path], given: str = "", check: bool = True, folder: Path | None = None
) -> str:
    """Run `command` in `folder`, with `given` as its input, and return its output. Raises Failed
    with the output if it fails."""
    words = list(map(str, command))
    try:
        done = subprocess.run(
            words,
            input=given,
            capture_output=True,
            text=True,
            timeout=START,
            env=environment(),
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{shlex.join(words)}: did not end within {START:.0f} s") from None
    if check and done.returncode:
        raise Failed(f"{shlex.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout
