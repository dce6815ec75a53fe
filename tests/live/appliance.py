"""The appliance's daemons on Linux, with the configuration that a site renders."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from firstboot.core.values import Address
from firstboot.site import model as sites
from firstboot.site import render
from firstboot.site.model import PortRole
from firstboot.site.render import Box
from qemu.world.net import Daemon, Party, environment, need
from tests.live.world import SITE_FILE, Surroundings

OVERLAYS = Path(__file__).parents[2] / "overlays"

OLDEST = (7, 7)
"""The first OpenBGPD that files are rendered for: Debian 12's."""


def _openbgpd() -> tuple[int, ...]:
    """The version of the bgpd in PATH; OLDEST without one."""
    try:
        told = subprocess.run(["bgpd", "-V"], env=environment(), capture_output=True, text=True)
    except OSError:
        return OLDEST
    found = re.search(r"OpenBGPD ([0-9]+)\.([0-9]+)", told.stdout + told.stderr)
    return (int(found[1]), int(found[2])) if found else OLDEST


BOX = Box(
    cores=2, memory_mib=2048, unbound=(1, 17), openbgpd=_openbgpd(), tor=(0, 4), carriers=False
)
"""A small machine with Debian 12's versions of the daemons, or a newer bgpd if there is one."""

UNBOUND = "var/unbound/unbound.conf"
BGPD = "etc/local/bgpd.conf"
PF = "etc/pf.conf"

RELOADED = "RDE soft reconfiguration done"
"""What bgpd logs when new filters have been applied to all routes."""


@cache
def rendered(site: Path = SITE_FILE) -> dict[str, str]:
    """Return every rendered file of the site by its path on the box."""
    return {file.path: file.text for file in render.render(sites.load(site).value, BOX, OVERLAYS)}


BLACKHOLED = "/var/db/exitisp/blackholed"


def for_linux(path: str, folder: Path, site: Path = SITE_FILE) -> str:
    """A rendered file with the changes, all of them here, that a Linux test machine needs; `folder`
    stands for the daemon's own.

    - Unbound has no user, no chroot and no syslog there; its folder is one of the test's, which
      has the keys of the test's root in place of IANA's, and the addresses of its servers;
    - bgpd's list of what rpki-client validated is the test's, and nobody is drained; the
      addresses that are given up are the test's as well.
    """
    text = rendered(site)[path]
    changes = {
        UNBOUND: [
            (r'username: "unbound"', 'username: ""'),
            (r'chroot: ".*"', 'chroot: ""'),
            (r"use-syslog: yes", "use-syslog: no"),
            (r'directory: ".*"', f'directory: "{folder}"\n  root-hints: "{folder}/root.hints"'),
            (r'"/var/unbound/root\.', f'"{folder}/root.'),
        ],
        BGPD: [
            (r'"/var/db/rpki-client/openbgpd"', f'"{folder}/roas"'),
            (r'"/var/db/exitisp/drained"', '"/dev/null"'),
        ],
    }
    if path == BGPD and BLACKHOLED in text:
        changes[BGPD].append((BLACKHOLED, f"{folder}/blackholed"))
    for pattern, replacement in changes[path]:
        text = changed(text, pattern, replacement)
    return text


def changed(text: str, pattern: str, replacement: str) -> str:
    """Return `text` with every match replaced. Raises AssertionError if nothing matches, because
    then the template has changed and the test would test something else."""
    result, count = re.subn(pattern, replacement, text)
    assert count, f"the rendered configuration has no {pattern}"
    return result


@dataclass(frozen=True)
class Answer:
    """An answer of the resolver."""

    rcode: str
    authentic: bool
    """Whether the resolver says that it validated the answer (AD, RFC 4035)."""

    data: tuple[str, ...]
    """What the records say of the kind that was asked for."""


