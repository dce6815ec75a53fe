"""Boots an image for a person, with its serial console in their terminal."""

import socket
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from firstboot.site.model import Port, PortRole, Site
from qemu import accelerator
from qemu.accelerator import Accelerator
from qemu.disk import Disk
from qemu.firmware import Firmware
from qemu.lab.lab_site import on
from qemu.lab.systems import system_of
from qemu.machine import Machine
from qemu.wire import HostNetwork, Nic, Plug, Wire
from qemu.world import trust
from qemu.world.internet import Internet

EXAMPLE = Path(__file__).parents[1] / "examples" / "one-port-of-each.yaml"
"""The site whose ports the machine has cards for, and whose answers the README gives."""

SSH_PORT = 2222
"""TCP port of 127.0.0.1 that leads to the machine's SSH; another one if this is taken."""

MAC = "02:00:5e:10:06:{:02x}"
"""Locally administered; the number is the card's."""

PROCESSORS = 2


@dataclass(frozen=True, slots=True)
class Card:
    """A network card, and the port of the example that it is for."""

    port: Port
    nic: Nic


def boot_interactively(
    image: Path,
    *,
    firmware: Firmware = Firmware.UEFI,
    memory: int = 1024,
    persistent: bool = False,
    internet: bool = False,
) -> None:
    """Boot `image`, with COM1 in the terminal, until Ctrl-] is typed or the guest powers off.

    The machine has a network card for each port of EXAMPLE, in that order. The management card is
    reached from this host over SSH (`HostNetwork`). The others have a link but nothing at the
    other end; with `internet`, the simulated Internet around EXAMPLE is there. Nothing leaves
    this host either way. `memory` is in MiB. The image is written only if `persistent`.

    Raises Refusal and MachineFailure as Machine does, Refusal if standard input is no terminal,
    and with `internet` whatever Internet raises.
    """
    site = on(system_of(image).card, EXAMPLE)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boot-")))
        plugs = _simulated(site, folder, stack) if internet else {}
        cards = [
            Card(port, Nic(MAC.format(at), plug(port, plugs, stack)))
            for at, port in enumerate(site.ports)
        ]
        machine = Machine(
            Disk(image, snapshot=not persistent),
            folder=folder,
            firmware=firmware,
            nics=[card.nic for card in cards],
            memory=memory,
            processors=PROCESSORS,
        )
        stack.enter_context(machine)
        print(introduction(image, cards, persistent, internet), file=sys.stderr)
        machine.console.interact()


def introduction(
    image: Path, cards: Sequence[Card], persistent: bool, internet: bool = False
) -> str:
    """What the person is told before the console begins."""
    kept = "is kept in the image" if persistent else "is thrown away"
    lines = [
        f"{image.name} boots. Ctrl-] (Ctrl-5 where the keyboard has no ]) switches it off;",
        f"what it wrote to its disk {kept} then.",
    ]
    if accelerator.best() is Accelerator.TCG:
        lines.append("This host has no usable KVM, so the first question takes a minute or two.")
    lines.append(f"Its network cards, for the ports of {EXAMPLE.parent.name}/{EXAMPLE.name}:")
    width = max(len(card.port.name) for card in cards)
    lines += [
        f"  {card.port.device}  {card.port.name:{width}}  {_far_end(card, internet)}"
        for card in cards
    ]
    lines += [
        line
        for card in cards
        if isinstance(card.nic.plug, HostNetwork)
        for line in _how_to_log_in(card.nic.plug)
    ]
    return "\n".join(lines)


def _far_end(card: Card, internet: bool) -> str:
    if isinstance(card.nic.plug, HostNetwork):
        return "connected to this host"
    return "connected to the simulated Internet" if internet else "connected to nothing"


def _how_to_log_in(network: HostNetwork) -> list[str]:
    """The SSH command, and when it works. Each boot without --persistent makes new host keys, so
    the command keeps none."""
    return [
        "Once the box is configured, log in with the key that you gave it, in another terminal:",
        f"  ssh -p {network.port} -o UserKnownHostsFile=/dev/null root@127.0.0.1",
        f"This needs the example's management address, {network.guest}/"
        f"{network.network.prefixlen}, and its router, {network.gateway}.",
    ]


def plug(port: Port, plugs: dict[str, Plug], stack: ExitStack) -> Plug | HostNetwork:
    """What the card of `port` is connected to: the host for management, else the simulated
    Internet's plug of that card, else a wire of `stack` with nothing at its other end."""
    if port.role is PortRole.MANAGEMENT:
        return _host_network(port)
    return plugs.get(port.device) or stack.enter_context(Wire()).a


def _host_network(port: Port) -> HostNetwork:
    """The network of the management port, as the example has it."""
    address = next(one for one in port.addresses if isinstance(one, IPv4Interface))
    gateway = next(one for one in port.gateway if isinstance(one, IPv4Address))
    return HostNetwork(address.network, gateway, address.ip, free_port(SSH_PORT))


def free_port(wanted: int) -> int:
    """`wanted` if nobody listens on that TCP port of 127.0.0.1, otherwise a port that is free."""
    for port in (wanted, 0):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = sock.getsockname()[1]
            return found
    raise AssertionError("the kernel always has a free port")


def _simulated(site: Site, folder: Path, stack: ExitStack) -> dict[str, Plug]:
    """The simulated Internet around `site`, started; a plug for each port by its name."""
    world = folder / "world"
    world.mkdir()
    return stack.enter_context(Internet(site, world, trust.make(folder / "keys", site))).plugs
