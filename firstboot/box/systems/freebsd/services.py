"""The services of the box, in the order in which they start.

A change is taken on without a restart where the daemon can: pf replaces its rules at once, Unbound
keeps its cache, relays keep their circuits, and bgpd keeps its sessions.
"""

from firstboot.box.services import Service

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
