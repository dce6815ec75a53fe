"""A Linux machine in place of a box, to try a measurement without hardware: it forwards packets
without rules, answers names with Unbound, and takes every route with BIRD."""

from qemu.bench.bench_setup import Setup
from qemu.world.net import Party, Port, World, need

UNBOUND = """\
server:
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  interface: {address}
  access-control: 0.0.0.0/0 allow
remote-control:
  control-enable: no
"""

BIRD = """\
log stderr all;
router id {address};
protocol device {{}}
protocol bgp generator {{
  local {address} as {own};
  neighbor {other} as {asn};
  {password}
  {gtsm}
  ipv4 {{ import all; export none; }};
}}
"""


def stand_in(world: World, setup: Setup) -> dict[str, Port]:
    """Start the stand-in, and return the ends of the wires to it by the names of the setup."""
    box = world.party("box", forwarding=True)
    ports = {}
    for name, link in (("lan", setup.lan), ("transit", setup.transit)):
        if link is not None:
            ports[name] = world.party(name, silent=True).port("eth0")
            here = box.port(name)
            world.wire(here, ports[name])
            here.up(f"{link.box}/{link.address.network.prefixlen}")
    serve(box, setup)
    return ports


def serve(box: Party, setup: Setup) -> None:
    """Start the stand-in's daemons in `box`."""
    folder = box.world.folder
    if setup.resolver is not None:
        need("unbound", "unbound")
        if all(setup.resolver != link.box for link in setup.links):
            box.port("lo").up(f"{setup.resolver}/32")
        config = folder / "unbound.conf"
        config.write_text(UNBOUND.format(folder=folder, address=setup.resolver))
        daemon = box.start("unbound", "unbound", "-d", "-p", "-c", config)
        daemon.wait("unbound", lambda: "start of service" in daemon.said())
    if setup.bgp is not None and setup.transit is not None:
        need("bird", "bird2")
        config = folder / "box.conf"
        config.write_text(
            BIRD.format(
                address=setup.transit.box,
                own=setup.bgp.box_asn,
                other=setup.transit.address.ip,
                asn=setup.bgp.asn,
                gtsm="ttl security on;" if setup.bgp.gtsm else "",
                password=f'password "{setup.bgp.md5}";' if setup.bgp.md5 else "",
            )
        )
        control = ("-s", "/run/box.bird", "-P", "/run/box.pid")
        box.start("bird", "bird", "-f", "-c", config, *control)
