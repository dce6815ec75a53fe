"""A stand-in for the appliance: its daemons on this host, connected as the machine would be."""

import sys
from ipaddress import ip_address
from pathlib import Path

from firstboot.site import model as sites
from firstboot.site.address_plan import allot
from firstboot.site.model import PeerRole
from qemu.world.internet import Internet
from qemu.world.recording import Cable
from tests.live.appliance import BGPD, UNBOUND, Bgpd, Unbound, changed, for_linux
from tests.live.standin import hush

SITE_FILE = Path(__file__).parents[3] / "examples" / "two-transits-and-an-exchange.yaml"
SITE = sites.load(SITE_FILE).value
PLAN = allot(SITE)


FETCH = """\
import http.client, sys
server, source = sys.argv[1:]
connection = http.client.HTTPConnection(server, 80, timeout=2, source_address=(source, 0))
connection.request("GET", "/")
print(connection.getresponse().read().decode())
"""


class Box:
    """The ports with the addresses of the site, raised. OpenBGPD does not write Linux's routing
    table, so routes are static: all go to the first transit, except for networks that are nearer
    elsewhere."""

    def __init__(self, internet: Internet) -> None:
        self.internet = internet
        site = internet.site
        plan = allot(site)
        world = internet.world
        called = internet.topology.party
        self.party = world.party(called("appliance"), forwarding=site.forwards)
        hush(self.party)
        ends = world.party(called("appliance-cables"), silent=True)
        self.party.port("lo").up(*(f"{one}/{one.max_prefixlen}" for one in plan.on_loopback))
        self.cables = {}
        for number, port in enumerate(site.ports):
            end, far = ends.port(f"port{number}"), self.party.port(port.device)
            world.wire(end, far)
            plug = internet.plugs[port.device]
            name = called(f"box-{port.name}")
            self.cables[port.name] = Cable(name, end, far, plug, port.vlan)
            aliases = [alias.address for alias in plan.aliases if alias.port is port]
            far.up(*port.addresses, *(f"{one}/{one.max_prefixlen}" for one in aliases))
        for gateway in plan.gateways:
            self.route("default", str(gateway.address), gateway.port.device)
        for session in plan.far:
            self.route(str(session.remote), str(session.first_hop))
        transits = [s for s in plan.sessions if s.peer.role is PeerRole.TRANSIT]
        for session in transits:
            if session.peer is transits[0].peer:
                self.route("default", str(session.first_hop))

    def route(self, to: str, via: str, device: str = "") -> None:
        there = ["dev", device] if device else []
        self.party.run("ip", "route", "replace", to, "via", via, *there)

    def fetches(self, server: str, source: str = str(PLAN.router.v4)) -> bool:
        """Whether it gets a page over HTTP from there, with this address of its own as the
        source."""
        return "far away" in self.party.run(
            sys.executable, "-c", FETCH, server, source, check=False
        )

    def unbound(self) -> Unbound:
        """Start the resolver with the simulated root's key and its built-in root servers'
        addresses. The box itself asks it."""
        folder = self.internet.world.folder
        (folder / "root.key").write_text(self.internet.trust.anchor)
        text = changed(for_linux(UNBOUND, folder, SITE_FILE), "  root-hints: .*\n", "")
        return Unbound(self.party, text, self.party, ip_address("127.0.0.1"))

    def bgpd(self, roas: str = "") -> Bgpd:
        folder = self.internet.world.folder
        (folder / "roas").write_text(roas)
        return Bgpd(self.party, for_linux(BGPD, folder, SITE_FILE), folder)
