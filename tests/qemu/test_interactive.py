"""The machine that `./exitisp boot` makes: its cards, and what the person is told of them."""

import socket
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from firstboot.site.model import PortRole
from qemu import interactive
from qemu.lab.lab_site import on
from qemu.lab.systems import HARDENEDBSD, REHEARSAL, system_of
from qemu.machine import Machine
from qemu.wire import HostNetwork, Nic, Plug, Wire
from tests.qemu.test_machine import MAC, needs_qemu

NETWORK = HostNetwork(
    IPv4Network("192.0.2.192/27"), IPv4Address("192.0.2.193"), IPv4Address("192.0.2.194"), 0
)


def cards(stack: ExitStack, port: int = 2222) -> list[interactive.Card]:
    """The cards of the example on a rehearsal."""
    network = HostNetwork(NETWORK.network, NETWORK.gateway, NETWORK.guest, port)
    return [
        interactive.Card(
            port,
            Nic(
                MAC,
                network if port.role is PortRole.MANAGEMENT else stack.enter_context(Wire()).a,
            ),
        )
        for port in on(REHEARSAL.card, interactive.EXAMPLE).ports
    ]


def test_the_person_is_told_how_to_leave_which_card_is_which_and_where_ssh_is() -> None:
    with ExitStack() as stack:
        text = interactive.introduction(Path("dist/box.img"), cards(stack, 2345), persistent=False)
    lines = text.splitlines()
    assert "Ctrl-]" in lines[0]
    assert "thrown away" in lines[1]
    assert "  eth0  transit     connected to nothing" in lines
    assert "  eth2  lan         connected to nothing" in lines
    assert "  eth3  management  connected to this host" in lines
    assert "  ssh -p 2345 -o UserKnownHostsFile=/dev/null root@127.0.0.1" in lines
    assert "192.0.2.194/27" in lines[-1]
    assert "192.0.2.193" in lines[-1]
    assert max(map(len, lines)) < 100


def test_the_person_is_told_when_the_image_keeps_what_was_written_and_who_is_at_the_cards() -> None:
    with ExitStack() as stack:
        text = interactive.introduction(Path("box.img"), cards(stack), True, internet=True)
    assert "kept in the image" in text
    assert "eth0  transit     connected to the simulated Internet" in text
    assert "eth3  management  connected to this host" in text


def test_each_port_of_the_example_but_management_gets_a_wire_or_the_internets_plug() -> None:
    transit, exchange, lan, management = on(HARDENEDBSD.card, interactive.EXAMPLE).ports
    plug = Plug(Path("a"), Path("b"))
    with ExitStack() as stack:
        assert interactive.plug(transit, {transit.device: plug}, stack) is plug
        wired = interactive.plug(exchange, {transit.device: plug}, stack)
        assert isinstance(wired, Plug)
        assert wired != interactive.plug(lan, {}, stack)
        host = interactive.plug(management, {"management": plug}, stack)
    assert isinstance(host, HostNetwork)
    assert (host.network, host.gateway, host.guest) == (
        NETWORK.network,
        NETWORK.gateway,
        NETWORK.guest,
    )


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        assert interactive.free_port(number) not in (0, number)
    assert interactive.free_port(number) == number


@pytest.mark.parametrize(
    ("name", "system"),
    [("exitisp.img", HARDENEDBSD), ("exitisp-rehearsal.img", REHEARSAL)],
)
def test_the_name_of_an_image_tells_how_its_cards_are_called(name: str, system: object) -> None:
    assert system_of(Path("dist", name)) is system


@needs_qemu
def test_the_host_reaches_the_machine_by_the_forwarded_port_of_loopback_alone(
    tmp_path: Path,
) -> None:
    port = interactive.free_port(0)
    network = HostNetwork(NETWORK.network, NETWORK.gateway, NETWORK.guest, port)
    with Machine(folder=tmp_path, nics=[Nic(MAC, network)]):
        with socket.create_connection(("127.0.0.1", port), timeout=60):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=60)
    log = (tmp_path / "machine.qemu.log").read_text()
    assert '"restrict": true' in log
    assert f"tcp:127.0.0.1:{port}-192.0.2.194:22" in log
