"""The daemons' own checks of their configuration files, as Debian installs them."""

from firstboot.box.checker import Checker

CHECKERS = (
    Checker(
        "var/unbound/unbound.conf", "/usr/sbin/unbound-checkconf", ("{file}",), ("/var/unbound",)
    ),
    Checker(
        "etc/local/tor/torrc@*",
        "/usr/bin/tor",
        ("--verify-config", "--hush", "-f", "{file}"),
        ("/usr/local/etc/tor", "/data/tor"),
        ("User _tor",),
    ),
    Checker("etc/local/bgpd.conf", "/usr/sbin/bgpd", ("-n", "-f", "{file}")),
    Checker("etc/ssh/sshd_config", "/usr/sbin/sshd", ("-t", "-f", "{file}"), ("/cfg/ssh",)),
)
