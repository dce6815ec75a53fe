"""Files whose lines are known one by one: logs, jobs, the clock, names, keys of the root zone.

Sources: syslog.conf(5), newsyslog.conf(5), crontab(5), cron(8), ntp.conf(5), resolver(5).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from firstboot.site.render import Rendered
from firstboot.site.verify.addresses import address_of
from firstboot.site.verify.context import Context, Flaw


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    """The lines that say something, in their order, against those that the site wants."""
    wanted_lines, comments, effect = LINES[file.path]
    wanted = list(wanted_lines(context))
    found = []
    for number, line in enumerate(file.text.split("\n"), 1):
        said = " ".join(line.split())
        if not said or comments.match(said):
            continue
        found.append((number, said))
    left = Counter(wanted)
    for number, said in found:
        if left[said]:
            left[said] -= 1
        else:
            yield Flaw(
                file.path, number, f"{said[:60]!a} is no part of what the site asks for: {effect}"
            )
    for said in left.elements():
        yield Flaw(file.path, 1, f"{said[:60]!a} is missing: {effect}")
    if not left.total() and len(found) == len(wanted):
        for (number, said), line in zip(found, wanted, strict=True):
            if said != line:
                yield Flaw(file.path, number, f"{said[:60]!a} is in another place: {effect}")
                break


def _syslog(context: Context) -> Iterable[str]:
    return (
        "kern.err;daemon.crit;auth.crit /dev/console",
        "auth.info;authpriv.info /var/log/auth.log",
        "kern.notice;daemon.notice;syslog.notice /var/log/messages",
        # What the box itself says there, to see that lines arrive.
        "local7.=debug /var/run/exitisp.heard",
        # Of bgpd alone: changes of its sessions, below notice. What follows is everybody's again.
        "!bgpd",
        "daemon.=info /var/log/messages",
        "!*",
    )


def _newsyslog(context: Context) -> Iterable[str]:
    return (
        "/var/log/auth.log root:wheel 600 2 256 * C",
        "/var/log/messages root:wheel 600 2 512 * C",
        "/var/log/svcj_*_console.log root:wheel 600 1 128 * GN",
        "/var/log/utx.log root:wheel 600 1 64 * BN",
    )


def _crontab(context: Context) -> Iterable[str]:
    return (
        "SHELL=/bin/sh",
        "PATH=/sbin:/bin:/usr/sbin:/usr/bin",
        'MAILTO=""',
        "*/10 * * * * root newsyslog",
        "* * * * * root touch /var/run/exitisp.cron",
    )


def _rpki(context: Context) -> Iterable[str]:
    minute = context.site.as_number % 10
    source = context.plan.router.v4 or context.plan.router.v6
    return (
        "PATH=/bin:/sbin:/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin",
        f"{minute}-59/10 * * * * root lockf -s -t 0 /var/run/exitisp/rpki.lock "
        f"/usr/local/libexec/exitisp/rpki validate {source} 2>&1 | "
        "logger -t rpki-client -p daemon.notice",
    )


def _ntp(context: Context) -> Iterator[str]:
    for server in context.site.clock.servers:
        yield f"{'pool' if address_of(server) is None else 'server'} {server} iburst"
    by_name = any(address_of(server) is None for server in context.site.clock.servers)
    agreeing = 3 if by_name else min(len(context.site.clock.servers), 3)
    yield f"tos minclock 3 maxclock 6 minsane {agreeing}"
    yield "interface ignore all"
    yield "interface ignore wildcard"
    for address in context.plan.router:
        yield f"interface listen {address}"
    yield "restrict default ignore"
    yield "restrict source nomodify notrap noquery"
    yield "restrict 127.0.0.1"
    yield "restrict ::1"
    yield "disable monitor"


def _resolv(context: Context) -> Iterable[str]:
    return "nameserver 127.0.0.1", "options edns0"


def _relays_resolv(context: Context) -> Iterable[str]:
    return ("nameserver 127.0.0.53",)


def _root_keys(context: Context) -> Iterable[str]:
    """Of 2017 and 2024, as IANA publishes them (root-anchors.xml)."""
    return (
        ". 172800 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
        ". 172800 IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
    )


HASH = re.compile("#")
SYSLOG_COMMENT = re.compile(r"#(?![!+:-])")
"""syslogd takes #!PROGRAM, #+HOST and #:FILTER for the beginning of a block (syslog.conf(5))."""

KEYS_COMMENT = re.compile(";(?!;)")
"""Unbound keeps its state in such comments: ;;REVOKED turns validation off."""

LINES: dict[str, tuple[Callable[[Context], Iterable[str]], re.Pattern[str], str]] = {
    "etc/syslog.conf": (_syslog, SYSLOG_COMMENT, "what is written down, and where it goes"),
    "etc/newsyslog.conf": (_newsyslog, HASH, "how long it is kept, and who reads it"),
    "etc/crontab": (_crontab, HASH, "what runs by itself"),
    "etc/cron.d/rpki-client": (_rpki, HASH, "what runs by itself, and from which address it asks"),
    "etc/ntp.conf": (_ntp, HASH, "whom the clock asks, and from which address"),
    "etc/resolv.conf": (_resolv, HASH, "names are asked of the own resolver"),
    "etc/local/tor/resolv.conf": (_relays_resolv, HASH, "names are asked of the own resolver"),
    "var/unbound/root.key": (_root_keys, KEYS_COMMENT, "what answers are validated with"),
}
"""Lines, how a comment begins, and what they are for."""
