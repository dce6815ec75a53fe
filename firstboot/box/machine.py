"""The box that this program runs on: its system, its size, its generations, its lock."""

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from firstboot.box.generations import NAME, Generation, Generations
from firstboot.box.history import History
from firstboot.box.host import Host
from firstboot.box.system import System
from firstboot.box.verdict import Verdict
from firstboot.core.durable import kept
from firstboot.core.refusal import Refusal

if TYPE_CHECKING:
    from firstboot.site.model import Site
    from firstboot.site.render import Box, Rendered, Version

STORAGE = ("cfg", "data")
"""File systems that a box keeps its state on."""

MEANWHILE = 150.0
"""Seconds that a change of the box waits for what the box does by itself: see tend. Where there are
two boxes, ports that go up may wait for the other one, see rc.d/exitisp_ports."""

PAUSE = 0.2
"""Seconds between two attempts to take the lock."""

UNBOUND = "/usr/local/sbin/unbound"
"""The package's, which the resolver's script starts in place of the base's."""


@dataclass(frozen=True, slots=True)
class Machine(Host):
    """A box with its system, its configuration on /cfg and its state in memory."""

    system: System = field(kw_only=True)

    @property
    def cfg(self) -> Path:
        return self.root / "cfg"

    @property
    def state(self) -> Path:
        """The folder of what a restart of the box forgets."""
        return self.root / "var/run/exitisp"

    def verdicts(self, site: "Site", files: "Iterable[Rendered]") -> tuple[Verdict, ...]:
        """The conditions under which the transit and exchange ports may go up, and whether they
        hold on this box, which runs `site` by its rendered `files`."""
        return self.system.verdicts(site, files, self, self.system.services)

    @property
    def generations(self) -> Generations:
        return Generations(self.cfg)

    @property
    def history(self) -> History:
        return History(self.cfg)

    @property
    def cores(self) -> int:
        return os.cpu_count() or 1

    @property
    def memory_mib(self) -> int:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20

    def box(self) -> "Box":
        """The facts that templates depend on. A program that is not installed counts as the version
        that the templates are written for."""
        from firstboot.site.commands import BOX
        from firstboot.site.profiles import parse_devices
        from firstboot.site.render import Box

        versions = {"unbound": BOX.unbound, "openbgpd": BOX.openbgpd, "tor": BOX.tor}
        versions |= {
            name: version for name, version in self._packages().items() if name in versions
        }
        packaged = self.has(UNBOUND)
        program = str(self.root / UNBOUND.lstrip("/")) if packaged else "local-unbound"
        told = self.run(program, "-V").text
        if said := re.search(r"^Version ([0-9.]+)", told, re.MULTILINE):
            versions["unbound"] = _version(said[1])
        return Box(
            self.cores,
            self.memory_mib,
            unbound=versions["unbound"],
            openbgpd=versions["openbgpd"],
            tor=versions["tor"],
            devices=parse_devices(self.run("sysctl", "dev").text),
            packaged_unbound=packaged,
            libevent=re.search(r"^Linked libs: libevent ", told, re.MULTILINE) is not None,
            carriers=self.system.carriers,
        )

    def _packages(self) -> "dict[str, Version]":
        """Versions of the packages in the image, as the build recorded them."""
        try:
            told = json.loads((self.root / "usr/local/share/exitisp/packages.json").read_text())
            return {
                re.sub("^openbgpd[0-9]+$", "openbgpd", name): _version(version)
                for name, version in told["packages"].items()
            }
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            return {}

    def identity(self) -> str:
        """The identity of this image on this machine, which libexec/exitisp/site computes."""
        script = self.root / "usr/local/libexec/exitisp/site"
        command = ["/bin/sh", str(script), *self._beside(), "identity"]
        said = self.run(*command)
        return said.text.strip() if said.status == 0 else "unknown"

    def _beside(self) -> list[str]:
        return [] if self.root == Path("/") else ["-r", str(self.root)]

    def running(self) -> Generation | None:
        """The generation that was written to memory, or None if the box is not configured. What
        /cfg has of it may be damaged or gone.

        Raises Refusal if what says which one it is cannot be read.
        """
        place = self.state / "generation"
        said = kept(place)
        if said is None:
            return None
        name = said.decode("ascii", "replace").strip()
        if not NAME.fullmatch(name):
            raise Refusal(place, "it names no generation", "Restart the box, which writes it anew")
        return Generation(int(name), self.generations.folder / name)

    def owner(self, user: str, group: str) -> tuple[int, int]:
        """The numbers of a user and a group of the box. Raises Refusal."""
        return self._id("etc/passwd", "user", user), self._id("etc/group", "group", group)

    def _id(self, file: str, what: str, name: str) -> int:
        with (self.root / file).open(errors="replace") as lines:
            for line in lines:
                fields = line.split(":")
                if fields[0] == name and len(fields) > 2 and fields[2].isdecimal():
                    return int(fields[2])
        raise Refusal(
            f"/{file}",
            f"there is no {what} {name}",
            "Use an image that has the package it belongs to",
        )

    @contextlib.contextmanager
    def alone(self, patience: float | None = None) -> Iterator[None]:
        """Hold the lock under which the box is changed.

        Waits up to `patience` seconds for the process that holds it, or MEANWHILE. Raises Refusal
        after that.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(descriptor, MEANWHILE if patience is None else patience)
            yield
        finally:
            os.close(descriptor)


def _lock(descriptor: int, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise Refusal(
                    "the configuration",
                    "another exitisp is changing it",
                    "Wait until it is done, and look at the other consoles",
                ) from None
            time.sleep(PAUSE)


def ensure_storage(machine: Machine) -> None:
    """Raises Refusal if nobody knows whether the box is configured, or answers would be lost."""
    for name in STORAGE:
        if not machine.mounted(name):
            raise Refusal(
                f"/{name}",
                "this file system is not mounted, and what the box keeps is on it",
                "Restart the box; if that does not help, the disk is damaged: flash another one, "
                "and restore a backup",
            )


def site_of(generation: Generation) -> bytes:
    """The site file of `generation`. Raises DamagedGeneration."""
    return generation.read().site


def _version(text: str) -> "Version":
    """The leading numbers of a version: (0, 4, 9, 11) of 0.4.9.11_1. Raises ValueError."""
    match = re.match(r"[0-9]{1,6}(\.[0-9]{1,6})*", text)
    if match is None:
        raise ValueError(text)
    return tuple(map(int, match[0].split(".")))
