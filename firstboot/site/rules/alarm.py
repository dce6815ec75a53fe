"""Who is told when something is wrong: servers, mail addresses, passwords.

A password and the URL of a webhook are never part of a message.
"""

import re
from collections.abc import Iterator

from firstboot.core.document import Key
from firstboot.core.fault import quote_value
from firstboot.core.values import is_address
from firstboot.site.alarms import destinations
from firstboot.site.model import PortRole, Site
from firstboot.site.rules.finding import Finding, advice, error
from firstboot.site.rules.syntax import EMAIL, is_host

CERTIFICATE = re.compile(r"[0-9a-fA-F]{64}")

URL = re.compile(
    r"https://(?:[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?"
    r"(?:/[A-Za-z0-9._~/%?=&+:@,;!*()-]{0,1000})?"
)
"""Without a user and without a fragment."""

LARGEST_PORT = 65535

LOGIN = re.compile(r"[\x21-\x7e]{1,200}")
"""An account or a password: printable ASCII, for SMTP's AUTH PLAIN (RFC 4616)."""

MAIL: Key = ("alarm", "mail")
WEBHOOK: Key = ("alarm", "webhook")


def check(site: Site) -> Iterator[Finding]:
    yield from _mail(site)
    yield from _webhook(site)
    for key, text in (
        ((*MAIL, "certificate"), site.alarm.mail.certificate),
        ((*WEBHOOK, "certificate"), site.alarm.webhook.certificate),
    ):
        if text is not None and not CERTIFICATE.fullmatch(text):
            yield error(
                key,
                "this is not the SHA-256 of a certificate",
                "Write the 64 digits that `openssl x509 -noout -fingerprint -sha256` prints, "
                "without colons",
            )


def _mail(site: Site) -> Iterator[Finding]:
    mail = site.alarm.mail
    if mail.relay is None:
        for name in ("address", "certificate", "to", "sender", "user", "password"):
            if getattr(mail, name):
                yield error(
                    (*MAIL, name),
                    "there is no relay that takes the mail, so nobody is told",
                    "Add alarm.mail.relay, or remove the other keys of alarm.mail",
                )
                return
        return
    yield from _host((*MAIL, "relay"), mail.relay)
    if not mail.to:
        yield error((*MAIL, "to"), "nobody gets the mail", "Add the mail address of who is told")
    senders = [((*MAIL, "sender"), mail.sender)] if mail.sender else []
    for key, text in (*(((*MAIL, "to", at), one) for at, one in enumerate(mail.to)), *senders):
        if not EMAIL.fullmatch(text):
            reason = f"{quote_value(text)} is not a mail address"
            yield error(key, reason, "Write one such as noc@example.org")
    if (mail.user is None) != (mail.password is None):
        lacks, has = ("password", "user") if mail.user else ("user", "password")
        yield error(
            (*MAIL, "password"),
            f"there is no {lacks} beside the {has}",
            f"Add alarm.mail.{lacks}, or remove alarm.mail.{has}",
        )
    for name in ("user", "password"):
        text = getattr(mail, name)
        if text is not None and not LOGIN.fullmatch(text):
            yield error(
                (*MAIL, name),
                f"the {name} is not 1 to 200 printable ASCII characters without spaces",
                "Have the relay's operator set another one",
            )
    yield from _unresolved(site, (*MAIL, "relay"), mail.relay, mail.address is not None)


def _webhook(site: Site) -> Iterator[Finding]:
    webhook = site.alarm.webhook
    key = (*WEBHOOK, "url")
    if webhook.url is None:
        for name in ("address", "certificate"):
            if getattr(webhook, name):
                yield error(
                    (*WEBHOOK, name),
                    "there is no URL to post to, so nobody is told",
                    "Add alarm.webhook.url, or remove the other keys of alarm.webhook",
                )
        return
    host = _host_of(site) if URL.fullmatch(webhook.url) else ""
    if not host:
        yield error(
            key,
            "this is not an https address that something can be posted to",
            "Write one such as https://hooks.example.org/T0/B0, without a user and without #",
        )
        return
    yield from _host(key, host)
    yield from _unresolved(site, key, host, webhook.address is not None)


def _host_of(site: Site) -> str:
    try:
        (found,) = (one for one in destinations(site) if one.channel == "webhook")
    except ValueError:
        return ""
    return found.host if 0 < found.port <= LARGEST_PORT else ""


def _host(key: Key, host: str) -> Iterator[Finding]:
    if not is_host(host):
        reason = f"{quote_value(host)} is neither a host name nor an address"
        yield error(key, reason, "Write one such as mail.example.org")


def _unresolved(site: Site, key: Key, host: str, known: bool) -> Iterator[Finding]:
    managing = any(port.role is PortRole.MANAGEMENT for port in site.ports)
    if managing and not known and not is_address(host):
        yield advice(
            key,
            f"{host} has to be resolved, which fails while the transit and exchange ports are down",
            f"Add {'.'.join(map(str, key[:-1]))}.address, if its address does not change",
        )
