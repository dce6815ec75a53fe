"""The daemons' own checks of their configuration files."""

from firstboot.box.checker import Checker

CHECKERS = (
    Checker("etc/pf.conf", "/sbin/pfctl", ("-nf", "{file}")),
    Checker("etc/pf-fallback.conf", "/sbin/pfctl", ("-nf", "{file}")),
    Checker(
        "var/unbound/unbound.conf",
        "/usr/sbin/local-unbound-checkconf",
        ("{file}",),
        ("/var/unbound",),
    ),
    Checker(
        "etc/local/tor/torrc@*",
        "/usr/local/bin/tor",
        ("--verify-config", "--hush", "-f", "{file}"),
        ("/usr/local/etc/tor", "/data/tor"),
        # The copies are root's alone.
        ("User _tor",),
    ),
    Checker("etc/local/bgpd.conf", "/usr/local/sbin/bgpd", ("-n", "-f", "{file}")),
    Checker(
        "etc/ssh/sshd_config",
        "/usr/sbin/sshd",
        ("-t", "-f", "{file}"),
        ("/cfg/ssh",),
    ),
)
