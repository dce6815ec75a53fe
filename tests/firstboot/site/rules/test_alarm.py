"""Who is told when something is wrong with the box."""

import pytest

from firstboot.core import document
from firstboot.site.alarms import Opening, destinations, openings
from firstboot.site.check import Severity
from firstboot.site.model import Site
from tests.firstboot.site.sites import ONE, changed, found, says

HERE = "relays:\n"
DIGEST = "ab" * 32


def alarm(text: str) -> tuple[str, str]:
    return HERE, f"alarm: {text}\n{HERE}"


def site(text: str) -> Site:
    return document.parse(changed(alarm(text)), "site.yaml", Site).value


MAIL = "{mail: {relay: mail.example.org, address: 192.0.2.9, to: [noc@example.org]}}"


@pytest.mark.parametrize(
    "text",
    [
        MAIL,
        MAIL.replace("to:", "user: exit, password: s3cret!, port: 465, sender: a@example.org, to:"),
        MAIL.replace("to:", f"certificate: {DIGEST}, to:"),
        "{webhook: {url: 'https://192.0.2.9/a'}}",
        f"{{webhook: {{url: 'https://[2001:db8:f0::9]:8443/a?b=c', certificate: {DIGEST}}}}}",
    ],
)
def test_these_are_good(text: str) -> None:
    assert found(alarm(text)) == []


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ("{mail: {to: [noc@example.org]}}", "alarm.mail.to", "no relay"),
        ("{mail: {password: secret}}", "alarm.mail.password", "no relay"),
        (MAIL.replace("mail.example.org", "a b"), "alarm.mail.relay", "neither a host name"),
        (MAIL.replace("[noc@example.org]", "[]"), "alarm.mail.to", "nobody gets the mail"),
        (MAIL.replace("noc@example.org", "noc"), "alarm.mail.to[0]", "not a mail address"),
        (MAIL.replace("to:", "sender: noc, to:"), "alarm.mail.sender", "not a mail address"),
        (MAIL.replace("to:", "user: exit, to:"), "alarm.mail.password", "no password"),
        (MAIL.replace("to:", "password: s3cret, to:"), "alarm.mail.password", "no user"),
        (MAIL.replace("to:", "certificate: abcd, to:"), "alarm.mail.certificate", "not the SHA"),
        (MAIL.replace("to:", "port: 0, to:"), "alarm.mail.port", "not between 1 and 65535"),
        ("{webhook: {address: 192.0.2.9}}", "alarm.webhook.address", "no URL"),
        *(
            (f"{{webhook: {{url: '{url}'}}}}", "alarm.webhook.url", "not an https address")
            for url in (
                "http://example.org/a",
                "https://user:pass@example.org/a",
                "https://example.org/a#b",
                "https://example.org:0/a",
                "https://example.org:65536/a",
                "https:///a",
                "https://[::1/a",
                "ftp://example.org/",
            )
        ),
    ],
)  # fmt: skip
def test_these_are_not(text: str, key: str, reason: str) -> None:
    assert says(found(alarm(text)), Severity.ERROR, key, reason)


@pytest.mark.parametrize("name", ["user", "password"])
def test_a_login_that_no_server_takes_is_refused_and_not_shown(name: str) -> None:
    wrong = found(alarm(MAIL.replace("to:", "user: exit, password: good, to:").replace(
        f"{name}: {'exit' if name == 'user' else 'good'}", f"{name}: 'hidden word'")))  # fmt: skip
    assert says(wrong, Severity.ERROR, f"alarm.mail.{name}", "printable ASCII")
    assert not any("hidden" in one.reason + one.remedy for one in wrong)


def test_a_webhook_s_url_is_in_no_finding() -> None:
    text = "{webhook: {url: 'https://a_b.example.org/hidden'}}"
    assert not any("hidden" in one.reason + one.remedy for one in found(alarm(text)))


def test_a_name_that_fails_with_the_ports_is_advised_against() -> None:
    named = MAIL.replace("address: 192.0.2.9, ", "")
    assert says(found(alarm(named)), Severity.ADVICE, "alarm.mail.relay", "has to be resolved")


def test_the_packet_filter_opens_what_is_needed_and_no_more() -> None:
    both = MAIL[:-1] + ", webhook: {url: 'https://hooks.example.org/a'}}"
    (mail, webhook) = destinations(site(both))
    assert (mail.host, mail.port, str(mail.address)) == ("mail.example.org", 587, "192.0.2.9")
    assert (webhook.host, webhook.port, webhook.address) == ("hooks.example.org", 443, None)
    assert [one.to for one in openings(site(both), but=(443,))] == ["192.0.2.9 port 587"]
    assert [one.to for one in openings(site(both))] == ["192.0.2.9 port 587", "any port 443"]
    same = MAIL.replace("to:", "port: 443, to:")[:-1] + ", webhook: {url: 'https://a.example'}}"
    assert openings(site(same)) == (Opening(None, 443),)
    assert openings(document.load(ONE, Site).value) == ()
