"""The commands of a configured box: show, diff, rollback, history, apply, status, and boot for
rc(8)."""

import json
import time
from collections.abc import Iterable, Iterator

from firstboot.box.apply import (
    Applied,
    accepted,
    prepare,
    site_of_running,
    unconfigured,
    whole,
)
from firstboot.box.confirm import carry_out
from firstboot.box.dry_run import consequences
from firstboot.box.generations import Content, Generation
from firstboot.box.history import End
from firstboot.box.machine import Machine, site_of
from firstboot.box.output import Say
from firstboot.box.remembered import running as remembered
from firstboot.box.site_input import given
from firstboot.box.status import document, lines
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.site.check import Examined, examine_text, refused, report
from firstboot.site.commands import difference
from firstboot.site.model import Site
from firstboot.site.redact import masked
from firstboot.site.render import Rendered, render
from firstboot.site.verify.explain import explain, table
from firstboot.site.verify.rc import own_addresses
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
        file = given(other)
        new = sound(file.examined, say)
        files = tuple(render(new, machine.box(), overlays()))
        lines = _difference(now, site, Content("", file.data, files), new)
    else:
        before = machine.generations.find(int(other)) if other else _before(machine)
        old = whole(examine_text(site_of(before), f"generation {before.number}")).value
        lines = _difference(before.read(), old, now, site)
    say(lines or "no difference")


def rollback(number: int | None, machine: Machine, say: Say, minutes: int = 0) -> Applied:
    """Run generation `number`, or without one what ran before the current one and was well, which
    is then no longer the way forward. If `minutes` are given, it has to be confirmed in them.

    A generation that another image rendered is rendered anew. Raises Refusal.
    """
    with machine.alone():
        if machine.running() is None:
            raise unconfigured()
        left = None if number else machine.history.current()
        found = machine.generations.find(number) if number else _before(machine)
        content = found.read()
        if content.identity != machine.identity():
            site = whole(examine_text(content.site, f"generation {found.number}"))
            say(f"Generation {found.number} was rendered by another image; rendering it anew.")
            found = prepare(site, machine, say, data=content.site)
        applied = carry_out(found, machine, say, "rollback", minutes)
        if left is not None:
            machine.history.leave(left)
        return applied


def history(machine: Machine, say: Say) -> None:
    """Print what the box ran, a line for each change. Raises Refusal if the record is damaged."""
    steps = machine.history.steps()
    if not steps:
        say("Nothing has changed yet.")
        return
    position = machine.history.position()
    rows = [("", "generation", "when (UTC)", "command", "who", "end", "changed")]
    for at, one in enumerate(steps):
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(one.when))
        mark = "*" if at == position else ""
        end = "interrupted" if one.end is End.BEGUN and at != position else one.end.value
        who = one.who or "unknown"
        rows.append((mark, str(one.generation), when, one.how or "-", who, end, one.what or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
    say("* is what a boot of the box runs.")


def apply_file(name: str, machine: Machine, say: Say, minutes: int = 0) -> Applied:
    """Check the site file called `name`, standard input if that is `-`, and make it what the box
    runs. If `minutes` are given, it has to be confirmed in them. Raises Refusal."""
    file = given(name)
    sound(file.examined, say)
    assert file.examined.site is not None
    with machine.alone():
        generation = prepare(file.examined.site, machine, say, data=file.data)
        return carry_out(generation, machine, say, "apply", minutes)


def dry_run(name: str, machine: Machine, say: Say) -> None:
    """Check the site file called `name` as `apply_file` does, and print what applying it would do.
    Nothing changes. Raises Refusal."""
    file = given(name)
    sound(file.examined, say)
    assert file.examined.site is not None
    running = _running(machine)
    after = accepted(file.examined.site, machine, say, data=file.data)
    say("Nothing has changed. Applied, the site would do this:")
    for line in consequences(running.read(), after, machine):
        say(f"  {line}")


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
        _tell_moved(found.read().files, generation.read().files, say)


def _tell_moved(before: Iterable[Rendered], after: Iterable[Rendered], say: Say) -> None:
    """Tell which addresses the plan of another release no longer has."""
    old, new = own_addresses(before), own_addresses(after)
    gone = [address for address in old if address not in new]
    if gone:
        more = f" and {len(gone) - 1} more" if len(gone) > 1 else ""
        say(
            f"This release plans other addresses: {gone[0]}{more} are no longer used here. "
            "exitisp diff shows them; to keep them, name them in the site: router, dns.addresses, "
            "relays.or_addresses, relays.exit_addresses."
        )


def status(machine: Machine, say: Say, *, explained: bool = False) -> bool:
    """Print how the box is, and return whether everything is as it has to be. `explained` adds what
    passes the ports and the BGP sessions, by the rendered files."""
    good = True
    for line in lines(machine):
        say(line.text)
        good = good and not line.bad
    running = machine.running()
    if explained and running is not None:
        now = remembered(machine)
        for path in _changed_since(now.files, machine):
            say(f"NOT AS EXPLAINED: /{path} is not what was rendered")
        say(table(explain(now.site, machine.box(), now.files)))
    return good


def status_document(machine: Machine, say: Say) -> bool:
    """Print the same as JSON (docs/status.schema.json)."""
    found = document(machine)
    say(json.dumps(found, indent=2))
    return found["well"] is True


def sound(examined: Examined, say: Say) -> Site:
    """Print the findings and return the site. Raises Refusal if there are errors."""
    say(report(examined))
    if examined.site is None or examined.errors:
        raise refused(examined, "Correct them; nothing has changed")
    return examined.site.value


def _changed_since(files: Iterable[Rendered], machine: Machine) -> Iterator[str]:
    """The paths of files that somebody changed or removed after they were laid."""
    for file in files:
        try:
            there = (machine.root / file.path).read_bytes()
        except FileNotFoundError:
            there = b""
        if there != file.text.encode():
            yield file.path


def _running(machine: Machine) -> Generation:
    site_of_running(machine)
    running = machine.running()
    assert running is not None
    return running


def _before(machine: Machine) -> Generation:
    before = next(machine.history.before(), None)
    if before is None:
        raise Refusal(
            f"generation {machine.generations.current()}",
            "nothing that was well ran before it",
            "Name a generation or a site file; exitisp history lists what ran",
        )
    return before


def _difference(before: Content, old: Site, after: Content, new: Site) -> str:
    sites = [
        Rendered("site.yaml", content.site.decode(errors="replace"), 0o600, "root", "wheel")
        for content in (before, after)
    ]
    text = difference([sites[0], *before.files], [sites[1], *after.files])
    return masked(text, old, new)
