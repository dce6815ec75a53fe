"""The daemons that a box looks after, one by one: each service, and each relay by itself."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from firstboot.box.host import Host
from firstboot.box.verdict import Effect, Verdict
from firstboot.site.model import Site
from firstboot.site.services import SILENT, Command, Each, Service

PATIENCE = 20.0
"""Seconds that a daemon may take to answer."""

AT_ONCE = 8
"""Daemons that are asked at the same time, so that one that is silent holds up no other."""


AHEAD_BY = 3600.0
"""Seconds that a clock has to have been ahead for a daemon to be restarted once it is right. A
relay would tell nobody anew that it is there until that time has come, and others would not take
its certificates; a resolver would keep answers, and that there was none, for as long."""


class State(Enum):
    UP = "it runs"
    HUNG = "it runs and does not answer"
    LATE = f"nobody knows: the question for it was not done in {PATIENCE:g} seconds"
    DEAD = "it does not run"
    AHEAD = "it was started while the clock was ahead"


@dataclass(frozen=True, slots=True)
class Daemon:
    """`name` is unique among those of a box, `label` its name for people. `operand` is what the
    commands of its service take for it, if the service has several."""

    name: str
    label: str
    service: Service
    operand: Command = ()

    @property
    def ready(self) -> Command:
        return *self.service.ready, *self.operand

    @property
    def start(self) -> Command:
        return *self.service.start, *self.operand

    @property
    def kill(self) -> Command:
        if self.service.kill:
            return *self.service.kill, *self.operand
        return "pkill", "-KILL", "-x", "|".join(self.service.processes)

    def ahead(self, host: Host) -> bool:
        """Whether it was started while the clock was ahead of what it is now."""
        place = self.service.pid_file.format(name=self.name).removeprefix("/")
        try:
            return bool(place) and (host.root / place).stat().st_mtime > time.time() + AHEAD_BY
        except OSError:
            return False


def wanted(site: Site, host: Host, services: Iterable[Service]) -> Iterator[Daemon]:
    """The daemons that have to run on this box: those that are installed, and not off in `site`."""
    for service in services:
        if not (service.ready and host.has(service.program)) or is_off(service, host):
            continue
        if service.each is Each.RELAY:
            for number in range(1, site.relays.count + 1):
                name = f"relay{number}"
                yield Daemon(name, f"relay {number}", service, (name,))
        else:
            yield Daemon(service.name, service.label, service)


def is_off(service: Service, host: Host) -> bool:
    """Whether the site leaves this service out."""
    return service.may_be_off and host.run("service", service.name, "enabled").status != 0


def look(daemon: Daemon, host: Host) -> State:
    """Whether the daemon runs and answers."""
    ran = host.run(*daemon.ready, patience=PATIENCE)
    if ran.status == 0:
        return _up(daemon, host)
    if ran.late and daemon.service.timed:
        return State.LATE
    return State.HUNG if ran.status == SILENT else State.DEAD


def _up(daemon: Daemon, host: Host) -> State:
    return State.AHEAD if daemon.ahead(host) else State.UP


def look_at_all(daemons: Iterable[Daemon], host: Host) -> Mapping[Daemon, State]:
    """The state of each. A service with many daemons is asked once if they are all well."""

    def of_service(service: Service, its: Sequence[Daemon]) -> Iterable[tuple[Daemon, State]]:
        if len(its) > 1 and host.run(*service.ready, patience=PATIENCE).status == 0:
            return [(one, _up(one, host)) for one in its]
        return zip(its, asked.map(lambda one: look(one, host), its), strict=True)

    by_service = groupby(daemons, lambda one: one.service)
    with ThreadPoolExecutor(AT_ONCE) as asked, ThreadPoolExecutor(AT_ONCE) as services:
        found = [services.submit(of_service, service, tuple(its)) for service, its in by_service]
        states = dict(pair for one in found for pair in one.result())
    return states | dict(_asked_alone(states, host))


def _asked_alone(states: Mapping[Daemon, State], host: Host) -> Iterator[tuple[Daemon, State]]:
    """What those say whose questions were not done in time: a slow box may have time for one
    question where it had none for many. If it has not, the rest are not asked."""
    for daemon, state in states.items():
        if state is State.LATE:
            again = look(daemon, host)
            yield daemon, again
            if again is State.LATE:
                return


def survey(
    site: Site, host: Host, services: Iterable[Service]
) -> Iterator[tuple[Service, dict[str, State]]]:
    """Each service that has to run, with those of its daemons that are not up, by label. If all of
    them are in the same state, they are one entry, with the label of the service."""
    found = look_at_all(wanted(site, host, services), host)
    for service, daemons in groupby(found, lambda one: one.service):
        states = {one.label: found[one] for one in daemons}
        down: dict[str, State] = {
            label: state for label, state in states.items() if state is not State.UP
        }
        if len(down) == len(states) and len({*down.values()}) == 1:
            down = {service.label: next(iter(down.values()))}
        yield service, down


def all_run(site: Site, host: Host, services: Iterable[Service]) -> Verdict:
    """The condition that every daemon runs and answers."""
    down = [
        f"{label} ({state.value})"
        for _, found in survey(site, host, services)
        for label, state in found.items()
    ]
    return Verdict("every service runs", Effect.OUTAGE, ", ".join(down))
