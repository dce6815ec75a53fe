"""The resolver (unbound.conf(5)): who may ask, where its questions come from, what it keeps.

The settings are those of the two documents that the project follows, and what a busy exit needs.
"""

import re
from collections.abc import Iterator

from firstboot.site.model import PortRole, Strictness
from firstboot.site.render import Rendered
from firstboot.site.verify.addresses import address_of
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.directives import Directive, Number, Table, Wanted, compare, settled

CLAUSES = ("server", "remote-control")

CONSTANT: tuple[Wanted, ...] = (
    ("do-not-query-localhost", "yes"),
    ("outgoing-port-avoid", "0-1023"),
    ("username", "unbound"),
    ("directory", "/var/unbound"),
    ("chroot", "/var/unbound"),
    ("pidfile", "/var/run/local_unbound.pid"),
    ("use-syslog", "yes"),
    ("verbosity", "1"),
    ("log-queries", "no"),
    ("log-replies", "no"),
    ("log-servfail", "no"),
    ("log-local-actions", "no"),
    ("val-log-level", "0"),
    ("statistics-interval", "0"),
    ("extended-statistics", "yes"),
    ("statistics-cumulative", "no"),
    ("hide-identity", "yes"),
    ("hide-version", "yes"),
    ("hide-trustanchor", "yes"),
    ("hide-http-user-agent", "yes"),
    ("qname-minimisation", "yes"),
    ("aggressive-nsec", "yes"),
    ("minimal-responses", "yes"),
    ("auto-trust-anchor-file", "/var/unbound/root.key"),
    ("trust-anchor-signaling", "yes"),
    ("root-key-sentinel", "no"),
    ("harden-glue", "yes"),
    ("harden-dnssec-stripped", "yes"),
    ("harden-below-nxdomain", "yes"),
    ("harden-large-queries", "yes"),
    ("harden-short-bufsize", "yes"),
    ("use-caps-for-id", "no"),
    ("ignore-cd-flag", "yes"),
    ("val-clean-additional", "yes"),
    ("deny-any", "yes"),
    ("private-address", "0.0.0.0/8"),
    ("private-address", "10.0.0.0/8"),
    ("private-address", "100.64.0.0/10"),
    ("private-address", "127.0.0.0/8"),
    ("private-address", "169.254.0.0/16"),
    ("private-address", "172.16.0.0/12"),
    ("private-address", "192.168.0.0/16"),
    ("private-address", "::/127"),
    ("private-address", "::ffff:0:0/96"),
    ("private-address", "fc00::/7"),
    ("private-address", "fe80::/10"),
    ("edns-buffer-size", "1232"),
    ("max-udp-size", "1232"),
    ("so-rcvbuf", "4m"),
    ("so-sndbuf", "4m"),
    ("prefetch", "yes"),
    ("prefetch-key", "yes"),
    ("cache-min-ttl", "0"),
    ("cache-max-ttl", "86400"),
    ("cache-max-negative-ttl", "300"),
    ("serve-expired", "yes"),
    ("serve-expired-ttl", "86400"),
    ("serve-expired-client-timeout", "900"),
    ("jostle-timeout", "400"),
    ("infra-host-ttl", "900"),
    ("infra-keep-probing", "yes"),
    ("target-fetch-policy", "0 0 0 0 0"),
    ("ip-ratelimit", "0"),
    ("ratelimit", "0"),
    ("control-enable", "yes"),
    ("control-interface", "/var/run/local_unbound.ctl"),
    ("control-use-cert", "no"),
)

QUOTED = ("target-fetch-policy",)
"""Options whose value is several words in quotes."""

EFFECTS = {
    "interface": "where it listens",
    "interface-automatic": "it would answer on every address",
    "access-control": "who may ask",
    "outgoing-interface": "where its questions come from: never a port's address",
    "do-not-query-address": "a zone of a stranger would have it ask neighbours and own machines",
    "include": "whatever is in that file would count",
    "include-toplevel": "whatever is in that file would count",
    "forward-zone": "questions go to the authorities, never to a forwarder",
    "stub-zone": "questions go to the authorities, never to others",
    "auth-zone": "zones are fetched from whatever address the kernel picks",
    "log-queries": "it would write down what users look up",
    "log-replies": "it would write down what users look up",
    "log-servfail": "it would write down what users look up",
    "log-local-actions": "it would write down what users look up",
    "verbosity": "above 1 it writes down what users look up",
    "dnstap-enable": "it would write down what users look up",
    "domain-insecure": "answers of that zone would not be validated",
    "auto-trust-anchor-file": "without the root's key nothing is validated",
    "private-address": "answers would steer exits at addresses that are nobody's",
    "control-interface": "the remote control is a local socket",
    "ip-ratelimit": "a relay asks for thousands of people",
    "ratelimit": "one person with made-up names below com. would use it up for all",
}

KEY = re.compile(r"([a-z][a-z0-9-]*):")
TOKEN = re.compile(r'\s*(?:"([^"\n\\]*)"|([^\s"\'#\\]+))')
REST = re.compile(r"\s*(?:#.*)?")
"""What may stand behind the words of a line: a comment."""


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    directives, mistakes = _read(file.text)
    for line, reason in mistakes:
        yield Flaw(file.path, line, f"{reason}: what it does cannot be proved")
    if not mistakes:
        for line, reason in (
            *_clauses(directives),
            *compare(_settings(directives), _table(context)),
        ):
            yield Flaw(file.path, line, reason)


