"""What the box counts, in Prometheus's text format (Exposition formats, version 0.0.4).

Labels are names of the site and of the box: relays by number, peers and interfaces by name, rules
of the packet filter by label. No label has an address, a name or a port of anybody else: what
relays tell passes only with labels that cannot be one.
"""

import os
import re
import time
from collections.abc import Iterator
from typing import Any

from firstboot.box import relay_keys, resolver, restarts
from firstboot.box.machine import STORAGE, Machine
from firstboot.box.remembered import running
from firstboot.box.sample import Labels, Sample, Value
from firstboot.box.sensors import of_optic, of_temperatures
from firstboot.box.status import document
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site

METRICS_PORT = 9100
"""Relay N tells its own on this port plus N of 127.0.0.2 (torrc)."""

PATIENCE = 10.0
"""Seconds for each answer."""

SAMPLE = re.compile(r"(tor_[a-z0-9_]{1,80})(?:\{([^{}]{0,400})\})? ([-+0-9.eE]{1,30})")
LABEL = re.compile(r'([a-z_]{1,30})="([A-Za-z0-9_ -]{0,40})"')
"""No dot, colon or slash: an address and a name of a host have one."""

RESOLVER = re.compile(
    r"(total\.[a-z.]{1,60}|num\.answer\.(?:rcode\.[A-Z]{1,16}|secure|bogus)|num\.query\.tcpout)="
    r"([0-9.]{1,30})"
)
INTERFACE = re.compile(
    r"(?m)^(\S+?)\*? +[0-9]+ +<Link#[0-9]+>(?: +[0-9a-f:]{17})?"
    r" +([0-9]{1,20}) +([0-9]{1,20}) +([0-9-]{1,20}) +([0-9]{1,20}) +([0-9]{1,20})"
    r" +([0-9]{1,20}) +([0-9]{1,20}) +[0-9-]+"
)
"""As ``netstat -ibn`` prints it: packets, errors, drops and bytes received, then packets, errors
and bytes sent, and collisions."""

RULE = re.compile(r"(?m)^([A-Za-z0-9-]{1,40}) [0-9]{1,20} ([0-9]{1,20}) ([0-9]{1,20}) ")
"""As ``pfctl -s labels`` prints it: label, evaluations, packets, bytes."""


def metrics(machine: Machine) -> str:
    """All of it, as text. What does not answer is left out. Raises Refusal if the box is not
    configured."""
    by_name: dict[str, list[Sample]] = {}
    for sample in _samples(machine):
        by_name.setdefault(sample.name, []).append(sample)
    # Samples of one name stand together; what counts the same twice is summed.
    lines = []
    for name, samples in by_name.items():
        lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
        summed: dict[Labels, Value] = {}
        for one in samples:
            summed[one.labels] = summed.get(one.labels, 0) + one.value
        lines += [str(Sample(name, value, labels)) for labels, value in summed.items()]
    return "\n".join(lines) + "\n"


def _samples(machine: Machine) -> Iterator[Sample]:
    site = running(machine).site
    yield Sample("exitisp_collected_timestamp_seconds", int(time.time()))
    yield from of_status(document(machine))
    try:
        record = restarts.read(machine.state / restarts.PLACE)
    except Refusal:
        record = {}
    for daemon, history in record.items():
        yield Sample("exitisp_restarts_total", history.count, (("daemon", daemon),))
    yield from of_signing_keys(site, machine)
    for name in (*STORAGE, "var", "tmp"):
        yield from _disk(machine, name)
    yield from of_rules(machine.run("pfctl", "-s", "labels", patience=PATIENCE).text)
    yield from of_interfaces(machine.run("netstat", "-ibn", patience=PATIENCE).text)
    sensors = machine.run("sysctl", "dev.cpu", "hw.acpi.thermal", patience=PATIENCE)
    yield from of_temperatures(sensors.text)
    for card in dict.fromkeys(card for port in site.ports for card in port.cards):
        yield from of_optic(card, machine.run("ifconfig", "-v", card, patience=PATIENCE).text)
    yield from of_resolver(resolver.statistics(machine))
    for number in range(1, site.relays.count + 1):
        address = f"http://127.0.0.2:{METRICS_PORT + number}/metrics"
        told = machine.run("fetch", "-q", "-T", "5", "-o", "-", address, patience=PATIENCE).text
        yield from of_relay(number, told)


