"""Network cards of this machine that a party has for a while.

In a party's namespace is nothing but the card, so a program there reaches only what is at the other
end of its cable. However this process ends, the kernel gives cards back; devices that only exist in
software, as VLANs, it removes then.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from firstboot.core.refusal import Refusal
from qemu.failure import Failure
from qemu.world.net import Failed, Party, Port, run


def check(device: str) -> None:
    """Raise Refusal if there is no such device here, or if it is in use: with a default route, an
    address, or as a part of a bridge or a bond."""
    found = {one["ifname"]: one for one in _said("address", "show")}
    if device not in found:
        others = ", ".join(sorted(found.keys() - {"lo"}))
        raise Refusal(device, "there is no such device", f"Name one of these: {others or 'none'}")
    for version in ("-4", "-6"):
        for route in _said(version, "route", "show", "default", "table", "all"):
            hops = [route, *route.get("nexthops", [])]
            if any(hop.get("dev") == device for hop in hops):
                raise Refusal(
                    device,
                    "the default route of this machine goes through it",
                    "Name a card that is connected to nothing but the box",
                )
    one = found[device]
    addresses = [
        f"{i['local']}/{i['prefixlen']}" for i in one["addr_info"] if i.get("scope") != "link"
    ]
    if addresses:
        raise Refusal(
            device,
            f"it is in use here: it has the address {addresses[0]}",
            f"Make sure that it is the right card, and run: ip address flush dev {device}",
        )
    if "LOOPBACK" in one["flags"] or "master" in one:
        raise Refusal(device, "it is a part of something else", "Name a card of its own")


@contextmanager
def borrowed(party: Party, device: str) -> Iterator[Port]:
    """Move `device` into `party`, and back afterwards; it is down then. Raises Refusal, and
    whatever `check` raises."""
    check(device)
    if os.geteuid() != 0:
        raise Refusal(device, "only root may move a network card", "Run this as root")
    world = party.world
    try:
        run(["ip", "link", "set", "dev", device, "down"])
        run(["ip", "link", "set", "dev", device, "netns", str(world.process)])
    except Failed as error:
        raise Refusal(
            device, f"it cannot be moved ({error})", "Name another card; wireless ones stay"
        ) from error
    world.run("ip", "link", "set", "dev", device, "netns", party.name)
    try:
        yield party.port(device)
    finally:
        _give_back(party, device)


def _give_back(party: Party, device: str) -> None:
    """Move `device` back to this process's namespace. A party that is gone has given it back."""
    enter = ["nsenter", f"--target={party.world.process}", "--net", "--mount", "--"]
    inside = ["ip", "netns", "exec", party.name, "ip", "link", "set", "dev", device]
    try:
        run([*enter, *inside, "down"])
        run([*enter, *inside, "netns", str(os.getpid())])
    except Failure as error:
        raise Refusal(
            device, f"it was not given back ({error})", "It comes back when this command ends"
        ) from error


def _said(*what: str) -> list[dict[str, Any]]:
    return [one for one in json.loads(run(["ip", "-j", *what]) or "[]") if one]
