"""What a daemon understands of a changed file is what it did before, or the change is a flaw.

Changes are drawn: blanks, quotes, comments, cases, continued lines, options twice, on one line or
elsewhere. The daemon prints all that it understood, so its own reader is the judge of the proof's.
"""

import os
import random
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from firstboot.box import blackhole
from firstboot.site.model import Site
from firstboot.site.render import Box, Rendered, render
from firstboot.site.verify.context import Context
from firstboot.site.verify.verify import judge
from tests.firstboot.site.daemons.conftest import find, version
from tests.firstboot.site.verify.test_verify import BOX, LARGEST, ROOT, rendered

CHANGES = 1500 if "EXITISP_FULL" in os.environ else 60
"""Changes of each file."""

UNBOUND_OPTIONS = (
    "interface", "interface-automatic", "outgoing-interface", "access-control", "chroot",
    "username", "verbosity", "log-queries", "log-replies", "do-not-query-address",
    "private-address", "domain-insecure", "auto-trust-anchor-file", "module-config",
    "control-enable", "control-interface", "ratelimit", "do-ip4", "port", "use-syslog",
)  # fmt: skip
"""unbound-checkconf tells one option at a time: those by which something would leak."""

ADDED: Mapping[str, tuple[str, ...]] = {
    "tor": ("SocksPort 9050", "SafeLogging 0", "ORPort 9001", "User root", "%include /dev/null"),
    "unbound": ("interface: 0.0.0.0", "log-queries: yes", "verbosity: 5", "chroot: \"\""),
    "bgpd": ("allow quick to any", "allow quick from ebgp", "fib-update no", "AS 64500", "AS 1"),
}  # fmt: skip


@dataclass(frozen=True)
class Daemon:
    """A daemon and a rendered file of it. `understood` is what it prints of a text, None if it
    refuses it."""

    site: Site
    file: Rendered
    box: Box
    understood: Callable[[str], str | None]

    def notices(self, text: str) -> bool:
        context = Context.of(self.site, self.box)
        return any(True for _ in judge(replace(self.file, text=text), context))


def _told(*command: str) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, errors="replace")
    return done.stdout if done.returncode == 0 else None


def _file(path: str, **versions: tuple[int, ...]) -> tuple[Site, Rendered, Box]:
    site, _ = rendered(LARGEST)
    box = replace(BOX, **versions)  # type: ignore[arg-type]
    (file,) = (one for one in render(site, box, ROOT / "overlays") if one.path == path)
    return site, file, box


@pytest.fixture
def tor(tmp_path: Path) -> Daemon:
    program = find("tor", "tor")
    site, file, box = _file("etc/local/tor/torrc@relay1", tor=version(program, "--version"))
    (tmp_path / "exit-notice.html").write_text("<p>A page.\n")

    def understood(text: str) -> str | None:
        # Its folders are not there, and neither is its user.
        for place in ("/data/tor", "/usr/local/etc/tor"):
            text = text.replace(place, str(tmp_path))
        path = tmp_path / "torrc"
        path.write_text(re.sub(r"(?mi)^\s*user\s+_tor\s*(#.*)?$", "", text))
        return _told(program, "--dump-config", "full", "--hush", "-f", str(path))

    return Daemon(site, file, box, understood)


@pytest.fixture
def bgpd(tmp_path: Path) -> Daemon:
    program = find("bgpd", "openbgpd")
    site, file, box = _file("etc/local/bgpd.conf", openbgpd=(7, 7))

    def understood(text: str) -> str | None:
        for place in ("rpki-client/openbgpd", "exitisp/drained"):
            text = text.replace(f"/var/db/{place}", "/dev/null")
        nothing = ROOT / "overlays/bgp/files" / blackhole.SET
        text = text.replace(f"/{blackhole.SET}", str(nothing))
        path = tmp_path / "bgpd.conf"
        path.write_text(text)
        path.chmod(0o600)
        return _told(program, "-n", "-v", "-v", "-f", str(path))

    return Daemon(site, file, box, understood)


@pytest.fixture
def unbound(tmp_path: Path) -> Daemon:
    program = find("unbound-checkconf", "unbound")
    site, file, box = _file("var/unbound/unbound.conf", unbound=version(program, "-h"))
    (key,) = (one for one in rendered(LARGEST)[1] if one.path == "var/unbound/root.key")
    (tmp_path / "root.key").write_text(key.text)

    def understood(text: str) -> str | None:
        path = tmp_path / "unbound.conf"
        path.write_text(text.replace("/var/unbound", str(tmp_path)))
        told = []
        for option in UNBOUND_OPTIONS:
            one = _told(program, "-o", option, str(path))
            if one is None:
                return None
            told.append(one)
        return "\n".join(told)

    return Daemon(site, file, box, understood)


def changed(text: str, draw: random.Random, name: str) -> str:
    """`text` with one to three changes that a reader may take for nothing, or for something."""
    added = ADDED[name]
    for _ in range(draw.randint(1, 3)):
        lines = text.split("\n")
        at = draw.choice([at for at, line in enumerate(lines) if line.strip()])
        line = lines[at]
        space = draw.choice((" ", "  ", "\t", "\n", "\\\n", "\f", "\v", "\r", "\xa0", ""))
        word = draw.choice(line.split())
        more = draw.choice(added)
        quote = draw.choice("\"'")
        lines[at] = draw.choice((
            line.replace(" ", space, draw.randint(1, 2)),
            line.replace(word, f"{quote}{word}{quote}", 1),
            line.replace(word, word.upper() if draw.random() < 0.5 else word.lower(), 1),
            # The proof takes any number in some ranges.
            line.replace(word, word[::-1] if word.isalpha() else "0", 1),
            line.replace(word, f"{word}{draw.choice('#;,=:/+!')}", 1),
            f"{line}{space}{more}",
            f"{line} #{space}{more}",
            f"{line} \\\n{more}",
            f"# {line}{draw.choice(('', chr(92)))}\n{more}",
            f"{more}\n{line}",
            f"{draw.choice('+/#;%')}{line}",
            f"{quote}{line}{quote}",
            # A filter twice, or before one that decides in its place, does nothing to bgpd.
            line if name == "bgpd" else f"{draw.choice(lines)}\n{line}",
            "",
        ))  # fmt: skip
        text = "\n".join(lines)
    return text


@pytest.mark.parametrize("name", ["tor", "bgpd", "unbound"])
def test_what_a_daemon_understands_otherwise_is_a_flaw(
    name: str, request: pytest.FixtureRequest
) -> None:
    daemon: Daemon = request.getfixturevalue(name)
    before = daemon.understood(daemon.file.text)
    assert before
    assert not daemon.notices(daemon.file.text)
    draw = random.Random(name)
    otherwise, unnoticed = 0, []
    for _ in range(CHANGES):
        text = changed(daemon.file.text, draw, name)
        after = daemon.understood(text)
        otherwise += after != before
        if after != before and not daemon.notices(text):
            unnoticed.append((after is None, text))
    assert otherwise > CHANGES / 4
    assert not unnoticed, (
        f"{len(unnoticed)} of {CHANGES}, the first: {_shown(daemon, unnoticed[0])}"
    )


def _shown(daemon: Daemon, found: tuple[bool, str]) -> str:
    refused, text = found
    before = set(daemon.file.text.split("\n"))
    lines = [line for line in text.split("\n") if line not in before]
    gone = [line for line in before if line not in text.split("\n")]
    return f"{'refused' if refused else 'understood'}: {lines} in place of {gone}"
