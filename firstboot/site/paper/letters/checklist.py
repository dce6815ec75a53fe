"""What has to be done, in order, and what waits for what."""

from collections.abc import Iterator
from dataclasses import dataclass

from firstboot.site.model import PeerRole, PortRole, Rir, Site

PORTALS = {
    Rir.RIPE: "RIPE NCC: webupdates, the RPKI dashboard",
    Rir.ARIN: "ARIN Online, or Reg-RWS",
    Rir.APNIC: "MyAPNIC",
    Rir.LACNIC: "MiLACNIC",
    Rir.AFRINIC: "MyAFRINIC",
}


@dataclass(frozen=True)
class Task:
    """`after` are the keys of those that have to be done before; `papers` what it needs."""

    key: str
    title: str
    detail: str
    papers: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def tasks(site: Site) -> list[Task]:
    """Every task of `site`, none before one that it waits for."""
    return list(_provided(site) if site.provided else _own(site))


def _provided(site: Site) -> Iterator[Task]:
    yield _mailbox(site)
    yield Task(
        "provider",
        "The provider knows, in writing, that exits are run",
        "Send the notice, and wait for a yes.",
        ("letters/notice-provider.txt",),
        ("mailbox",),
    )
    yield from _names(("provider",), "The provider")
    yield from _last(("provider", "names"))


def _own(site: Site) -> Iterator[Task]:
    portal = PORTALS[site.registry.rir or Rir.RIPE]
    yield _mailbox(site)
    yield Task(
        "registry",
        "The registry has the objects",
        f"{portal}. Contacts and remarks first, then policy and routes.",
        ("registry/objects.txt", "registry/remarks.txt"),
        ("mailbox",),
    )
    yield Task(
        "roas",
        "ROAs are made",
        "Then wait a day, until validators everywhere have them.",
        ("rpki/roas.csv",),
        ("registry",),
    )
    yield Task(
        "peeringdb",
        "PeeringDB has the network",
        "Exchanges and peers look there.",
        ("peeringdb/network.json",),
        ("registry",),
    )
    heard = []
    for peer in (one for one in site.peers if one.role is PeerRole.TRANSIT):
        key = f"transit-{peer.name}"
        heard.append(key)
        yield Task(
            key,
            f"{peer.name} (AS{peer.asn}) knows what we do, and takes our prefixes",
            "Wait for a yes to the notice, and until its filters have the routes.",
            (f"letters/notice-{peer.name}.txt", f"letters/authority-{peer.name}.txt"),
            ("registry", "roas"),
        )
    for port in (one for one in site.ports if one.role is PortRole.EXCHANGE):
        key = f"port-{port.name}"
        heard.append(key)
        yield Task(
            key,
            f"The port at the exchange ({port.name}) is ordered and tested",
            "The exchange wants the Ethernet address, and looks at what the port sends.",
            (f"letters/port-{port.name}.txt",),
            ("peeringdb",),
        )
    yield from _names(("registry",), "Registry, upstreams and exchanges")
    yield from _last((*heard, "roas", "names"))


def _mailbox(site: Site) -> Task:
    return Task(
        "mailbox",
        f"{site.operator.abuse} and {site.operator.contact} are read every day",
        "Write to both from elsewhere, and answer. Read the answers that you will send beforehand.",
    )


def _names(after: tuple[str, ...], who: str) -> Iterator[Task]:
    yield Task(
        "servers",
        "The name servers have the zones",
        "Both answer for all of them, with the same serial.",
        ("zones/",),
    )
    yield Task(
        "names",
        "The addresses have names",
        f"{who} delegate the zones, or write the names. DS records come after everything answers.",
        ("zones/of-others.txt",),
        ("servers", *after),
    )


def _last(after: tuple[str, ...]) -> Iterator[Task]:
    yield Task(
        "notice",
        "The exit notice is on the web page",
        "In the languages of those who will read it.",
        ("letters/exit-notice.en.html",),
    )
    yield Task(
        "box",
        "The box is set up, and its ports go up",
        "exitisp status on the box says that everything is well.",
        (),
        (*after, "notice"),
    )
    yield Task(
        "published",
        "What is published is compared with the site",
        "./exitisp paper --check, today and once a month.",
        (),
        ("box",),
    )
