"""The resolver: the rendered configuration against the base's own (local-unbound-setup(8)).

A machine on the LAN asks with dnsperf(1). The base's own configuration serves the box alone and
asks from any address. So it gets two additions: it listens on the LAN, and it asks from the
resolver's address, since pf would drop its questions otherwise.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from firstboot.box.tend import UNTENDED
from firstboot.site.model import PortRole
from qemu.bench.contest import PLACE, Contest
from qemu.bench.dnsperf import Run
from qemu.bench.figures import Measure, Side
from qemu.lab.session import Lab
from qemu.world.net import Failed, Party

WARM, COLD = 200, 300
"""How many names are in the cache, and how many are not."""

SECONDS = 10
OUTSTANDING = 20
"""How many questions wait for an answer at a time."""

HOME = "/var/unbound"
SETUP = f"""\
cp {HOME}/unbound.conf {HOME}/tuned.conf
mkdir -p {HOME}/stock.d
local-unbound-setup -n -u unbound -s local_unbound -c {HOME}/stock.conf -C {HOME}/stock.d \
-f {HOME}/forward-stock.conf -o {HOME}/control-stock.conf -r {PLACE}/resolv.conf \
-R {PLACE}/resolvconf.conf none
"""
REACHABLE = """\
server:
  interface: 127.0.0.1
  interface: {listens}
  access-control: {asked_by} allow
  outgoing-interface: {asks}
"""

RATE = Measure("resolver, from its cache", "questions a second")
LATE = Measure("resolver, from its cache: 99 % within", "ms", more=False)
COLD_RATE = Measure("resolver, from name servers", "questions a second")
COLD_LATE = Measure("resolver, from name servers: 99 % within", "ms", more=False)


def resolver(lab: Lab) -> Contest:
    (lan,) = (port for port in lab.site.ports if port.role is PortRole.LAN)
    interface = next(one for one in lan.addresses if isinstance(one.ip, IPv4Address))
    asker = lab.internet.parties[f"inside-{lan.name}"]
    names = [lab.new_name() for _ in range(WARM)]
    box = lab.appliance
    # Or the box starts its resolver again as soon as it is stopped.
    box.said(f"touch /var/run/exitisp/{UNTENDED}")
    box.said(SETUP)
    box.put(
        f"{HOME}/stock.d/reachable.conf",
        REACHABLE.format(
            listens=interface.ip, asked_by=interface.network, asks=lab.plan.resolver.v4
        ),
    )

    def take(side: Side) -> None:
        box.said(f"{box.system.resolver} stop")
        box.said(f"cp {HOME}/{side.value}.conf {HOME}/unbound.conf")
        box.said(f"{box.system.resolver} start")

    def look() -> Mapping[Measure, float]:
        server = str(interface.ip)
        cold = ask(asker, server, (lab.new_name() for _ in range(COLD)), "-n", "1")
        ask(asker, server, names, "-n", "3")
        warm = ask(asker, server, names, "-l", str(SECONDS))
        return {
            RATE: warm[0],
            LATE: warm[1],
            COLD_RATE: cold[0],
            COLD_LATE: cold[1],
        }

    return Contest("resolver", take, look)


def ask(asker: Party, server: str, names: Iterable[str], *how: str) -> tuple[float, float]:
    """Ask for `names` with dnsperf. Return the answers per second, and the milliseconds within
    which 99 % of them came. Raises Failed if no answer came."""
    questions = asker.world.folder / "questions"
    questions.write_text("".join(f"{name} A\n" for name in names))
    return read(
        asker.run("dnsperf", "-v", "-s", server, "-q", str(OUTSTANDING), "-d", questions, *how)
    )


def read(said: str) -> tuple[float, float]:
    """The answers per second and the milliseconds, by the output of dnsperf -v. Raises Failed if
    there is no answer."""
    run = Run.read(said)
    if not run.answered:
        raise Failed(f"dnsperf had no answer: {said[-300:]}")
    return run.rate, run.late