def expected(file: Rendered, context: Context) -> str:
    """An unbound.conf that says what the site asks for, and nothing else."""
    directives, _ = _read(file.text)
    clauses: dict[str, list[str]] = {clause: [f"{clause}:"] for clause in CLAUSES}
    for key, value in settled(directives, _table(context)):
        clause = "remote-control" if key.startswith("control-") else "server"
        told = f'"{value}"' if key in QUOTED else value
        clauses[clause].append(f"  {key}: {told}")
    return "".join(f"{line}\n" for lines in clauses.values() for line in lines)


def _read(text: str) -> tuple[list[Directive], list[tuple[int, str]]]:
    """Options with their values, as Unbound's reader finds them: several may share a line, and a
    value may stand on the next one."""
    found: list[Directive] = []
    mistakes: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        at = 0
        while not REST.fullmatch(line, at):
            match = TOKEN.match(line, at)
            if match is None:
                mistakes.append((number, f"cannot be read: {line[at:].strip()[:20]!a}"))
                break
            at = match.end()
            if line[at : at + 1].strip():
                mistakes.append((number, f"{line[at]!a} right behind a word may be a part of it"))
                break
            word = match[1] if match[1] is not None else match[2]
            key = KEY.match(word) if match[1] is None else None
            if key and (not found or found[-1].value or found[-1].key in CLAUSES):
                found.append(Directive(number, key[1], ""))
                word = word[key.end() :]
                if not word:
                    continue
            if not found:
                mistakes.append((number, f"{word[:20]!a} belongs to no option"))
                break
            last = found.pop()
            found.append(Directive(last.line, last.key, f"{last.value} {word}".strip()))
    return found, mistakes


def _clauses(directives: list[Directive]) -> Iterator[tuple[int, str]]:
    """Each clause once, in order, and every option in its own."""
    clause = ""
    seen = []
    for one in directives:
        if one.key in CLAUSES:
            clause = one.key
            seen.append(one.key)
        elif (one.key.startswith("control-")) != (clause == "remote-control"):
            yield one.line, f"{one.key} stands in the clause {clause or 'of no name'}"
    if seen != list(CLAUSES):
        yield 1, f"the clauses are {' '.join(seen)}, and have to be {' '.join(CLAUSES)}"


def _settings(directives: list[Directive]) -> Iterator[Directive]:
    return (one for one in directives if one.key not in CLAUSES or one.value)


def _table(context: Context) -> Table:
    site, plan, box = context.site, context.plan, context.box
    lans = [port for port in site.ports if port.role is PortRole.LAN]
    on_lan = [interface for port in lans for interface in port.addresses]
    listeners = ["127.0.0.1", "127.0.0.53", "::1", *(str(one.ip) for one in on_lan)]
    askers = [*(str(one.network) for one in on_lan), *map(str, plan.addresses)]
    strict = "yes" if site.dns.strictness is Strictness.DOCUMENTS else "no"
    wanted: list[Wanted] = [*CONSTANT]
    wanted += [("interface", one) for one in dict.fromkeys(listeners)]
    wanted += [("access-control", f"{one} refuse") for one in ("0.0.0.0/0", "::/0")]
    wanted += [("access-control", f"{one} allow") for one in ("127.0.0.0/8", "::1/128", *askers)]
    wanted += [("outgoing-interface", str(one)) for one in plan.resolver]
    wanted += [("domain-insecure", one) for one in site.clock.servers if address_of(one) is None]
    beside = [interface.network for port in site.ports for interface in port.addresses]
    near = dict.fromkeys([*site.scopes, *beside])
    wanted += [("do-not-query-address", str(one)) for one in near]
    wanted += [
        ("do-ip4", "yes" if plan.resolver.v4 else "no"),
        ("do-ip6", "yes" if plan.resolver.v6 else "no"),
        ("qname-minimisation-strict", strict),
        ("harden-algo-downgrade", strict),
    ]
    if plan.resolver.v6:
        wanted.append(("prefer-ip6", "yes"))
    if box.unbound >= (1, 20):
        wanted += [("discard-timeout", "3500"), ("wait-limit", "1000")]
        everybody = ("127.0.0.0/8", "::1/128", *askers)
        wanted += [("wait-limit-netblock", f"{one} -1") for one in everybody]
    return Table((*wanted, *_sizes(context)), effects=EFFECTS)


def _sizes(context: Context) -> list[Wanted]:
    """What suits the machine; more than it has would keep the resolver from starting."""
    cache = context.site.dns.cache_mib or max(context.box.memory_mib // 8, 64)
    threads = Number(1, max(context.box.cores, 1))
    # select(2) has 1024 descriptors for all threads together.
    sockets = 65_000 if context.box.libevent else 1000
    slabs = [f"{name}-cache-slabs" for name in ("msg", "rrset", "infra", "key")]
    return [
        # CVE-2026-50252 and CVE-2026-109125: with these, older versions expose the cache.
        ("so-reuseport", "yes" if context.box.unbound >= (1, 26) else "no"),
        ("unwanted-reply-threshold", "10000000" if context.box.unbound >= (1, 26, 2) else "0"),
        ("num-threads", threads),
        *((name, threads) for name in slabs),
        ("msg-cache-size", Number(4, cache, "m")),
        ("rrset-cache-size", Number(4, cache, "m")),
        ("key-cache-size", Number(1, cache, "m")),
        ("neg-cache-size", Number(1, cache, "m")),
        ("infra-cache-numhosts", Number(10_000, 200_000)),
        ("incoming-num-tcp", Number(1, 1000)),
        ("outgoing-num-tcp", Number(1, 1000)),
        ("outgoing-range", Number(16, sockets)),
        ("num-queries-per-thread", Number(16, 2 * sockets)),
    ]
