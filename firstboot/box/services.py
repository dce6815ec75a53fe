"""What runs on a box, in the order in which it comes up, and how each takes on changed files.

Gently, where a daemon can: pf replaces its rules at once, Unbound keeps its cache, relays keep
their circuits, bgpd its sessions. `reads` are files that a running daemon takes on by itself or
when told; after a change of one in `fixed` it has to start anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch

Command = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Service:
    """`name` is rc(8)'s, `what` a person's. Without `program` on the box, it is not installed.
    `ready` succeeds while it runs and answers; services without it are settings, done when their
    start is."""

    name: str
    what: str
    program: str
    reads: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    reload: Command = ()
    """None: it sees by itself that a file has changed."""

    ready: Command = ()
    may_be_off: bool = False
    """Whether the site decides if it runs at all."""

    @property
    def start(self) -> Command:
        return "service", self.name, "start"

    @property
    def stop(self) -> Command:
        return "service", self.name, "stop"

    def rereads(self, changed: Iterable[str]) -> bool:
        return _any(changed, self.reads)

    def restarts(self, changed: Iterable[str]) -> bool:
        return _any(changed, self.fixed)


SERVICES = (
    Service(
        "sysctl",
        "settings of the kernel",
        "/sbin/sysctl",
        reads=("etc/sysctl.conf",),
        reload=("service", "sysctl", "start"),
    ),
    Service(
        "syslogd",
        "log",
        "/usr/sbin/syslogd",
        reads=("etc/syslog.conf",),
        fixed=("etc/rc.conf.d/syslogd",),
        reload=("service", "syslogd", "reload"),
        ready=("service", "syslogd", "status"),
    ),
    Service("netif", "addresses", "/sbin/ifconfig"),
    Service("routing", "routes", "/sbin/route"),
    Service(
        "pf",
        "packet filter",
        "/sbin/pfctl",
        reads=("etc/pf.conf",),
        fixed=("etc/rc.conf.d/pf",),
        reload=("pfctl", "-q", "-f", "/etc/pf.conf"),
        ready=("pfctl", "-q", "-s", "Running"),
    ),
    Service("exitisp_ports", "transit and exchange ports, still down", "/sbin/ifconfig"),
    Service(
        "local_unbound",
        "resolver",
        "/usr/sbin/local-unbound",
        reads=("var/unbound/unbound.conf",),
        fixed=("etc/rc.conf.d/local_unbound", "var/unbound/root.key"),
        reload=("local-unbound-control", "-c", "/var/unbound/unbound.conf", "reload"),
        ready=("local-unbound-control", "-c", "/var/unbound/unbound.conf", "status"),
    ),
    Service(
        "ntpd",
        "clock",
        "/usr/sbin/ntpd",
        fixed=("etc/ntp.conf", "etc/rc.conf.d/ntpd"),
        ready=("service", "ntpd", "status"),
    ),
    Service(
        "sshd",
        "SSH on the management port",
        "/usr/sbin/sshd",
        reads=("etc/ssh/sshd_config",),
        fixed=("etc/rc.conf.d/sshd",),
        reload=("service", "sshd", "reload"),
        ready=("service", "sshd", "status"),
        may_be_off=True,
    ),
    Service(
        "cron",
        "hourly jobs",
        "/usr/sbin/cron",
        reads=("etc/crontab", "etc/cron.d/*"),
        fixed=("etc/rc.conf.d/cron",),
        ready=("service", "cron", "status"),
    ),
    Service(
        "exitisp_relays",
        "relays",
        "/usr/local/bin/tor",
        reads=("etc/local/tor/*", "etc/rc.conf.d/exitisp_relays"),
        reload=("service", "exitisp_relays", "reload"),
        ready=("service", "exitisp_relays", "status"),
    ),
    Service(
        "openbgpd",
        "BGP",
        "/usr/local/sbin/bgpd",
        reads=("etc/local/bgpd.conf",),
        fixed=("etc/rc.conf.d/openbgpd",),
        reload=("bgpctl", "reload"),
        ready=("bgpctl", "show"),
    ),
)
"""In order."""


def _any(paths: Iterable[str], patterns: Iterable[str]) -> bool:
    wanted = tuple(patterns)
    return any(fnmatch(path, pattern) for path in paths for pattern in wanted)
