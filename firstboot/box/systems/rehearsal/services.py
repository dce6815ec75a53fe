"""The services of the rehearsal, in the order in which they start."""

from firstboot.box.services import Service

NETWORK = "etc/rehearsal/network"
GUARD = "etc/rehearsal/nftables.conf"

SERVICES = (
    Service(
        "sysctl",
        "settings of the kernel",
        "/usr/bin/sysctl",
        reads=("etc/rehearsal/sysctl.conf",),
        reload=("service", "sysctl", "start"),
    ),
    Service("syslogd", "log", "/usr/bin/syslogd", ready=("service", "syslogd", "status")),
    Service("netif", "addresses", "/usr/bin/ip"),
    Service(
        "nftables",
        "guard of the ports, by nftables",
        "/usr/sbin/nft",
        reads=(GUARD,),
        reload=("service", "nftables", "reload"),
        ready=("service", "nftables", "status"),
    ),
    Service("exitisp_ports", "transit and exchange ports, still down", "/usr/bin/ip"),
    Service(
        "local_unbound",
        "resolver",
        "/usr/sbin/unbound",
        reads=("var/unbound/unbound.conf",),
        fixed=("var/unbound/root.key",),
        reload=("unbound-control", "-c", "/var/unbound/unbound.conf", "reload"),
        ready=("unbound-control", "-c", "/var/unbound/unbound.conf", "status"),
    ),
    Service(
        "chronyd",
        "clock",
        "/usr/sbin/chronyd",
        fixed=("etc/rehearsal/chrony.conf",),
        ready=("service", "chronyd", "status"),
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
        "exitisp_relays",
        "relays",
        "/usr/bin/tor",
        reads=("etc/local/tor/*", "etc/rc.conf.d/exitisp_relays"),
        reload=("service", "exitisp_relays", "reload"),
        ready=("service", "exitisp_relays", "status"),
    ),
    Service(
        "openbgpd",
        "BGP",
        "/usr/sbin/bgpd",
        reads=("etc/local/bgpd.conf",),
        reload=("bgpctl", "reload"),
        ready=("bgpctl", "show"),
    ),
    Service(
        "exitisp_routes",
        "routes of BGP, in the kernel",
        "/usr/local/libexec/exitisp/routes",
        fixed=(NETWORK,),
        ready=("service", "exitisp_routes", "status"),
    ),
)
