"""A stand-in for a box of a pair: the rehearsal's files for its site, loaded into a party of the
simulated Internet on this host, with OpenBGPD and the program that makes its routes the
kernel's."""

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

from firstboot.box import drain
from firstboot.site.address_plan import allot
from firstboot.site.render import render
from image.rehearsal.build import FOLDER, program
from qemu.console import Output
from qemu.lab.appliance import Appliance
from qemu.lab.progress import Progress
from qemu.lab.session import Lab
from qemu.lab.systems import REHEARSAL, System
from qemu.world.internet import Internet
from qemu.world.net import need
from qemu.world.recording import Cable
from tests.live.appliance import BGPD, BOX, changed
from tests.qemu.lab.native import Native

ROUTES = FOLDER / "files/usr/local/libexec/exitisp/routes"


class RehearsedBox:
    """`place` is an empty folder of its own. Raises Unable without nftables or OpenBGPD."""

    def __init__(self, internet: Internet, place: Path) -> None:
        need("nft", "nftables")
        need("bgpd", "openbgpd")
        self.internet, self.place = internet, place
        self.site, world, called = internet.site, internet.world, internet.topology.party
        self.party = world.party(called("appliance"))
        self.cables: dict[str, Cable] = {}
        ends = world.party(called("appliance-cables"), silent=True)
        for number, port in enumerate(self.site.ports):
            end, far = ends.port(f"port{number}"), self.party.port(port.device)
            world.wire(end, far)
            name, plug = called(f"box-{port.name}"), internet.plugs[port.device]
            self.cables[port.name] = Cable(name, end, far, plug, port.vlan)
        program().write(place)
        self._texts = {one.path: one.text for one in render(self.site, BOX, place / "overlays")}
        self._network()
        self.socket = f"/run/openbgpd/{self.party.name}.sock"
        self._bgp()

    def _network(self) -> None:
        settings = re.findall(
            r"^([a-z0-9._]+)=(\d+)$", self._texts["etc/rehearsal/sysctl.conf"], re.MULTILINE
        )
        lines = [f"echo {value} >/proc/sys/{name.replace('.', '/')}" for name, value in settings]
        lines += [
            # Not every kernel has dummies.
            self._texts["etc/rehearsal/network"].replace("type dummy", "type bridge"),
            *(f'echo "${part}" | ip -batch -' for part in ("links", "inside", "outside")),
            f"nft -f - <<'END'\n{self._texts['etc/rehearsal/nftables.conf']}END",
            'for port in $outside_ports; do ip link set "$port" up; done',
        ]
        self.party.run("sh", "-ec", "\n".join(lines))

    def _bgp(self) -> None:
        (self.place / "roas").write_text(self.internet.trust.roas)
        text = changed(self._texts[BGPD], r'"/var/db/rpki-client/openbgpd"', f'"{self.place}/roas"')
        text = changed(text, r'"/var/db/exitisp/drained"', f'"{self.place}/drained"')
        (self.place / "drained").write_text("")
        config = self.place / "bgpd.conf"
        config.touch(mode=0o600)
        config.write_text(f'socket "{self.socket}"\n{text}')
        self.party.run("mkdir", "-p", "/run/openbgpd")
        self.bgpd = self.party.start("bgpd", "bgpd", "-d", "-v", "-f", config)
        script = changed(
            ROUTES.read_text(),
            r"\. /etc/rehearsal/network",
            self._texts["etc/rehearsal/network"].replace("\\", "\\\\"),
        )
        script = changed(script, r"\bbgpctl ", f"bgpctl -s {self.socket} ")
        script = changed(script, "/tmp/routes", f"{self.place}/routes")
        (self.place / "routes.sh").write_text(script)
        self.party.start("routes", "sh", self.place / "routes.sh")

    def drained(self, names: set[str]) -> None:
        """Drain these peers and no others, as `exitisp drain` does."""
        sessions = [one for one in allot(self.site).sessions if one.peer.name in names]
        (self.place / "drained").write_text(drain.rules(sessions))
        self.party.run("bgpctl", "-s", self.socket, "reload")


class Rehearsed(Native):
    """The shell of the stand-in, and its cables."""

    def __init__(self, box: RehearsedBox, system: System) -> None:
        super().__init__(box.party, system)
        self.box = box
        self._drained: set[str] = set()

    @property
    def machine(self) -> "Rehearsed":
        return self

    def unplug(self, nic: int) -> None:
        self.box.cables[self.box.site.ports[nic].name].unplug()

    def plug(self, nic: int) -> None:
        self.box.cables[self.box.site.ports[nic].name].plug()

    def ran(self, command: str, timeout: float = 0) -> Output:
        match command.split():
            case ["exitisp", "drain", name]:
                self._drained.add(name)
                self.box.drained(self._drained)
                return Output("", 0)
            case ["exitisp", "undrain", name]:
                self._drained.discard(name)
                self.box.drained(self._drained)
                return Output("", 0)
        return super().ran(command)


def lab_of(box: RehearsedBox, progress: Progress) -> Lab:
    system = replace(REHEARSAL, bgp=f"bgpctl -s {box.socket}")
    appliance = cast(Appliance, Rehearsed(box, system))
    name = box.internet.topology.name
    return Lab(box.internet, appliance, box.site, progress, name=name)
