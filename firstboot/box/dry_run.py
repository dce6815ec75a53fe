"""Says what a change would do to each service, and what it would interrupt, without doing it."""

from collections.abc import Iterator

from firstboot.box.apply import needs_restart, site_in
from firstboot.box.generations import Content
from firstboot.box.install_files import changes
from firstboot.box.machine import Machine
from firstboot.site.address_plan import Session, allot
from firstboot.site.changed_parts import changed_parts
from firstboot.site.model import Site


def consequences(before: Content, after: Content, machine: Machine) -> Iterator[str]:
    """What happens to a box that runs `before` if it takes on `after`, a sentence each."""
    old, new = site_in(before), site_in(after)
    changed = changes(before.files, after.files)
    if parts := changed_parts(old, new):
        yield f"Other parts of the site: {parts}."
    if not changed:
        yield "No file would change, and nothing would be interrupted."
        return
    if needs_restart(before, after):
        yield (
            "Ports, scopes or static routes change: the box has to restart, which interrupts "
            "everything."
        )
        return
    untouched = []
    for service in machine.system.services:
        files = ", ".join(f"/{one}" for one in sorted(changed) if service.restarts([one]))
        if not machine.has(service.program):
            continue
        if files:
            yield f"Restarts, and is interrupted: {service.label} ({files})."
        elif files := ", ".join(f"/{one}" for one in sorted(changed) if service.rereads([one])):
            yield f"Changes as it runs: {service.label} ({files})."
        else:
            untouched.append(service.label)
    if old is not None and new is not None:
        yield from _relays(old, new)
        yield from _sessions(old, new)
    yield f"Stays as it is: {', '.join(untouched)}."


def _relays(old: Site, new: Site) -> Iterator[str]:
    was, will = old.relays.count, new.relays.count
    if will < was:
        yield f"Ends, with its circuits: relay {', '.join(map(str, range(will + 1, was + 1)))}."
    elif will > was:
        yield f"Begins: relay {', '.join(map(str, range(was + 1, will + 1)))}."


def _sessions(old: Site, new: Site) -> Iterator[str]:
    was, will = ({one.remote: one for one in allot(site).sessions} for site in (old, new))
    for remote in {**was, **will}:
        before, after = was.get(remote), will.get(remote)
        if after is None and before is not None:
            yield f"Ends: BGP with {before.peer.name} ({remote})."
        elif before is None and after is not None:
            yield f"Begins: BGP with {after.peer.name} ({remote})."
        elif before is not None and after is not None and _begins_anew(before, after):
            yield f"Ends and begins anew: BGP with {after.peer.name} ({remote})."


def _begins_anew(before: Session, after: Session) -> bool:
    """Whether bgpd(8) has to close a session to take this on."""
    old, new = before.peer, after.peer
    return (old.asn, old.md5, before.local) != (new.asn, new.md5, after.local)
