"""The time servers of the simulated Internet: chronyd(8), which tells this host's time."""

from qemu.world.net import Party, need

STRATUM = 2


class TimeServers:
    """Answers NTP questions at all addresses of a party, and sets nobody's clock. Raises Unable
    without chronyd."""

    def __init__(self, party: Party) -> None:
        need("chronyd", "chrony")
        config = party.world.folder / "chrony.conf"
        config.write_text(
            f"local stratum {STRATUM}\nallow all\ncmdport 0\nbindcmdaddress /\n"
            "pidfile /run/chronyd.pid\n"
        )
        daemon = party.start("chronyd", "chronyd", "-d", "-x", "-u", "root", "-f", config)
        daemon.wait("the time server", lambda: "starting" in daemon.said())
