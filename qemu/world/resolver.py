"""The resolver of the simulated Internet's own exit: Unbound, which trusts the simulated root."""

from collections.abc import Iterable

from firstboot.core.values import Address
from qemu.world.net import Daemon, Party, need


def resolve(party: Party, anchor: str, sources: Iterable[Address]) -> Daemon:
    """Start it. It listens on 127.0.0.1 and asks from `sources`. Raises Unable without Unbound."""
    need("unbound", "unbound")
    folder = party.world.folder / "resolver"
    folder.mkdir()
    (folder / "root.key").write_text(anchor)
    config = folder / "unbound.conf"
    asking = "".join(f"  outgoing-interface: {source}\n" for source in sources)
    config.write_text(
        f'server:\n  directory: "{folder}"\n  chroot: ""\n  username: ""\n  use-syslog: no\n'
        f'  pidfile: ""\n  trust-anchor-file: "{folder}/root.key"\n{asking}'
    )
    return party.start("unbound", "unbound", "-d", "-p", "-c", config)
