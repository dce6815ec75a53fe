"""A box in a folder: its files, and stand-ins for its programs, which keep a log of their calls.

Services are up or down as they are started and stopped; what programs say of the network is what a
box with the site would say. `fail` makes a program say no.
"""

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from firstboot.box.host import PATIENCE, Ran
from firstboot.box.machine import Machine
from firstboot.box.systems.freebsd import SYSTEM
from firstboot.core import document
from firstboot.core.document import Document
from firstboot.site.address_plan import allot
from firstboot.site.model import Site
from firstboot.site.services import SILENT

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "two-transits-and-an-exchange.yaml"
SCRIPT = "usr/local/libexec/exitisp/site"
BGPCTL = "/usr/local/libexec/exitisp/bgpctl"
ANSWERS = "/usr/local/libexec/exitisp/answers"

READY = {
    "local-unbound-control -c /var/unbound/unbound.conf status": "local_unbound",
    "pfctl -q -s Running": "pf",
    f"{BGPCTL} show": "openbgpd",
    **{f"{ANSWERS} {name}": name for name in ("sshd", "ntpd", "syslogd", "cron")},
}

TIMED = (ANSWERS, "service exitisp_relays status")
"""How questions begin that services.yaml calls `timed`."""


@dataclass
class Programs:
    """What they were asked, what they say, and which services are up."""

    calls: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    up: set[str] = field(default_factory=set)
    """Services, by name."""

    dead: set[str] = field(default_factory=set)
    """Relays that do not run, of those of a service that is up."""

    hung: set[str] = field(default_factory=set)
    """Services and relays that run and do not answer."""

    late: float = 0
    """How many more questions are given up, of those to services whose scripts end in time."""

    def run(self, call: str) -> Ran:
        self.calls.append(call)
        for start, message in self.failures.items():
            if call.startswith(start):
                return Ran(f"{message}\n", 1)
        words = call.split()
        if self.late and call.startswith(TIMED):
            self.late -= 1
            return Ran("not done", SILENT, late=True)
        if call in READY:
            return Ran("", self.status(READY[call]))
        if call.startswith("pgrep -j none "):
            return Ran("", 1)
        if words[0] == "pkill":
            self.end(*(one.name for one in SYSTEM.services if "|".join(one.processes) == words[-1]))
        if words[0] == "service":
            service, verb, *relays = words[1:]
            if verb == "status":
                return Ran("", self.status(service, *relays))
            if verb in ("start", "faststart"):
                self.up.add(service)
                self.dead -= {*relays} or self.dead
            if verb == "kill" or (verb == "stop" and relays):
                self.dead |= {*relays}
                self.hung -= {*relays}
            elif verb == "stop":
                self.end(service)
        return Ran(self.answers.get(call, ""), 0)

    def status(self, service: str, *relays: str) -> int:
        """As the command `ready` of services.yaml ends."""
        named = {*relays} or {one for one in self.dead | self.hung if one.startswith("relay")}
        named = named if service == "exitisp_relays" else set()
        if service not in self.up or named & self.dead:
            return 1
        return SILENT if {service, *named} & self.hung else 0

    def end(self, *services: str) -> None:
        self.up -= {*services}
        self.hung -= {*services}


