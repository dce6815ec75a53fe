"""The check that whoever may ask is told the metrics, and nobody else."""

import subprocess
from collections.abc import Iterator

from firstboot.box.metrics import METRICS_PORT
from firstboot.core.values import Address
from firstboot.site.model import PeerRole
from qemu.failure import Failure
from qemu.lab import metric_checks
from qemu.lab.administrator import private_key, way_in
from qemu.lab.appliance import COMMAND
from qemu.lab.checks import Verdict
from qemu.lab.metric_checks import Wanted
from qemu.lab.need import MANAGED
from qemu.lab.probe import probe
from qemu.lab.session import Lab
from qemu.world.knocks import Door, answering
from qemu.world.net import environment

SSH = 22


@probe(
    "With its key, a host at the management port gets the metrics and the status of the box by "
    "SSH, and nothing in them is about others. Neighbours reach no SSH and no metrics, at any "
    "address of the box.",
    MANAGED,
)
def scraped(lab: Lab) -> Verdict:
    told = metric_checks.metrics(asked(lab, "exitisp metrics"), _wanted(lab), lab.strangers)
    parts = [told, metric_checks.status(asked(lab, "exitisp status --json")), _shut(lab)]
    wrong = [one for one in parts if not one.holds]
    return Verdict("scraped", not wrong, "; ".join(one.evidence for one in wrong or parts))


def asked(lab: Lab, command: str) -> str:
    """What `command` prints on the box, as the administrator runs it by ssh(1), who knows the host
    key from the console. Raises Failure if SSH fails."""
    found = way_in(lab.site)
    assert found
    port, box, _ = found
    key, hosts = lab.folder / "administrator", lab.folder / "known_hosts"
    key.touch(0o600)
    key.write_bytes(private_key())
    hosts.write_text(f"{box} {lab.appliance.said('cat /cfg/ssh/ssh_host_ed25519_key.pub')}\n")
    options = {
        "BatchMode": "yes",
        "GlobalKnownHostsFile": "none",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(hosts),
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    party = lab.internet.parties[lab.internet.topology.party(f"inside-{port.name}")]
    ssh = ["ssh", "-F", "none", "-i", str(key), *words, f"root@{box}", command]
    try:
        done = subprocess.run(
            party.inside(*ssh),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND,
            env=environment(),
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"ssh root@{box} {command}: did not end within {COMMAND:.0f} s") from None
    # Status tells by its exit status that something is wrong; 255 is that of ssh itself.
    if done.returncode == 255 or not done.stdout:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise Failure(f"ssh root@{box} {command}: {said[-1]}")
    return done.stdout


def _wanted(lab: Lab) -> list[Wanted]:
    found = [Wanted("exitisp_well"), Wanted("exitisp_ports_up"), Wanted("unbound_")]
    if not lab.site.provided:
        found += [
            Wanted(
                "exitisp_session_up",
                (("peer", one.peer.name), ("family", str(one.remote.version))),
            )
            for one in lab.plan.sessions
        ]
    if lab.appliance.system.counts:
        relays = (str(relay.number) for relay in lab.plan.relays)
        found += [Wanted("tor_", (("relay", number),)) for number in relays]
        found.append(Wanted("exitisp_pf_packets_total"))
        devices = (port.interface for port in lab.site.ports)
        found += [Wanted("exitisp_interface_", (("interface", one),)) for one in devices]
    return found


def _shut(lab: Lab) -> Verdict:
    """Whether neighbours find an open door: one at each outside port."""
    addresses = {*lab.plan.addresses, *_of_ports(lab)}
    ports = [SSH, *(METRICS_PORT + relay.number for relay in lab.plan.relays)]
    doors = [Door(address, port) for address in addresses for port in ports]
    relays = [Door(one, relay.port) for relay in lab.plan.relays for one in relay.listen]
    answered, control = {}, {}
    for neighbour, routed in _neighbours(lab):
        party = lab.internet.parties[lab.internet.topology.party(neighbour)]
        answered[neighbour] = answering(party, [*doors, *relays])
        control[neighbour] = relays if routed else []
    return metric_checks.shut(doors, answered, control)


def _of_ports(lab: Lab) -> Iterator[Address]:
    return (face.ip for port in lab.site.ports for face in port.addresses)


def _neighbours(lab: Lab) -> Iterator[tuple[str, bool]]:
    """A neighbour at each outside port, and whether that one has routes to the scopes, which a
    route server has not. A stranger at an exchange does not knock: the box would look for it, which
    is a stray of its own."""
    topology = lab.internet.topology
    for port in lab.outside:
        peers = [one.peer for one in topology.sessions if one.port is port]
        found = [(one.name, one.role is not PeerRole.ROUTE_SERVER) for one in peers]
        found += [(one.name, True) for one in topology.providers if one.port is port]
        yield from sorted(found, key=lambda one: not one[1])[:1]