class Unbound:
    """The resolver of `party`, with `text` as its configuration. `asker` asks it at `address`."""

    def __init__(self, party: Party, text: str, asker: Party, address: Address) -> None:
        need("unbound", "unbound")
        need("drill", "ldnsutils")
        self._config = party.world.folder / "unbound.conf"
        self._config.write_text(text)
        self._party, self._asker, self._address = party, asker, address
        self.daemon: Daemon = party.start("unbound", "unbound", "-d", "-p", "-c", self._config)
        self.daemon.wait("unbound", lambda: "start of service" in self.daemon.said())

    @classmethod
    def among(cls, surroundings: Surroundings, text: str) -> "Unbound":
        """The appliance's resolver, asked by a machine on the LAN."""
        (lan,) = (port for port in surroundings.site.ports if port.role is PortRole.LAN)
        return cls(surroundings.appliance, text, surroundings.rack, lan.addresses[0].ip)

    def ask(self, name: str, *options: str, kind: str = "A") -> Answer:
        """Ask for the records of `name` of a kind, IPv4 addresses if none is named, with these
        options of drill(1). Raises AssertionError if there is no answer at all."""
        said = self._asker.run(*self.question(name, *options, kind=kind), check=False)
        status = re.search(r"rcode: (\w+)", said)
        flags = re.search(r"flags: ([a-z ]*);", said)
        assert status, f"no answer for {name}: {said}"
        assert flags, said
        data = tuple(re.findall(rf"\bIN\t{kind}\t(\S+)", said))
        return Answer(status[1], "ad" in flags[1].split(), data)

    def question(self, name: str, *options: str, kind: str = "A") -> list[str]:
        """Return the command that asks for the records of `name`."""
        return ["drill", *options, "-D", f"@{self._address}", name, kind]

    def has_root_zone(self) -> bool:
        """Whether it has a copy of the root zone (RFC 8806)."""
        said = self._party.run("unbound-control", "-c", self._config, "list_auth_zones")
        return "serial" in said

    def listens(self) -> set[Address]:
        """Return the addresses at which the appliance answers on port 53."""
        lines = self._party.run("ss", "-Hlntu", "sport = :53").splitlines()
        return {ip_address(line.split()[4].rsplit(":", 1)[0].strip("[]")) for line in lines}


class Bgpd:
    """OpenBGPD, with `text` as its configuration."""

    def __init__(self, party: Party, text: str, folder: Path) -> None:
        need("bgpd", "openbgpd")
        self._config = folder / "bgpd.conf"
        self._config.touch(mode=0o600)
        self._config.write_text(text)
        self.party = party
        party.run("mkdir", "-p", "/run/openbgpd")
        self.daemon: Daemon = party.start("bgpd", "bgpd", "-d", "-v", "-f", self._config)

    def reload(self, *more: str) -> None:
        """Reload the configuration with more lines at the end, or without them."""
        before = self._config.read_text()
        self._config.write_text("\n".join([before, *more, ""]))
        try:
            self.party.run("bgpctl", "reload")
        finally:
            self._config.write_text(before)

    def received(self) -> int:
        """Return how many routes neighbours announce now, including refused ones."""
        return sum(one["stats"]["prefixes"]["received"] for one in self._neighbours())

    def sent(self) -> int:
        """Return how many routes are announced to neighbours now."""
        return sum(one["stats"]["prefixes"]["sent"] for one in self._neighbours())

    def idle(self) -> bool:
        """Whether every session has exchanged its first routes, and nothing waits to be sent."""
        updates = [one["stats"]["update"] for one in self._neighbours()]
        return all(one["sent"]["eor"] and not any(one["pending"].values()) for one in updates)

    def told(self) -> set[tuple[str, str]]:
        """Return prefix and path of every route as it was received."""
        return set(self._routes("in"))

    def accepted(self) -> set[tuple[str, str]]:
        """Return prefix and path of every route of others that passed the policy."""
        return {(prefix, path) for prefix, path in self._routes() if path}

    def routes(self, *which: str) -> list[dict[str, Any]]:
        """Return the routes that passed the policy, or `which` others, as bgpctl(8) has them."""
        return list(self._show("rib", *which).get("rib", []))

    def takes(self, text: str) -> bool:
        """Whether bgpd accepts `text` as a configuration."""
        self._config.write_text(text)
        return "configuration OK" in self.party.run(
            "sh", "-c", f"bgpd -nf {self._config} 2>&1", check=False
        )

    def use(self, text: str) -> None:
        """Reload with `text` as the configuration, and wait until it is in force."""
        before = self.daemon.said().count(RELOADED)
        self._config.write_text(text)
        self.party.run("bgpctl", "reload")
        self.daemon.wait("a reload", lambda: self.daemon.said().count(RELOADED) > before)

    def clear(self, neighbour: Address) -> None:
        """Restart the session."""
        self.party.run("bgpctl", "neighbor", str(neighbour), "clear")

    def _neighbours(self) -> list[dict[str, Any]]:
        found = self._show("neighbor").get("neighbors", [])
        return [one for one in found if "stats" in one]

    def _routes(self, *which: str) -> Iterator[tuple[str, str]]:
        for route in self._show("rib", *which).get("rib", []):
            yield route["prefix"], route["aspath"]

    def _show(self, *what: str) -> dict[str, Any]:
        said = self.party.run("bgpctl", "-j", "show", *what, check=False)
        return dict(json.loads(said)) if said else {}
