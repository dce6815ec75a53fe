"""A site becomes what the box does: rendered, judged, kept, switched to, brought up.

Until it is switched to, the box runs as before and nothing of it has changed. A service that does
not come up stops it there: the ports towards strangers are down or go down, and the earlier
generation is a `exitisp rollback` away.
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
"""Seconds that a service has to answer, once it was started."""

PAUSE = 1.0
"""Seconds between two looks at one that does not answer yet."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of it: the generation, and whether the box has to be restarted to run it."""

    generation: Generation
    restart: bool


def apply_site(
    site: Document[Site], machine: Machine, say: Say, *, data: bytes | None = None
) -> Applied:
    """Make `site` what this box runs, now and after every boot. `data` is the file it was read
    from, kept as it is; without it, one is composed.

    Raises Refusal. If that is because of the site, nothing has changed.
    """
    with machine.alone():
        generation = prepare(site, machine, say, data=data)
        return take_on(generation, machine, say)


def prepare(
    site: Document[Site], machine: Machine, say: Say, *, data: bytes | None = None
) -> Generation:
    """A new generation of `site`, judged and complete, that nothing leads to yet. Raises
    Refusal."""
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
    """Switch to `generation` and bring up what it changes. Raises Refusal."""
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
    """Raise the ports if the preflight lets them. Raises Refusal if not; they are down then."""
    site = site_of_running(machine)
    raise_ports(site.value, machine, say)


def site_of_running(machine: Machine) -> Document[Site]:
    """The site that this box runs. Raises Refusal if there is none."""
    running = machine.running()
    if running is None:
        raise Refusal(
            "this box",
            expected="a configuration",
            found="none",
            remedy="answer the questions of exitisp setup",
        )
    return whole(examine_text(site_of(running), f"{running.folder}/site.yaml"))


def whole(examined: Examined) -> Document[Site]:
    """The site, whatever its findings are. Raises Refusal if it has not the form of one."""
    if examined.site is None:
        first = examined.findings[0]
        raise Refusal(
            f"{examined.name}:{first.line}",
            expected="a site file",
            found=first.reason,
            remedy=first.remedy,
        )
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
    """Whether something changes that a running box cannot take on: its ports and scopes, and with
    them routes and addresses other than those of the plan."""
    old, new = _site(before), _site(after)
    return old is None or new is None or (old.ports, old.scopes) != (new.ports, new.scopes)


def _site(content: Content) -> Site | None:
    examined = examine_text(content.site, "site.yaml")
    return examined.site.value if examined.site else None


def _addresses(content: Content) -> tuple[Address, ...]:
    site = _site(content)
    return allot(site).addresses if site else ()


def _add_addresses(machine: Machine, before: Content, after: Content) -> None:
    """Those that nobody has any more stay until the next boot: OpenBGPD ends on FreeBSD when an
    IPv6 address is removed (openbgpd-portable issue 108)."""
    old = _addresses(before)
    for address in _addresses(after):
        if address not in old:
            machine.run(*machine.system.alias(address))


def _bring_up_all(machine: Machine, say: Say) -> None:
    for service in machine.system.services:
        if _runnable(machine, service, say):
            _start(machine, service, say)


def _bring_up_changed(machine: Machine, changed: set[str], up: set[str], say: Say) -> None:
    """Every service takes on what changed of its own, and what was not `up` is started."""
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
    """Start it anew if it runs: the log does before a box is configured."""
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
    """What is said of a service that does not come up. The ports are lowered first."""
    lower(machine)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Refusal(
        f"service {service.name}",
        expected=f"a running {service.label}",
        found=" / ".join(lines[-3:]) or "no answer",
        remedy="the ports stay down; look at exitisp status and /var/log/messages, correct it with "
        "exitisp reconfigure, or go back with exitisp rollback",
    )
