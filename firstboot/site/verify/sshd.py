"""Logging in (sshd_config(5)): from the management port alone, with keys alone."""

import re
from collections.abc import Iterator

from firstboot.site.model import PortRole
from firstboot.site.render import Rendered
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.directives import Directive, Table, Wanted, compare

CONSTANT: tuple[Wanted, ...] = (
    ("PermitRootLogin", "prohibit-password"),
    ("PubkeyAuthentication", "yes"),
    ("AuthorizedKeysFile", "/etc/ssh/authorized_keys/%u"),
    ("AuthenticationMethods", "publickey"),
    ("PasswordAuthentication", "no"),
    ("KbdInteractiveAuthentication", "no"),
    ("PermitEmptyPasswords", "no"),
    ("HostbasedAuthentication", "no"),
    ("UsePAM", "no"),
    ("ExposeAuthInfo", "yes"),
    ("HostKey", "/cfg/ssh/ssh_host_ed25519_key"),
    ("HostKeyAlgorithms", "ssh-ed25519"),
    ("KexAlgorithms", "-ecdh-*,diffie-hellman-*"),
    (
        "Ciphers",
        "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,aes128-gcm@openssh.com",
    ),
    ("MACs", "hmac-sha2-512-etm@openssh.com,hmac-sha2-256-etm@openssh.com"),
    ("RequiredRSASize", "3072"),
    ("DisableForwarding", "yes"),
    ("PermitUserEnvironment", "no"),
    ("PermitUserRC", "no"),
    ("Subsystem", "sftp internal-sftp"),
    ("LoginGraceTime", "30"),
    ("MaxAuthTries", "3"),
    ("MaxStartups", "10:30:30"),
    ("ClientAliveInterval", "60"),
    ("ClientAliveCountMax", "3"),
    ("UseDNS", "no"),
    ("VersionAddendum", "none"),
    ("LogLevel", "VERBOSE"),
)

EFFECTS = {
    "ListenAddress": "where it listens: on management ports, nowhere else",
    "Match": "what follows would count for some alone",
    "Include": "whatever is in those files would count",
    "PasswordAuthentication": "passwords can be guessed",
    "KbdInteractiveAuthentication": "passwords can be guessed",
    "AuthenticationMethods": "passwords can be guessed",
    "PermitRootLogin": "root is who administrators log in as",
    "AllowUsers": "who may log in, and from where",
    "AuthorizedKeysFile": "whose keys count",
}

MONITORING = 'restrict,command="/usr/local/libexec/exitisp/monitoring"'
"""What stands before a key that may monitor, and nothing else (sshd(8), AUTHORIZED_KEYS FILE
FORMAT): no terminal, no forwarding, no command but this one."""

LINE = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*")


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    table = _table(context)
    directives, flaws = _read(file, table)
    yield from flaws
    for number, reason in compare(directives, table):
        yield Flaw(file.path, number, reason)


def expected(file: Rendered, context: Context) -> str:
    """An sshd_config that says what the site asks for, and nothing else."""
    return "".join(f"{key} {value}\n" for key, value in _table(context).wanted)


def _table(context: Context) -> Table:
    site = context.site
    managing = [port for port in site.ports if port.role is PortRole.MANAGEMENT]
    places = [str(interface.ip) for port in managing for interface in port.addresses]
    users = " ".join(f"root@{network}" for network in site.management.networks) or "root"
    wanted: list[Wanted] = [*CONSTANT, ("AllowUsers", users)]
    wanted += [("ListenAddress", place) for place in places or ["127.0.0.1"]]
    return Table(tuple(wanted), effects=EFFECTS)


def _read(file: Rendered, table: Table) -> tuple[list[Directive], list[Flaw]]:
    names = {key.lower(): key for key, _ in table.wanted} | {key.lower(): key for key in EFFECTS}
    directives: list[Directive] = []
    flaws: list[Flaw] = []
    for number, line in enumerate(file.text.split("\n"), 1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        match = LINE.fullmatch(line)
        if match is None or not line.isascii() or re.search(r'["\'\\#]', line):
            reason = f"{line.strip()[:40]!a} cannot be read for certain"
            flaws.append(Flaw(file.path, number, reason))
            continue
        # Names of options have no case, and the first value of one counts (sshd_config(5)).
        name = names.get(match[1].lower(), match[1])
        directives.append(Directive(number, name, " ".join(match[2].split())))
    return directives, flaws


def check_keys(file: Rendered, context: Context) -> Iterator[Flaw]:
    """authorized_keys: the keys of the site, a line each, and no other. The first line of a key
    counts."""
    management = context.site.management
    keys = [*management.keys, *(f"{MONITORING} {key}" for key in management.monitoring)]
    lines = file.text.split("\n")
    if lines[-1:] == [""]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if line not in keys:
            yield Flaw(file.path, number, f"{line[:40]!a} is no key of the site: it could log in")
    for key in keys:
        if key not in lines:
            yield Flaw(file.path, 1, f"the key {key.split()[-1]!a} of the site is missing")