def of_status(told: dict[str, object]) -> Iterator[Sample]:
    """What `exitisp status --json` tells."""
    yield Sample("exitisp_well", int(told["well"] is True))
    yield Sample("exitisp_ports_up", int(told["ports_up"] is True))
    findings = told["findings"]
    assert isinstance(findings, list)
    yield Sample("exitisp_findings_wrong", sum(one["wrong"] for one in findings))
    for session in _list(told["sessions"]):
        family = "6" if ":" in session["address"] else "4"
        labels = (("peer", session["peer"]), ("family", family))
        yield Sample("exitisp_session_up", int(session["state"] == "Established"), labels)
        for name in ("received", "announced", "expected"):
            yield Sample(f"exitisp_session_prefixes_{name}", session[name], labels)
    match told["leaks"]:
        case {"since_boot": int(count)}:
            yield Sample("exitisp_leaks_stopped_total", count)
    match told["clock"]:
        case {"offset_ms": float(offset)}:
            yield Sample("exitisp_clock_offset_seconds", offset / 1000)
    yield Sample("exitisp_clock_set", int(told["clock"] is not None))
    match told["rpki"]:
        case {"age": int(age)}:
            yield Sample("exitisp_rpki_age_seconds", age)
    match told["slot"]:
        case {"trial": bool(trial)}:
            yield Sample("exitisp_slot_on_trial", int(trial))
    yield Sample("exitisp_peers_drained", len(_list(told["drained"])))


def of_signing_keys(site: Site, machine: Machine) -> Iterator[Sample]:
    """Until when relays may sign whose master keys are elsewhere: 0 for one that may not at all.
    Other relays renew theirs by themselves."""
    if not site.relays.offline_keys:
        return
    for one in relay_keys.relays(site, machine, time.time()):
        expires = one.certificate.expires if one.certificate else 0
        labels = (("relay", str(one.number)),)
        yield Sample("exitisp_signing_key_expires_timestamp_seconds", expires, labels)


def of_rules(text: str) -> Iterator[Sample]:
    """What the packet filter counts, by label."""
    for label, packets, size in RULE.findall(text):
        yield Sample("exitisp_pf_packets_total", int(packets), (("rule", label),))
        yield Sample("exitisp_pf_bytes_total", int(size), (("rule", label),))


def of_interfaces(text: str) -> Iterator[Sample]:
    """What network cards count."""
    for name, *numbers in INTERFACE.findall(text):
        for what, number in zip(
            ("in_packets", "in_errors", "in_drops", "in_bytes", "out_packets", "out_errors",
             "out_bytes"), numbers, strict=True,
        ):  # fmt: skip
            if number.isdecimal():
                labels = (("interface", name),)
                yield Sample(f"exitisp_interface_{what}_total", int(number), labels)


def of_resolver(text: str) -> Iterator[Sample]:
    """What Unbound counts of all its threads."""
    for line in text.splitlines():
        found = RESOLVER.fullmatch(line)
        if found and (value := _number(found[2])) is not None:
            yield Sample(f"unbound_{found[1].replace('.', '_').lower()}", value)


def of_relay(number: int, text: str) -> Iterator[Sample]:
    """What a relay tells of itself, with its number. Anything that could be somebody's is left
    out."""
    for line in text.splitlines():
        found = SAMPLE.fullmatch(line.strip())
        value = _number(found[3]) if found else None
        if found is None or value is None:
            continue
        labels = LABEL.findall(found[2] or "")
        if ",".join(f'{name}="{told}"' for name, told in labels) == (found[2] or ""):
            yield Sample(found[1], value, (("relay", str(number)), *labels))


def _disk(machine: Machine, name: str) -> Iterator[Sample]:
    try:
        found = os.statvfs(machine.root / name)
    except OSError:
        return
    labels = (("place", f"/{name}"),)
    yield Sample("exitisp_disk_bytes", found.f_blocks * found.f_frsize, labels)
    yield Sample("exitisp_disk_free_bytes", found.f_bavail * found.f_frsize, labels)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(text: str) -> Value | None:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return None
