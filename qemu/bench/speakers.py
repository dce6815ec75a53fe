"""The box's BGP daemon, OpenBGPD or BIRD, as a measurement asks it."""

import json
import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from firstboot.core.values import Network
from qemu.world.net import Daemon, Party, need

APPLIED = "RDE soft reconfiguration done"
"""What bgpd logs when new filters have been applied to all routes."""


class Speaker(ABC):
    """A running BGP daemon of the box, with `text` as its configuration."""

    daemon: Daemon

    @abstractmethod
    def has(self, number: int) -> bool:
        """Return whether at least `number` routes of neighbours are there."""

    @abstractmethod
    def takes(self, prefix: Network) -> bool:
        """Return whether the policy takes a route for exactly `prefix`."""

    @abstractmethod
    def reload(self, text: str) -> None:
        """Have `text` as the configuration from now on."""

    @abstractmethod
    def reloaded(self) -> bool:
        """Return whether the daemon says that the last reload is done."""

    def stop(self) -> None:
        self.daemon.stop()


class OpenBgpd(Speaker):
    def __init__(self, party: Party, text: str) -> None:
        need("bgpd", "openbgpd")
        self._party = party
        self._config = _written(party, "bgpd.conf", text)
        _forgotten(party, "bgpd")
        party.run("mkdir", "-p", "/run/openbgpd")
        self.daemon = party.start("bgpd", "bgpd", "-d", "-v", "-f", self._config)

    def has(self, number: int) -> bool:
        found = self._show("neighbor").get("neighbors", [])
        each = (int(one["stats"]["prefixes"]["received"]) for one in found if "stats" in one)
        return sum(each) >= number

    def takes(self, prefix: Network) -> bool:
        return bool(self._show("rib", str(prefix)).get("rib"))

    def reload(self, text: str) -> None:
        self._before = self.daemon.said().count(APPLIED)
        self._config.write_text(text)
        self._party.run("bgpctl", "reload")

    def reloaded(self) -> bool:
        return self.daemon.said().count(APPLIED) > self._before

    def _show(self, *what: str) -> dict[str, Any]:
        said = self._party.run("bgpctl", "-j", "show", *what, check=False)
        return dict(json.loads(said)) if said else {}


class Bird(Speaker):
    def __init__(self, party: Party, text: str) -> None:
        need("bird", "bird2")
        self._party = party
        self._control = "/run/bird.box"
        self._config = _written(party, "bird.conf", text)
        _forgotten(party, "bird")
        self.daemon = party.start(
            *("bird", "bird", "-f", "-c", self._config),
            *("-s", self._control, "-P", f"{self._control}.pid"),
        )

    def has(self, number: int) -> bool:
        said = self._ask("show", "protocols", "all", '"transit*"')
        return sum(map(int, re.findall(r"Routes: +([0-9]+) imported", said))) >= number

    def takes(self, prefix: Network) -> bool:
        return f"{prefix} " in self._ask("show", "route", "for", str(prefix))

    def reload(self, text: str) -> None:
        self._config.write_text(text)
        self._ask("configure")

    def reloaded(self) -> bool:
        return "Daemon is up and running" in self._ask("show", "status")

    def _ask(self, *command: str) -> str:
        return self._party.run("birdc", "-s", self._control, *command, check=False)


def _written(party: Party, name: str, text: str) -> Path:
    config = party.world.folder / f"{party.name}.{name}"
    config.touch(mode=0o600)
    config.write_text(text)
    return config


def _forgotten(party: Party, daemon: str) -> None:
    """Remove the log of the last run."""
    (party.world.folder / f"{party.name}.{daemon}.log").unlink(missing_ok=True)
