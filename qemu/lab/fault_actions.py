"""What faults do to the appliance and to the simulated Internet, and how that is undone."""

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from firstboot.box.restarts import PLACE as RECORD
from firstboot.site.address_plan import Session
from firstboot.site.model import PeerRole, PortRole
from firstboot.site.verify.bgpd.policy import MOST
from qemu.lab.need import WEB
from qemu.lab.offer import families
from qemu.lab.session import Lab
from qemu.world.nameservers import Nameserver
from qemu.world.routes import thousands

Step = Callable[[Lab], None]

FLAPS = 5

UNBOUND = "/var/unbound/unbound.conf"

PF = "/boot/kernel/pf.ko"

FORGET = f"rm -f /var/run/exitisp/{RECORD}"
"""The box counts its restarts anew, so that those of an earlier fault are none of this one."""

NEWLINE = "\\n"

QUESTIONS = 3

CAMPAIGN, SPOOFED, CLOSED = 300, 50, 81
"""SYNs to each port, sources that they have in turn, and a port at which nobody listens."""


def root(*commands: str) -> Step:
    """Return the step that runs `commands` on the appliance as root until one fails. In them
    {resolver}, {relays} and {clock} stand for the system's command for each."""

    def step(lab: Lab) -> None:
        system = lab.appliance.system
        for command in commands:
            lab.appliance.said(
                command.format(resolver=system.resolver, relays=system.relays, clock=system.clock)
            )

    return step


def nothing(lab: Lab) -> None:
    """Do nothing: the fault ends by itself."""


def restart(*commands: str) -> Step:
    """Return the step that runs such commands and restarts the appliance."""

    def step(lab: Lab) -> None:
        root(*commands)(lab)
        lab.appliance.restart()

    return step


def recover(*commands: str) -> Step:
    """Return the step that runs such commands, restarts, and makes the daemons trust again."""

    def step(lab: Lab) -> None:
        restart(*commands)(lab)
        lab.appliance.teach(lab.internet.trust)

    return step


def lose_power(lab: Lab) -> None:
    lab.appliance.lose_power()
    lab.appliance.teach(lab.internet.trust)


def start_at(moment: Callable[[datetime], datetime]) -> Step:
    """Return the step that cuts the power, and switches on with the clock of the board at what
    `moment` makes of the time."""

    def step(lab: Lab) -> None:
        lab.appliance.lose_power(moment(datetime.now(UTC)))
        lab.appliance.teach(lab.internet.trust)

    return step


def flap(lab: Lab) -> None:
    """Have the first transit close its sessions and open them again, FLAPS times."""
    lab.internet.routers[first(lab, PeerRole.TRANSIT)].flap(FLAPS, 2)


def sign_wrongly(lab: Lab) -> None:
    """Have the first transit sign its TCP segments with a secret that was not agreed."""
    _sign(lab, first(lab, PeerRole.TRANSIT), "of-somebody-else")


def sign_rightly(lab: Lab) -> None:
    peer = first(lab, PeerRole.TRANSIT)
    _sign(lab, peer, next(one.md5 for one in lab.site.peers if one.name == peer))
    _clear(lab, peer)


def _sign(lab: Lab, peer: str, secret: str | None) -> None:
    for session in lab.internet.of_site(peer):
        lab.internet.routers[peer].change(session, password=secret)


def _clear(lab: Lab, peer: str) -> None:
    """Restart the appliance's sessions with this peer at once."""
    for session in lab.plan.sessions:
        if session.peer.name == peer:
            lab.appliance.said(f"{lab.appliance.system.bgp} neighbor {session.remote} clear")


def announce_too_many(lab: Lab) -> None:
    """Have the first peer announce more routes than it may."""
    name = first(lab, PeerRole.PEER)
    peer = next(one for one in lab.site.peers if one.name == name)
    version = min(families(lab.site, peer))
    count = (peer.max_prefix or MOST[PeerRole.PEER][version]) + 1
    v4, v6 = (count, 0) if version == 4 else (0, count)
    lab.internet.routers[name].announce(thousands(v4, v6))


def announce_enough(lab: Lab) -> None:
    peer = first(lab, PeerRole.PEER)
    lab.internet.routers[peer].announce([])
    _clear(lab, peer)


def unplug(lab: Lab) -> None:
    lab.unplug(exchange(lab))


def plug(lab: Lab) -> None:
    lab.plug(exchange(lab))


def take_out(lab: Lab) -> None:
    """Have the appliance lose the exchange's network cards, as if they were no longer in their
    slots."""
    for card in lab.port(exchange(lab)).cards:
        lab.appliance.said(f"devctl detach -f {card}")


def pull(lab: Lab) -> None:
    """Pull the cable of the first card of each bundle."""
    for card in _first_members(lab):
        lab.pull(card)


def push(lab: Lab) -> None:
    for card in _first_members(lab):
        lab.push(card)


def _first_members(lab: Lab) -> Iterable[str]:
    return dict.fromkeys(port.members[0] for port in lab.site.ports if len(port.members) > 1)


def mislead(lab: Lab) -> None:
    """Have a peer at an exchange send router advertisements, and redirects for the web server."""
    peer = _first(lab, lambda session: session.port.role is PortRole.EXCHANGE)
    web = lab.internet.topology.host("web")
    lab.internet.advertise(peer)
    for address in web.addresses:
        lab.internet.redirect(peer, address)


def blackhole_exits(lab: Lab) -> None:
    """Have the name servers drop what comes from the addresses of exit traffic."""
    for server in _servers(lab):
        server.blackhole(*lab.exits)


def hear_exits(lab: Lab) -> None:
    for server in _servers(lab):
        server.hear(*lab.exits)


def as_in_2018(lab: Lab) -> None:
    """Have the resolver use the addresses of the exchange's port, outside of its jail if there are
    jails, and the packet filter let out there what goes to port 53, and ask for a name.

    The root's name servers are reached by another port, whose rules are whole, so that nothing
    leaves all the same.
    """
    system, port = lab.appliance.system, lab.exchanges[0]
    lines = [
        f"  {what}: {face.ip}"
        for face in port.addresses
        for what in ("interface", "outgoing-interface")
    ]
    started = f"{system.unconfined} -c {UNBOUND}" if system.unconfined else "{resolver} start"
    number = 1 + [one for one in lab.site.ports if one.role.guarded].index(port)
    root(
        FORGET,
        f"sed -i.kept '/^  outgoing-interface:/d' {UNBOUND}",
        f"printf 'server:\\n{NEWLINE.join(lines)}\\n' >> {UNBOUND}",
        "{resolver} stop",
        started,
    )(lab)
    lab.appliance.said(system.open_filter.format(port=port.interface, number=number))
    for _ in range(QUESTIONS):
        lab.appliance.ran(f"drill -D @127.0.0.1 {lab.new_name()} A")


def as_now(lab: Lab) -> None:
    """Undo it: the box itself has loaded its filter anew."""
    root(
        f"pkill -f {UNBOUND}; mv {UNBOUND}.kept {UNBOUND}",
        "sleep 3; {resolver} start",
        "exitisp raise",
    )(lab)


def spoof(lab: Lab) -> None:
    """Have a host of the world open connections to the web server with own addresses that are not
    in use, so that SYN-ACKs and RSTs come to them."""
    web, used = lab.internet.topology.host("web"), {*lab.plan.addresses}
    for scope in lab.site.scopes:
        free = (one for one in scope.hosts() if one not in used)
        sources = list(itertools.islice(free, SPOOFED))
        to = web.v4() if scope.version == 4 else web.v6()
        for port in (WEB, CLOSED):
            lab.internet.spoof("client", CAMPAIGN, to, port, sources)


def set_clock(ahead: timedelta) -> Step:
    """Return the step that sets the appliance's clock ahead of this host's."""

    def step(lab: Lab) -> None:
        lab.appliance.said((datetime.now(UTC) + ahead).strftime(lab.appliance.system.date))

    return step


def in_turn(*steps: Step) -> Step:
    def step(lab: Lab) -> None:
        for one in steps:
            one(lab)

    return step


def first(lab: Lab, role: PeerRole) -> str:
    """Return the name of the first peer of this role with IPv4 and IPv6, or else of the first."""
    return _first(lab, lambda session: session.peer.role is role)


def _first(lab: Lab, which: Callable[[Session], bool]) -> str:
    """The name of the first peer that has such sessions in both families, or else in one."""
    found: dict[str, set[int]] = {}
    for session in lab.plan.sessions:
        if which(session):
            found.setdefault(session.peer.name, set()).add(session.remote.version)
    return max(found, key=lambda name: len(found[name]))


def exchange(lab: Lab) -> str:
    """Return the name of the first port to an exchange."""
    return lab.exchanges[0].name


def _servers(lab: Lab) -> tuple[Nameserver, ...]:
    servers = lab.internet.nameservers
    return servers.roots, servers.registry, servers.zones
