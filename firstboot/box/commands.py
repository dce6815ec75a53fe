"""The commands of a configured box: show, diff, rollback, apply, status, and boot for rc(8)."""

from pathlib import Path

from firstboot.box.apply import Applied, apply_site, prepare, site_of_running, take_on, whole
from firstboot.box.drain import drained
from firstboot.box.generations import Content, Generation
from firstboot.box.machine import Machine, site_of
from firstboot.box.output import Say
from firstboot.core.document import read
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.site.check import Examined, examine, examine_text, refused, report
from firstboot.site.commands import difference
from firstboot.site.model import Site
from firstboot.site.redact import masked
from firstboot.site.render import Rendered, render
from firstboot.site.verify.explain import explain, table
from firstboot.site.writer import compose


def show(machine: Machine, say: Say) -> None:
    """Print the site that the box runs, with its secrets masked. Raises Refusal."""
    site = site_of_running(machine).value
    say(masked(compose(site), site).rstrip("\n"))


def diff(other: str, machine: Machine, say: Say) -> None:
    """Print the differences between what the box runs and `other`: the number of a generation, the
    path of a site file, or "" for the generation before. Raises Refusal."""
    running = _running(machine)
    now = running.read()
    site = site_of_running(machine).value
    if other and not other.isdecimal():
        path = Path(other)
        given = sound(examine(path), say)
        files = tuple(render(given, machine.box(), overlays()))
        lines = _difference(now, site, Content("", read(path), files), given)
    else:
        before = machine.generations.find(int(other)) if other else _before(machine, running)
        old = whole(examine_text(site_of(before), f"generation {before.number}")).value
        lines = _difference(before.read(), old, now, site)
    say(lines or "no difference")


def rollback(number: int | None, machine: Machine, say: Say) -> Applied:
    """Run generation `number`, or without one the generation before the running one.

    A generation that another image rendered is rendered anew. Raises Refusal.
    """
    with machine.alone():
        running = _running(machine)
        found = machine.generations.find(number) if number else _before(machine, running)
        content = found.read()
        if content.identity != machine.identity():
            site = whole(examine_text(content.site, f"generation {found.number}"))
            say(f"Generation {found.number} was rendered by another image; rendering it anew.")
            found = prepare(site, machine, say, data=content.site)
        return take_on(found, machine, say)


def apply_file(path: Path, machine: Machine, say: Say) -> Applied:
    """Check the site file at `path` and make it what the box runs. Raises Refusal."""
    examined = examine(path)
    sound(examined, say)
    assert examined.site is not None
    return apply_site(examined.site, machine, say, data=read(path))


def renew(machine: Machine, say: Say) -> None:
    """Render the site of the current generation anew, with this image and for this machine, and
    make that the current generation. Raises Refusal; the old one is current then."""
    with machine.alone():
        found = machine.generations.chosen()
        if found is None:
            raise Refusal(
                "/cfg/generations",
                "there is no generation that is not damaged",
                "Answer the questions of exitisp setup",
            )
        data = site_of(found)
        site = whole(examine_text(data, f"generation {found.number}"))
        generation = prepare(site, machine, say, data=data)
        machine.generations.switch(generation)
        say(f"Rendered anew: generation {generation.number}.")


def status(machine: Machine, say: Say, *, explained: bool = False) -> bool:
    """Print how the box is, and return whether everything is as it has to be. `explained` adds what
    passes the ports and the BGP sessions, by the rendered files."""
    if machine.system.notice:
        say(machine.system.notice)
    for lacking in machine.system.lacks:
        say(f"not in {machine.system.name}: {lacking}")
    running = machine.running()
    if running is None:
        say("not configured: answer the questions of exitisp setup")
        return False
    current = machine.generations.current()
    say(f"running: generation {running.number}")
    if current != running.number:
        say(f"current: generation {current}, which a restart of the box runs")
    good = current == running.number
    for damaged in (one for one in machine.generations.all() if not one.sound):
        say(f"damaged: generation {damaged.number}")
        good = False
    for service in machine.system.services:
        if not machine.has(service.program):
            say(f"not installed: {service.label}")
        elif service.ready and not _off(service.name, service.may_be_off, machine):
            up = machine.run(*service.ready).status == 0
            say(f"{'up' if up else 'DOWN'}: {service.label}")
            good = good and up
    for name in drained(machine):
        say(f"drained: {name} (exitisp undrain {name})")
    site = site_of_running(machine).value
    for verdict in machine.verdicts(site, running.read().files):
        say(f"{'holds' if verdict.holds else 'NOT SO'}: {verdict.what}{_because(verdict.reason)}")
        good = good and verdict.holds
    if explained:
        say(table(explain(site, machine.box(), running.read().files)))
    return good


def sound(examined: Examined, say: Say) -> Site:
    """Print the findings and return the site. Raises Refusal if there are errors."""
    say(report(examined))
    if examined.site is None or examined.errors:
        raise refused(examined, "Correct them; nothing has changed")
    return examined.site.value


def _off(name: str, may_be: bool, machine: Machine) -> bool:
    return may_be and machine.run("service", name, "enabled").status != 0


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _running(machine: Machine) -> Generation:
    site_of_running(machine)
    running = machine.running()
    assert running is not None
    return running


def _before(machine: Machine, running: Generation) -> Generation:
    before = machine.generations.before(running.number)
    if before is None:
        raise Refusal(
            f"generation {running.number}",
            "there is no generation before it",
            "Name a generation or a site file",
        )
    return before


def _difference(before: Content, old: Site, after: Content, new: Site) -> str:
    sites = [
        Rendered("site.yaml", content.site.decode(errors="replace"), 0o600, "root", "wheel")
        for content in (before, after)
    ]
    text = difference([sites[0], *before.files], [sites[1], *after.files])
    return masked(text, old, new)