@dataclass(frozen=True)
class Box:
    """A box whose / is the folder `root`."""

    root: Path
    programs: Programs = field(default_factory=Programs)

    @property
    def machine(self) -> Machine:
        return _Standin(self.root, os.defpath, self.programs, system=SYSTEM)

    @property
    def calls(self) -> list[str]:
        """Command lines since they were forgotten, programs below the root as the box has them."""
        return [call.replace(str(self.root), "") for call in self.programs.calls]

    def forget(self) -> None:
        self.programs.calls.clear()

    def started(self) -> list[str]:
        words = (call.split() for call in self.calls)
        return [w[1] for w in words if w[0] == "service" and w[2:] in (["start"], ["faststart"])]

    def fail(self, start: str, message: str = "no") -> None:
        """Every command line that begins with `start` says `message` from now on, and fails."""
        self.programs.failures[start] = message
        self.programs.failures[f"{self.root}{start}"] = message

    def answer(self, command: str, text: str) -> None:
        self.programs.answers[command] = text

    def restarted(self) -> None:
        """As a boot leaves it: what was chosen is laid, and everything runs."""
        chosen = self.machine.generations.chosen()
        assert chosen is not None
        for file in chosen.read().files:
            (self.root / file.path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / file.path).write_text(file.text)
        self.machine.state.mkdir(parents=True, exist_ok=True)
        (self.machine.state / "generation").write_text(f"{chosen.folder.name}\n")
        self.programs.up.update(service.name for service in SYSTEM.services)

    def files(self) -> dict[str, str]:
        """What is laid in /etc and /var, by path."""
        return {
            path.relative_to(self.root).as_posix(): path.read_text()
            for top in ("etc", "var/unbound")
            for path in sorted((self.root / top).rglob("*"))
            if path.is_file() and path.name not in ("passwd", "group")
        }

    def is_like(self, site: Site) -> None:
        """The programs answer as on a box that runs `site`."""
        cards = "".join(f"{port.device}: flags=1\n\tether 02::\n" for port in site.ports)
        self.answer("ifconfig -a", cards)
        lines = ["lo0: flags=1", "\tinet 127.0.0.1 netmask 0xff000000", "lo1: flags=1"]
        plan = allot(site)
        lines += [f"\tinet{'6' if a.version == 6 else ''} {a} netmask" for a in plan.on_loopback]
        rules = []
        for port in site.ports:
            lines.append(f"{port.interface}: flags=8843<UP>")
            aliases = [one.address for one in plan.aliases if one.port == port]
            on_port = [*(face.ip for face in port.addresses), *aliases]
            lines += [f"\tinet{'6' if a.version == 6 else ''} {a} x" for a in on_port]
            if port.role.guarded:
                rules += [
                    f'block drop out quick on {port.interface} from ! <own> label "{label}"'
                    for label in ("LEAK4", "LEAK6")
                ]
        self.answer("ifconfig", "\n".join(lines))
        self.answer("pfctl -s rules", "\n".join(rules))
        self.answer("pfctl -s info", "Status: Enabled for 0 days")
        self.stopped(0)
        relays = [a for r in plan.relays for a in (*r.listen, *r.source)]
        lans = [i.ip for p in site.ports if p.role.value == "lan" for i in p.addresses]
        self.speaks(site)
        self._jail("exitisp_relays", ["127.0.0.2", *relays])
        self._jail("local_unbound", ["127.0.0.1", "127.0.0.53", "::1", *lans, *plan.resolver])

    def stopped(self, packets: int) -> None:
        """The filter has stopped so many packets with foreign sources."""
        labels = ("LEAK4", packets), ("LEAK6", 0), ("default", 7)
        lines = (f"{label} 90 {many} 640 0 0 {many} 640 0" for label, many in labels)
        self.answer("pfctl -s labels", "\n".join(lines))

    def speaks(self, site: Site, **of: object) -> None:
        """bgpd's sessions are up, each with a thousand routes. `of` is what bgpctl tells of the
        first one besides, or instead."""
        told: list[dict[str, object]] = [
            {
                "remote_addr": str(session.remote),
                "state": "Established",
                "stats": {
                    "prefixes": {
                        "sent": sum(one.version == session.remote.version for one in site.scopes),
                        "received": 1000,
                    }
                },
                "config": {"max_prefix": 2000},
            }
            for session in allot(site).sessions
        ]
        if of:
            told[0] |= of
        self.answer(f"{BGPCTL} -j show neighbor", json.dumps({"neighbors": told}))

    def _jail(self, name: str, addresses: list[object]) -> None:
        told = [str(one) for one in dict.fromkeys(addresses)]
        v4, v6 = ([one for one in told if (":" in one) is v6] for v6 in (False, True))
        self.answer(f"jls -j svcj-{name} ip4.addr ip6.addr", f"{','.join(v4)} {','.join(v6)}")


@dataclass(frozen=True, slots=True)
class _Standin(Machine):
    programs: Programs = field(default_factory=Programs)

    def run(self, *command: str, given: str | None = None, patience: float = PATIENCE) -> Ran:
        return self.programs.run(" ".join(command))


def make(root: Path, site: Site) -> Box:
    """A box that was never configured, on a network that is as `site` says."""
    box = Box(root)
    for name in ("etc", "cfg", "data", "var/run"):
        (root / name).mkdir(parents=True)
    uid, gid = os.getuid(), os.getgid()
    users = ("root", "unbound", "_tor")
    groups = ("wheel", "unbound", "_tor")
    (root / "etc/passwd").write_text("".join(f"{n}:*:{uid}:{gid}::/:/\n" for n in users))
    (root / "etc/group").write_text("".join(f"{name}:*:{gid}:\n" for name in groups))
    script = root / SCRIPT
    script.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "overlays/firstboot/files" / SCRIPT, script)
    for place in {*(s.program for s in SYSTEM.services), *(c.program for c in SYSTEM.checkers)}:
        path = root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    box.answer(f"/bin/sh {script} -r {root} identity", f"{'1d' * 32}\n")
    box.is_like(site)
    return box


def example() -> Document[Site]:
    return document.load(EXAMPLE, Site)


def changed(*changes: tuple[str, str]) -> Document[Site]:
    """The example with parts of its text replaced; each is there exactly once."""
    return document.parse(altered(*changes), "site.yaml", Site)


def altered(*changes: tuple[str, str]) -> bytes:
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text.encode()
