"""Makes a site what the box runs: render, check, keep, switch to, and bring up.

Until the switch, nothing on the box changes. If a service does not come up after it, the transit
and exchange ports go down, and `exitisp rollback` leads back to the earlier generation.
"""

import time
from dataclasses import dataclass

from firstboot.box.config_tests import judge
from firstboot.box.generations import Content, Generation
from firstboot.box.install_files import changes, plant
from firstboot.box.machine import Machine, site_of
from firstboot.box.output import Say
from firstboot.box.ports import lower, raise_ports
from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.durable import keep
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.core.values import Address
from firstboot.site.address_plan import allot
from firstboot.site.check import Examined, examine_text
from firstboot.site.model import Site
from firstboot.site.render import Rendered, render
from firstboot.site.services import Service
from firstboot.site.verify.verify import verified
from firstboot.site.writer import compose

READY = 300.0
"""Seconds that a service may take to answer after its start."""

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
    check_devices(site, machine)
    box = machine.box()
    files = verified(site.value, box, render(site.value, box, overlays()), say)
    say(f"Rendered {len(files)} files. The daemons' own checks:")
    judge(site, files, machine, say)
    say("Every file was accepted.")
    text = data if data is not None else compose(site.value).encode()
    return machine.generations.write(Content(machine.identity(), text, tuple(files)))


def check_devices(site: Document[Site], machine: Machine) -> None:
    """Raises Refusal for a port on a network card that this box does not have."""
    there = [nic.device for nic in machine.system.nics(machine)]
    for at, port in enumerate(site.value.ports):
        if port.device not in there:
            raise Refusal(
                site.where("ports", at, "device"),
                f"this box has no network card {document.quote(port.device)}; "
                + (f"it has {', '.join(there)}" if there else "it has none at all"),
                "Name the card that the cable is in",
            )


def take_on(generation: Generation, machine: Machine, say: Say) -> Applied:
    """Switch to `generation`, and have the services take on what it changes. Raises Refusal."""
    old = machine.running()
    before = old.read() if old is not None and old.sound else None
    after = generation.read()
    machine.generations.switch(generation)
    say(f"Generation {generation.number} is kept and is what every boot runs from now on.")
    if before is None:
        _lay(machine, generation, (), after.files)
        _bring_up_all(machine, say)
    elif _needs_restart(before, after):
        say("Ports or scopes change, which takes a restart of the box: shutdown -r now")
        say("Until then it runs as before.")
        return Applied(generation, restart=True)
    else:
        changed = changes(before.files, after.files)
        up = {service.name for service in machine.system.services if _is_up(machine, service)}
        _add_addresses(machine, before, after)
        _lay(machine, generation, before.files, after.files)
        _bring_up_changed(machine, changed, up, say)
    gate(machine, say)
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
        raise Refusal("this box", "it is not configured", "Answer the questions of exitisp setup")
    return whole(examine_text(site_of(running), f"{running.folder}/site.yaml"))


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
) -> None:
    old = set(before)
    new = [file for file in after if file not in old]
    gone = {file.path for file in before} - {file.path for file in after}
    plant(machine, new, gone)
    machine.state.mkdir(parents=True, exist_ok=True)
    keep(machine.state / "generation", f"{generation.number:04d}\n".encode(), 0o644)


def _needs_restart(before: Content, after: Content) -> bool:
    """Whether ports or scopes change. Their routes and addresses cannot change while a box runs."""
    old, new = _site(before), _site(after)
    return old is None or new is None or (old.ports, old.scopes) != (new.ports, new.scopes)


def _site(content: Content) -> Site | None:
    examined = examine_text(content.site, "site.yaml")
    return examined.site.value if examined.site else None


def _addresses(content: Content) -> tuple[Address, ...]:
    site = _site(content)
    return allot(site).addresses if site else ()


def _add_addresses(machine: Machine, before: Content, after: Content) -> None:
    """Give the box the addresses that are new in its plan.

    Addresses that the plan no longer has stay until the next boot: the portable OpenBGPD
    exits on FreeBSD when an IPv6 address is removed.
    """
    old = _addresses(before)
    for address in _addresses(after):
        if address not in old:
            machine.run(*machine.system.alias(address))


def _bring_up_all(machine: Machine, say: Say) -> None:
    for service in machine.system.services:
        if _runnable(machine, service, say):
            _start(machine, service, say)


def _bring_up_changed(machine: Machine, changed: set[str], up: set[str], say: Say) -> None:
    """Have every service take on its changed files, and start those that were not `up`.

    A service is stopped only if its files changed and the site no longer runs it.
    """
    for service in machine.system.services:
        touched = service.rereads(changed) or service.restarts(changed)
        if not (touched or service.ready):
            continue
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
    return not (service.may_be_off and machine.run("service", service.name, "enabled").status != 0)


def _do(machine: Machine, service: Service, command: tuple[str, ...]) -> None:
    ran = machine.run(*command)
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
    """Lower the ports, and return the refusal for a service that does not come up."""
    lower(machine)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Refusal(
        f"service {service.name} ({service.label})",
        f"it does not come up: {' / '.join(lines[-3:]) or 'no answer'}",
        "The transit and exchange ports stay down. Look at exitisp status and /var/log/messages, "
        "then correct the site with exitisp reconfigure or go back with exitisp rollback",
    )
