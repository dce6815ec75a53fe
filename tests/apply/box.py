"""A box in a folder: its files, and scripts for its programs, which keep a log of their calls.

Services are up or down as they are started and stopped; what programs say of the network is what a
box with the site would say. `fail` makes a program say no.
"""

import os
import shutil
import textwrap
from dataclasses import dataclass
from pathlib import Path

from firstboot import document
from firstboot.document import Document
from firstboot.machine import Machine
from firstboot.plan import allot
from firstboot.services import SERVICES
from firstboot.site import Site
from firstboot.trial import CHECKERS

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "two-transits-and-an-exchange.yaml"
SCRIPT = "usr/local/libexec/exitisp/site"

PROGRAMS = (
    *("service", "pfctl", "ifconfig", "setfib", "sockstat", "jls", "sysctl", "procstat", "kill"),
    *("local-unbound", "local-unbound-control", "local-unbound-checkconf", "tor", "bgpd", "bgpctl"),
    *("ssh-keygen", "pw", "mount", "umount"),
)

READY = {
    "local-unbound-control -c /var/unbound/unbound.conf status": "local_unbound",
    "pfctl -q -s Running": "pf",
    "bgpctl show": "openbgpd",
}


@dataclass(frozen=True)
class Box:
    """`folder` has the root, the programs and what they know."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def machine(self) -> Machine:
        return Machine(self.root, f"{self.folder / 'bin'}:{os.environ['PATH']}")

    @property
    def calls(self) -> list[str]:
        """Command lines since the log was cleared, without the folder's name."""
        log = self.folder / "calls"
        return log.read_text().replace(str(self.root), "").splitlines() if log.exists() else []

    def forget(self) -> None:
        (self.folder / "calls").unlink(missing_ok=True)

    def started(self) -> list[str]:
        words = (call.split() for call in self.calls)
        return [w[1] for w in words if w[0] == "service" and w[2:] == ["start"]]

    def fail(self, command: str, message: str = "no", status: int = 1) -> None:
        """Every command line that begins with `command` says `message` from now on."""
        place = self.folder / "fail" / command.replace("/", "!")
        place.write_text(f"{message}\nexit {status}\n")

    def mend(self) -> None:
        for place in (self.folder / "fail").iterdir():
            place.unlink()

    def answer(self, command: str, text: str) -> None:
        (self.folder / "answers" / command.replace("/", "!")).write_text(text)

    def up(self) -> set[str]:
        return {path.name for path in (self.folder / "up").iterdir()}

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
        self.answer("ifconfig -l ether", " ".join(port.device for port in site.ports))
        lines = ["lo0: flags=1", "\tinet 127.0.0.1 netmask 0xff000000", "lo1: flags=1"]
        plan = allot(site)
        lines += [f"\tinet{'6' if a.version == 6 else ''} {a} netmask" for a in plan.addresses]
        rules = []
        for port in site.ports:
            lines.append(f"{port.interface}: flags=8843<UP>")
            lines += [f"\tinet{'6' if i.version == 6 else ''} {i.ip} x" for i in port.addresses]
            if port.role.outside:
                rules += [
                    f'block drop out quick on {port.interface} from ! <own> label "{label}"'
                    for label in ("LEAK4", "LEAK6")
                ]
        self.answer("ifconfig", "\n".join(lines))
        self.answer("pfctl -s rules", "\n".join(rules))
        self.answer("pfctl -s info", "Status: Enabled for 0 days")
        relays = [a for r in plan.relays for a in (*r.listen, *r.source)]
        lans = [i.ip for p in site.ports if p.role.value == "lan" for i in p.addresses]
        self._jail("tor", ["127.0.0.2", *relays])
        self._jail("local_unbound", ["127.0.0.1", "127.0.0.53", "::1", *lans, *plan.resolver])

    def _jail(self, name: str, addresses: list[object]) -> None:
        told = [str(one) for one in dict.fromkeys(addresses)]
        v4, v6 = ([one for one in told if (":" in one) is v6] for v6 in (False, True))
        self.answer(f"jls -j svcj-{name} ip4.addr ip6.addr", f"{','.join(v4)} {','.join(v6)}")


def make(folder: Path, site: Site) -> Box:
    box = Box(folder)
    for name in ("bin", "fail", "answers", "up", "root/etc", "root/cfg", "root/var/run"):
        (folder / name).mkdir(parents=True)
    ids = f"{os.getuid()}", f"{os.getgid()}"
    users = "".join(f"{name}:*:{ids[0]}:{ids[1]}::/:/\n" for name in ("root", "unbound", "_tor"))
    (box.root / "etc/passwd").write_text(users)
    (box.root / "etc/group").write_text(
        "".join(f"{name}:*:{ids[1]}:\n" for name in ("wheel", "unbound", "_tor"))
    )
    script = box.root / SCRIPT
    script.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "overlays/firstboot/files" / SCRIPT, script)
    fake = folder / "bin" / "program"
    fake.write_text(_program(folder))
    fake.chmod(0o755)
    for name in PROGRAMS:
        (folder / "bin" / name).symlink_to("program")
    for place in (*(s.program for s in SERVICES), *(c.program for c in CHECKERS)):
        path = box.root / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.symlink_to(fake)
    box.answer("sysctl -n hw.ncpu", "8")
    box.answer("sysctl -n hw.physmem", str(16 << 30))
    box.is_like(site)
    return box


def _program(folder: Path) -> str:
    ready = "\n".join(
        f'{" " * 12}"{command}") exec test -e {folder}/up/{name} ;;'
        for command, name in READY.items()
    )
    return textwrap.dedent(f"""\
        #!/bin/sh
        name=${{0##*/}}
        called="$name $*"
        called=${{called% }}
        echo "$called" >>{folder}/calls
        for place in {folder}/fail/*; do
            start=$(echo "${{place##*/}}" | tr '!' /)
            case $called in
            "$start"*)
                [ ! -f "$place" ] || {{ sed '$d' "$place"; eval "$(tail -n 1 "$place")"; }} ;;
            esac
        done
        case $called in
{ready}
            "service "*" enabled") exit 0 ;;
            "service "*" start") : >{folder}/up/$1 ;;
            "service "*" stop") rm -f {folder}/up/$1 ;;
            "service "*" status") exec test -e {folder}/up/$1 ;;
        esac
        answer={folder}/answers/$(echo "$called" | tr / '!')
        [ ! -f "$answer" ] || cat "$answer"
        exit 0
        """)


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
