"""The counters that the journal has of each hour: of the box as a whole, rounded to megabytes.

`pf.LEAK4` counts packets of a rule of the filter, `in.ix0` and `out.ix0` megabytes (10^6 bytes) of
a port, `relayed` those that all relays wrote, and `restarts` those of daemons, each from the start
of what counts. `relays` are those that answered, and `prefixes.NAME` those that a session has
received, -1 while it is down.
"""

from collections.abc import Iterator

from firstboot.box import metrics, restarts
from firstboot.box.machine import Machine
from firstboot.box.sessions import look
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site

MEGABYTE = 1_000_000

PATIENCE = 10.0


def collect(site: Site, machine: Machine) -> dict[str, int]:
    """What answers; the rest is left out."""
    found: dict[str, int] = {}
    for name, value in _counted(site, machine):
        found[name] = found.get(name, 0) + value
    return found


def _counted(site: Site, machine: Machine) -> Iterator[tuple[str, int]]:
    for one in metrics.of_rules(machine.run("pfctl", "-s", "labels", patience=PATIENCE).text):
        (_, rule), *_ = one.labels
        if one.name == "exitisp_pf_packets_total" and not rule.startswith("or-"):
            yield f"pf.{rule}", int(one.value)
    ports = {port.interface for port in site.ports}
    for one in metrics.of_interfaces(machine.run("netstat", "-ibn", patience=PATIENCE).text):
        (_, port), *_ = one.labels
        for way in ("in", "out"):
            if port in ports and one.name == f"exitisp_interface_{way}_bytes_total":
                yield f"{way}.{port}", int(one.value) // MEGABYTE
    yield from _relays(site, machine)
    yield from _sessions(site, machine)
    try:
        record = restarts.read(machine.state / restarts.PLACE)
    except Refusal:
        return
    yield "restarts", sum(one.count for one in record.values())


def _relays(site: Site, machine: Machine) -> Iterator[tuple[str, int]]:
    answered, written = 0, 0.0
    for number in range(1, site.relays.count + 1):
        place = f"http://127.0.0.2:{metrics.METRICS_PORT + number}/metrics"
        told = machine.run("fetch", "-q", "-T", "5", "-o", "-", place, patience=PATIENCE).text
        samples = [*metrics.of_relay(number, told)]
        answered += bool(samples)
        written += sum(
            one.value
            for one in samples
            if one.name == "tor_relay_traffic_bytes" and ("direction", "written") in one.labels
        )
    yield "relays", answered
    if answered:
        yield "relayed", int(written) // MEGABYTE


def _sessions(site: Site, machine: Machine) -> Iterator[tuple[str, int]]:
    (bgpd,) = (one for one in machine.system.services if one.name == "openbgpd")
    if site.provided or not machine.has(bgpd.program):
        return
    found = look(site, machine, bgpd)
    if isinstance(found, str):
        return
    for one in found:
        family = 6 if one.session.remote.version == 6 else 4
        name = f"prefixes.{one.session.peer.name}/{family}"
        yield name, one.received if one.up else -1
