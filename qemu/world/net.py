"""Worlds of network namespaces: parties, wires, switches, daemons.

A world is a process that waits in new net, mount and process namespaces; whatever a test does is
done in there, so nothing leaves the machine. The process reads a pipe that only the test holds:
when the test ends, however it ends, the pipe closes, and the kernel kills every process of the
world and removes its namespaces, addresses and mounts with it.

Without root the world is a user namespace too, with the subordinate users and groups of
/etc/subuid and /etc/subgid (newuidmap(1)), since daemons change to users of their own.
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
"""Seconds for anything to get ready; a busy machine."""

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
"""Of every party: as the appliance's sysctl.conf, and no waiting for double addresses."""


class Unable(Refusal):
    """This machine does not allow what a world needs."""


class Failed(Failure):
    """A command of the world failed, or a daemon ended; the message has what it said."""


def need(program: str, package: str) -> None:
    """Raises Unable, naming the Debian package, if there is no such program."""
    if shutil.which(program, path=environment()["PATH"]) is None:
        raise Unable(
            program,
            "this program is not in PATH, and the simulated Internet needs it",
            f"Install the Debian package {package}",
        )


def wait(what: str, ready: Callable[[], bool], seconds: float = START, pause: float = 0.05) -> None:
    """Until `ready` says so; it is asked every `pause` seconds. Raises Late, naming `what`."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise Late(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)


class World:
    """Namespaces that end with the `with` block. `folder` keeps logs and captures."""

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
        self._init = _child(self._holder.pid)
        self.namespace = str(Path(f"/proc/{self._init}/ns/pid").readlink())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the world, and wait until they are gone."""
        for pipe in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            assert pipe is not None
            pipe.close()
        self._holder.wait(START)
        for party in self.parties:
            for daemon in party.daemons:
                daemon.process.wait(START)

    def inside(self, *command: str | Path) -> list[str]:
        """`command` as this process can start it, inside the world."""
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        enter = ["nsenter", f"--target={self._init}", *user, "--net", "--mount", "--pid"]
        return [*enter, "--", *map(str, command)]

    def run(self, *command: str | Path) -> str:
        """What `command` says, in the world but at no party's."""
        return run(self.inside(*command))

    def party(self, name: str, forwarding: bool = False, silent: bool = False) -> "Party":
        """A namespace of its own, with its loopback interface up. One that is `silent` has nothing
        to say itself: no IPv6."""
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
        """A cable between two ports, which stay down until they are raised."""
        self.run(
            *("ip", "link", "add", one.device, "netns", one.party.name, "type", "veth"),
            *("peer", "name", other.device, "netns", other.party.name),
        )

    def switch(self, name: str, ports: Iterable["Port"]) -> list["Port"]:
        """A switch with these ports at the other ends of its wires: its own, in their order."""
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
    """A namespace: somebody's machine."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.daemons: list[Daemon] = []

    def inside(self, *command: str | Path) -> list[str]:
        return self.world.inside("ip", "netns", "exec", self.name, *command)

    def run(self, *command: str | Path, given: str = "", check: bool = True) -> str:
        """What `command` says. Raises Failed with what it complains of, if it fails."""
        return run(self.inside(*command), given, check)

    def port(self, device: str) -> "Port":
        return Port(self, device)

    def start(self, name: str, *command: str | Path) -> "Daemon":
        """Start a daemon, in the foreground as it sees it; its log is `PARTY.NAME.log`."""
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
        """Give it addresses, each with its prefix length, and raise it.

        Without `nodad`, it takes the kernel a moment until an IPv6 address can be bound.
        """
        lines = [
            f"address add {address} dev {self.device}{' nodad' if ':' in str(address) else ''}\n"
            for address in addresses
        ]
        self.party.run("ip", "-batch", "-", given="".join([*lines, f"link set {self.device} up\n"]))

    def down(self) -> None:
        self.party.run("ip", "link", "set", self.device, "down")


class Daemon:
    """A process in a world, and what it logged."""

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

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Until `ready`. Raises Failed with the log if the daemon ends before."""

        def alive_and_ready() -> bool:
            if self.process.poll() is not None:
                raise Failed(f"{self.log.name} ended: {self.said()}")
            return ready()

        wait(f"{what} ({self.log})", alive_and_ready)

    def stop(self) -> None:
        """End it, and wait until it is gone."""
        if self.process.poll() is None:
            os.kill(_child(self.process.pid), signal.SIGTERM)
            self.process.wait(START)


def environment() -> dict[str, str]:
    """Of every process: daemons are where Debian does not let ordinary users look."""
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


def _user_namespace() -> list[str]:
    need("newuidmap", "uidmap")
    return ["--user", "--map-root-user", "--map-auto"]


def _child(process: int) -> int:
    """The one child of a process that forks once."""
    children = Path(f"/proc/{process}/task/{process}/children")
    wait("a child", lambda: bool(children.read_text().split()))
    return int(children.read_text().split()[0])


def run(
    command: Iterable[str | Path], given: str = "", check: bool = True, folder: Path | None = None
) -> str:
    """What `command` says, run in `folder`. Raises Failed with all of it, if it fails."""
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
        raise Failed(f"{shlex.join(words)}: not within {START:.0f} s") from None
    if check and done.returncode:
        raise Failed(f"{shlex.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout
