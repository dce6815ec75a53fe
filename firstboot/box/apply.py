"""Makes a site what the box runs: render, check, keep, switch to, and bring up.

Until the switch, nothing on the box changes. If a service does not come up after it, the others
still do, unless something could leak without it, as without the packet filter. Then it ends there,
with the transit and exchange ports down. `exitisp rollback` leads back to the earlier generation.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from firstboot.box.config_tests import judge
from firstboot.box.daemons import is_off
from firstboot.box.generations import Content, Generation
from firstboot.box.history import End, Step
from firstboot.box.install_files import changes, plant
from firstboot.box.login import login
from firstboot.box.machine import Machine, site_of
from firstboot.box.output import Say
from firstboot.box.ports import lower, raise_ports
from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.durable import keep, kept
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.core.values import Address
from firstboot.site.address_plan import Plan, allot
from firstboot.site.changed_parts import changed_parts
from firstboot.site.check import Examined, examine_text
from firstboot.site.model import Site
from firstboot.site.render import Rendered, notes, render
from firstboot.site.services import Service
from firstboot.site.verify.verify import verified
from firstboot.site.writer import compose

READY = 300.0
"""Seconds that a service may take to answer after its start."""

TAKE_ON = 3 * 3600.0
"""Seconds that a service may take to start or to take on its files. Relays that move are restarted
one after the other, each in less than a minute."""

PAUSE = 1.0
"""Seconds between two looks at a service that does not answer yet."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A generation that was switched to, and whether it takes a restart of the box to run it."""

    generation: Generation
    restart: bool


def apply_site(
    site: Document[Site], machine: Machine, say: Say, *, data: bytes | None = None
) -> Applied:
    """Make `site` what this box runs, now and after every boot.

    `data` is the site file that `site` was read from, and is kept as it is. Without it, one is
    written from `site`. Raises Refusal; if the site is the reason, nothing has changed.
    """
    with machine.alone():
        generation = prepare(site, machine, say, data=data)
        return take_on(generation, machine, say)


def prepare(
    site: Document[Site], machine: Machine, say: Say, *, data: bytes | None = None
) -> Generation:
    """Write a new generation of `site` that every check has passed, without switching to it.

    Raises Refusal.
    """
    content = accepted(site, machine, say, data=data)
    return machine.generations.write(content, machine.history.needed())


def accepted(
    site: Document[Site], machine: Machine, say: Say, *, data: bytes | None = None
) -> Content:
    """Render `site` and have every check judge it, without keeping anything. Raises Refusal."""
    check_devices(site, machine)
    box = machine.box()
    files = verified(site.value, box, render(site.value, box, overlays()), say)
    for note in notes(site.value, box):
        say(note)
    say(f"Rendered {len(files)} files. The daemons' own checks:")
    judge(site, files, machine, say)
    say("Every file was accepted.")
    text = data if data is not None else compose(site.value).encode()
    return Content(machine.identity(), text, tuple(files))


def check_devices(site: Document[Site], machine: Machine) -> None:
    """Raises Refusal for a port on a network card that this box does not have."""
    there = [nic.device for nic in machine.system.nics(machine)]
    for at, port in enumerate(site.value.ports):
        for card in (one for one in port.cards if one not in there):
            raise Refusal(
                site.where("ports", at, "members" if port.members else "device"),
                f"this box has no network card {document.quote(card)}; "
                + (f"it has {', '.join(there)}" if there else "it has none at all"),
                "Name the card that the cable is in",
            )


def take_on(generation: Generation, machine: Machine, say: Say, how: str = "apply") -> Applied:
    """Switch to `generation`, and have the services take on what it changes. `how` is the command,
    for the history. Raises Refusal; if a service did not come up that guards nothing, everything
    else is done."""
    old = machine.running()
    before = old.read() if old is not None and old.sound else None
    step = step_to(generation, before, machine, how)
    machine.history.begin(step, say)
    try:
        applied = _take_on(generation, before, machine, say)
    except Refusal:
        machine.history.end(step, End.FAILED)
        raise
    if not applied.restart:
        machine.history.end(step, End.APPLIED)
    return applied


def step_to(generation: Generation, before: Content | None, machine: Machine, how: str) -> Step:
    """The step of the history in which this login changes the box to `generation`."""
    content = generation.read()
    return Step(
        generation.number,
        hashlib.sha256(content.site).hexdigest(),
        int(time.time()),
        login(machine).who,
        how,
        changed_parts(site_in(before), site_in(content)) if before is not None else "",
    )


def _take_on(generation: Generation, before: Content | None, machine: Machine, say: Say) -> Applied:
    after = generation.read()
    mixed = unfinished(machine)
    machine.generations.switch(generation)
    say(f"Generation {generation.number} is kept and is what every boot runs from now on.")
    if before is None:
        _lay(machine, generation, (), after.files, mixed)
        failed = _bring_up_all(machine, say)
    elif needs_restart(before, after):
        plant(machine, *_laying(before.files, before.files, mixed))
        say(
            "Ports, scopes or static routes change, which takes a restart of the box: "
            "shutdown -r now"
        )
        say("Until then it runs as before.")
        return Applied(generation, restart=True)
    else:
        changed = changes(before.files, after.files) | mixed
        up = {service.name for service in machine.system.services if _is_up(machine, service)}
        _add_addresses(machine, before, after)
        _lay(machine, generation, before.files, after.files, mixed)
        failed = _bring_up_changed(machine, changed, up, say)
    _mark(machine).unlink(missing_ok=True)
    gate(machine, say)
    if failed:
        raise failed[0]
    return Applied(generation, restart=False)


def gate(machine: Machine, say: Say) -> None:
    """Raise the transit and exchange ports if the preflight passes.

    Raises Refusal if it does not; the ports are down then.
    """
    site = site_of_running(machine)
    raise_ports(site.value, machine, say)


def site_of_running(machine: Machine) -> Document[Site]:
    """The site that this box runs. Raises Refusal if the box is not configured."""
    running = machine.running()
    if running is None:
        raise unconfigured()
    return whole(examine_text(site_of(running), f"{running.folder}/site.yaml"))


def unconfigured() -> Refusal:
    return Refusal("this box", "it is not configured", "Answer the questions of exitisp setup")


def whole(examined: Examined) -> Document[Site]:
    """The site, whatever its findings are. Raises Refusal if it has not the form of one."""
    if examined.site is None:
        first = examined.findings[0]
        remedy = f"{first.remedy[:1].upper()}{first.remedy[1:]}"
        raise Refusal(f"{examined.name}:{first.line}", first.reason, remedy)
    return examined.site


def _lay(
    machine: Machine,
    generation: Generation,
    before: tuple[Rendered, ...],
    after: tuple[Rendered, ...],
    mixed: set[str],
) -> None:
    """Make `after` of the files `before`, of which those at the paths `mixed` may be any."""
    new, gone = _laying(before, after, mixed)
    machine.state.mkdir(parents=True, exist_ok=True)
    touched = sorted({*mixed, *gone, *(file.path for file in new)})
    keep(_mark(machine), "".join(f"{path}\n" for path in touched).encode() or b"\n")
    plant(machine, new, gone)
    keep(machine.state / "generation", f"{generation.number:04d}\n".encode(), 0o644)


def _laying(
    before: Iterable[Rendered], after: Iterable[Rendered], mixed: set[str]
) -> tuple[list[Rendered], set[str]]:
    """The files to write, and the paths of those to remove."""
    old, paths = set(before), {file.path for file in after}
    new = [file for file in after if file not in old or file.path in mixed]
    return new, ({file.path for file in old} | mixed) - paths


def unfinished(machine: Machine) -> set[str]:
    """The paths of files that a change has touched that was killed: each may be that of either
    generation, and services may not have taken it on. Raises Refusal."""
    return set((kept(_mark(machine)) or b"").decode().split())


def _mark(machine: Machine) -> Path:
    """Lists what a change touches, from before it does until the services have taken it on."""
    return machine.state / "unfinished"


def needs_restart(before: Content, after: Content) -> bool:
    """Whether ports, scopes or static routes change. Their routes and addresses cannot change while
    a box runs."""
    old, new = site_in(before), site_in(after)
    if old is None or new is None:
        return True
    was, will = ((site.addresses, site.ports, site.scopes) for site in (old, new))
    return was != will or _static_routes(allot(old)) != _static_routes(allot(new))


