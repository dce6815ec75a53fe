"""rpki-client(8), which judges repositories, in a network namespace of its own."""

import json
import shlex
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from qemu.world.net import Party, need
from qemu.world.rpki.certificates import AUTHORITY
from qemu.world.rpki.payloads import Aspa, Roa
from qemu.world.rpki.repository import LOCATOR

TRUSTED = "ca-certificates.crt"
"""The file in /etc/ssl/certs that has whom Debian's programs trust."""

OUTPUTS = ("json", "openbgpd", "bird")


@dataclass(frozen=True)
class Validated:
    """What came of a run. `counts` are those of its JSON, `log` is what it said, `openbgpd` and
    `bird` are the files for these daemons."""

    roas: frozenset[Roa]
    aspas: frozenset[Aspa]
    counts: dict[str, Any]
    log: str
    openbgpd: str
    bird: str


def validate(
    party: Party, folder: Path, *options: str, locator: str = "", hosts: str = ""
) -> Validated:
    """Run rpki-client at `party` with an empty cache. It trusts the anchor in `folder`, or in the
    text `locator`, and the authority of web servers in `folder`. It knows the names in `hosts`, in
    the form of hosts(5). Raises Unable without it, and
    Failed if it fails.

    It changes to a user of its own, who may not read the folders of tests, so it has a folder in
    the world's /run."""
    need("rpki-client", "rpki-client")
    place = f"/run/rpki-client.{party.name}"
    party.run("rm", "-rf", place)
    party.run("mkdir", "-p", f"{place}/cache", f"{place}/out", f"{place}/trusted")
    party.run("chown", "_rpki-client", f"{place}/cache", f"{place}/out")
    party.run("tee", f"{place}/ta.tal", given=locator or (folder / LOCATOR).read_text())
    party.run("tee", f"{place}/trusted/{TRUSTED}", given=(folder / AUTHORITY).read_text())
    party.run("tee", f"{place}/hosts", given=hosts)
    command = shlex.join(
        ["rpki-client", "-v", *options, "-t", f"{place}/ta.tal", "-joB", "-d", f"{place}/cache"]
    )
    log = party.run(
        "sh",
        "-ec",
        f"mount --bind {place}/trusted /etc/ssl/certs; mount --bind {place}/hosts /etc/hosts; "
        f"exec {command} {place}/out 2>&1",
    )
    told, openbgpd, bird = (party.run("cat", f"{place}/out/{name}") for name in OUTPUTS)
    found = json.loads(told)
    roas = (Roa(one["asn"], ip_network(one["prefix"]), one["maxLength"]) for one in found["roas"])
    aspas = (
        Aspa(one["customer_asid"], tuple(one["providers"]))
        for one in found["provider_authorizations"]["ipv4"]
    )
    return Validated(frozenset(roas), frozenset(aspas), found["metadata"], log, openbgpd, bird)
