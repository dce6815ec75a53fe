"""Messages that go out, to real servers on the loopback: by TLS alone, from the right address."""

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from firstboot.box.alarms.delivery import Sender
from firstboot.box.alarms.letter import Letter, Undelivered, Unreachable, Way
from firstboot.box.systems import freebsd
from firstboot.box.systems.rehearsal import SYSTEM
from firstboot.core.document import load
from firstboot.site.alarms import destinations
from firstboot.site.model import Alarm, Mail, PortRole, Site, Webhook
from tests.firstboot.box.alarms.servers import HOST, Authority, Hook, Relay, authority, running
from tests.firstboot.site.sites import ONE

ROUTER, MANAGEMENT = "127.0.0.9", "127.0.0.10"
LETTER = Letter("exitisp: 1 alarm", "Zwölf Relays sind fort.\n.\n", {"schema": 1, "text": "ö"})


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def relay(trusted: Authority) -> Iterator[Relay]:
    served = Relay(trusted)
    with running(served):
        yield served


@pytest.fixture
def hook(trusted: Authority) -> Iterator[Hook]:
    served = Hook(trusted)
    with running(served):
        yield served


def site(alarm: Alarm, router: str = ROUTER) -> Site:
    """The example, with addresses of the loopback for the router and the management port."""
    one = load(ONE, Site).value
    ports = tuple(
        replace(port, addresses=(IPv4Interface(f"{MANAGEMENT}/8"),))
        if port.role is PortRole.MANAGEMENT
        else port
        for port in one.ports
    )
    return replace(one, ports=ports, router=(IPv4Address(router),), alarm=alarm)


def by_mail(served: Relay, **more: object) -> Alarm:
    mail = Mail(HOST, served.port, to=("noc@example.org", "ada@example.org"))
    return Alarm(replace(mail, **more))  # type: ignore[arg-type]


def by_hook(served: Hook, **more: object) -> Alarm:
    webhook = Webhook(f"https://{HOST}:{served.port}/exit?a=b")
    return Alarm(webhook=replace(webhook, **more))  # type: ignore[arg-type]


def deliver(of: Site, trust: Path | None, *ways: Way) -> Way:
    (to,) = destinations(of)
    sender = Sender(of, SYSTEM, {}, str(trust) if trust else None)
    return sender.deliver(LETTER, to, ways or tuple(Way))


def test_a_mail_goes_out_encrypted_and_from_the_router_s_address(
    relay: Relay, trusted: Authority
) -> None:
    assert deliver(site(by_mail(relay)), trusted.trust) is Way.ROUTER
    (mail,) = relay.mails
    assert "Subject: exitisp: 1 alarm" in mail
    assert "From: noc@example.org" in mail
    assert "To: noc@example.org, ada@example.org" in mail
    assert "Auto-Submitted: auto-generated" in mail
    assert relay.sources == [ROUTER]
    assert [line.split()[0] for line in relay.clear] == ["ehlo", "STARTTLS"]
    assert relay.logins == []


def test_it_logs_in_where_the_relay_wants_it(relay: Relay, trusted: Authority) -> None:
    of = site(by_mail(relay, user="exit", password="good", sender="exit@example.org"))
    deliver(of, trusted.trust)
    assert len(relay.logins) == 1
    assert "From: exit@example.org" in relay.mails[0]
    assert not any("AUTH" in line for line in relay.clear)


def test_a_document_is_posted(hook: Hook, trusted: Authority) -> None:
    deliver(site(by_hook(hook)), trusted.trust)
    ((place, body),) = hook.posts
    assert place == "/exit?a=b"
    assert json.loads(body) == LETTER.document
    assert hook.sources == [ROUTER]


@pytest.mark.parametrize("pinned", [False, True])
def test_nothing_is_told_to_whom_nobody_vouches_for(relay: Relay, hook: Hook, pinned: bool) -> None:
    wrong = {"certificate": "ab" * 32} if pinned else {}
    for of in (by_mail(relay, user="a", password="b", **wrong), by_hook(hook, **wrong)):
        with pytest.raises(Undelivered, match="certificate is"):
            deliver(site(of), None)
    assert (relay.mails, relay.logins, hook.posts) == ([], [], [])


def test_a_certificate_that_the_site_names_is_trusted(
    relay: Relay, hook: Hook, trusted: Authority
) -> None:
    for of in (
        by_mail(relay, certificate=trusted.digest.upper()),
        by_hook(hook, certificate=trusted.digest),
    ):
        deliver(site(of), None)
    assert len(relay.mails) == len(hook.posts) == 1


def test_a_relay_without_tls_gets_nothing(relay: Relay, trusted: Authority) -> None:
    relay.starttls = False
    with pytest.raises(Undelivered, match="offers no STARTTLS"):
        deliver(site(by_mail(relay, user="a", password="b")), trusted.trust)
    assert [line.split()[0] for line in relay.clear if "quit" not in line.lower()] == ["ehlo"]


def test_without_a_way_from_the_router_it_goes_over_the_management_port(
    relay: Relay, hook: Hook, trusted: Authority
) -> None:
    for alarm in (by_mail(relay), by_hook(hook)):
        of = site(alarm, router="198.51.100.1")
        assert deliver(of, trusted.trust) is Way.MANAGEMENT
    assert relay.sources == hook.sources == [MANAGEMENT]


def test_the_management_port_s_routing_table_is_chosen_by_the_socket() -> None:
    options: list[tuple[int, ...]] = []

    class Socket:
        def setsockopt(self, *option: int) -> None:
            options.append(option)

    freebsd.SYSTEM.by_management(Socket())  # type: ignore[arg-type]
    assert options == [(0xFFFF, 0x1014, 1)]


def test_why_nothing_was_taken_is_told_in_a_line(
    relay: Relay, hook: Hook, trusted: Authority
) -> None:
    relay.answer, hook.status = "554 no\tsuch thing", 302
    for alarm, why in ((by_mail(relay), "it answers 554 no such thing"), (by_hook(hook), "302")):
        with pytest.raises(Undelivered, match=why) as caught:
            deliver(site(alarm), trusted.trust)
        assert not isinstance(caught.value, Unreachable)
        assert "\n" not in str(caught.value)


def test_a_server_that_is_away_is_told_for_each_way(trusted: Authority) -> None:
    away = Relay(trusted)
    with running(away):
        pass
    with pytest.raises(Unreachable, match=r"router's address: .*refused; over the management port"):
        deliver(site(by_mail(away)), trusted.trust)


def test_where_a_name_led_is_remembered_for_when_it_does_not_resolve(
    relay: Relay, trusted: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = site(by_mail(relay, relay="mail.example.org", certificate=trusted.digest))
    (to,) = destinations(of)
    sender = Sender(of, SYSTEM, {})

    def fails(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(8, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(Unreachable, match=r"mail\.example\.org does not resolve"):
        sender.deliver(LETTER, to)
    found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, relay.port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found])
    sender.deliver(LETTER, to)
    assert sender.addresses == {"mail.example.org": (HOST,)}
    monkeypatch.setattr(socket, "getaddrinfo", fails)
    sender.deliver(LETTER, to)
    assert len(relay.mails) == 2