def _static_routes(plan: Plan) -> tuple[object, object]:
    """The default routes, and the neighbours with a route of their own."""
    return plan.gateways, {one.remote: one.first_hop for one in plan.far}


def site_in(content: Content) -> Site | None:
    """The site that `content` was rendered from, or None if this release cannot read it."""
    examined = examine_text(content.site, "site.yaml")
    return examined.site.value if examined.site else None


def _addresses(content: Content) -> dict[Address, str]:
    """The own addresses and their interfaces."""
    site = site_in(content)
    plan = allot(site) if site else None
    return {address: plan.home(address) for address in plan.addresses} if plan else {}


def _add_addresses(machine: Machine, before: Content, after: Content) -> None:
    """Give the box the addresses that are new in its plan.

    Addresses that the plan no longer has stay until the next boot: the portable OpenBGPD
    exits on FreeBSD when an IPv6 address is removed.
    """
    old = _addresses(before)
    for address, interface in _addresses(after).items():
        if address not in old:
            machine.run(*machine.system.alias(address, interface))


def _bring_up_all(machine: Machine, say: Say) -> list[Refusal]:
    """Start every service. Returns why some did not come up."""

    def bring_up(service: Service) -> None:
        if _runnable(machine, service, say):
            _start(machine, service, say)

    return _each(machine.system.services, bring_up, say)


def _bring_up_changed(machine: Machine, changed: set[str], up: set[str], say: Say) -> list[Refusal]:
    """Have every service take on its changed files, and start those that were not `up`. Returns why
    some did not.

    A service is stopped only if its files changed and the site no longer runs it.
    """

    def bring_up(service: Service) -> None:
        touched = service.rereads(changed) or service.restarts(changed)
        if not (touched or service.ready):
            return
        if not _runnable(machine, service, say):
            if touched and machine.has(service.program):
                machine.run(*service.stop)
        elif service.restarts(changed) or service.name not in up:
            _start(machine, service, say)
        elif touched:
            say(f"Changing as it runs: {service.label}.")
            if service.reload:
                _do(machine, service, service.reload)
            _await(machine, service)

    return _each(machine.system.services, bring_up, say)


def _each(
    services: Iterable[Service], bring_up: Callable[[Service], None], say: Say
) -> list[Refusal]:
    """Bring up one service after the other. Returns the refusals of those that guard nothing.
    Raises that of one that does."""
    failed = []
    for service in services:
        try:
            bring_up(service)
        except Refusal as refusal:
            if service.guards:
                raise
            say(f"Not up: {refusal}")
            failed.append(refusal)
    return failed


def _start(machine: Machine, service: Service, say: Say) -> None:
    """Start a service. If it runs, stop it first: the log runs before a box is configured."""
    say(f"Starting: {service.label}.")
    if service.ready and _is_up(machine, service):
        machine.run(*service.stop)
    _do(machine, service, service.start)
    _await(machine, service)


def _is_up(machine: Machine, service: Service) -> bool:
    return not service.ready or machine.run(*service.ready).status == 0


def _runnable(machine: Machine, service: Service, say: Say) -> bool:
    if not machine.has(service.program):
        say(f"Not installed: {service.label} ({service.program}).")
        return False
    return not is_off(service, machine)


def _do(machine: Machine, service: Service, command: tuple[str, ...]) -> None:
    ran = machine.run(*command, patience=TAKE_ON)
    if ran.status != 0:
        raise _down(machine, service, ran.text)


def _await(machine: Machine, service: Service) -> None:
    if not service.ready:
        return
    end = time.monotonic() + READY
    while (ran := machine.run(*service.ready)).status != 0:
        if time.monotonic() >= end:
            raise _down(machine, service, ran.text)
        time.sleep(PAUSE)


def _down(machine: Machine, service: Service, text: str) -> Refusal:
    """Return the refusal for a service that does not come up. Lowers the ports if something could
    leak without it."""
    ports = ""
    if service.guards:
        lower(machine)
        ports = "The transit and exchange ports stay down. "
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Refusal(
        f"service {service.name} ({service.label})",
        f"it does not come up: {' / '.join(lines[-3:]) or 'no answer'}",
        f"{ports}Look at exitisp status and /var/log/messages, then correct the site with exitisp "
        "reconfigure or go back with exitisp rollback",
    )
