"""Where sentences about the box go: what of a site's `alarm` packets are sent to."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from firstboot.core.values import Address, is_address
from firstboot.site.model import Site

HTTPS = 443

FETCHED = (HTTPS,)
"""Ports to which the router may open connections anyway, for releases."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A server and its TCP port. `address` is given, or None if the name of the `host` has to be
    resolved."""

    channel: str
    host: str
    port: int
    address: Address | None
    certificate: str | None


def destinations(site: Site) -> tuple[Destination, ...]:
    """The servers of the ways by which `site` tells: none, one or two. Raises ValueError for a URL
    without host, or whose port is no number."""
    found = []
    mail, webhook = site.alarm.mail, site.alarm.webhook
    if mail.relay:
        address = mail.address or _literal(mail.relay)
        found.append(Destination("mail", mail.relay, mail.port, address, mail.certificate))
    if webhook.url:
        url = urlsplit(webhook.url)
        host, port = url.hostname, HTTPS if url.port is None else url.port
        if not host:
            raise ValueError("a URL without a host")
        address = webhook.address or _literal(host)
        found.append(Destination("webhook", host, port, address, webhook.certificate))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Opening:
    """TCP connections to a `port`, of one `address` or, with None, of any."""

    address: Address | None
    port: int

    @property
    def to(self) -> str:
        """As pf.conf(5) has it."""
        return f"{self.address or 'any'} port {self.port}"


def openings(site: Site, *, but: Iterable[int] = ()) -> tuple[Opening, ...]:
    """The connections that the packet filter has to let out for `site`, each once, without those to
    ports in `but`. Of a port that any address may have, there are no single addresses."""
    found = [(one.address, one.port) for one in destinations(site) if one.port not in {*but}]
    to_any = {port for address, port in found if address is None}
    wanted = [(None if port in to_any else address, port) for address, port in found]
    return tuple(Opening(address, port) for address, port in dict.fromkeys(wanted))


def _literal(host: str) -> Address | None:
    return ip_address(host) if is_address(host) else None
