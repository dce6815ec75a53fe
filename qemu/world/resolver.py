"""A resolver of the world's own, for its exit: Unbound, which believes the world's root."""

from collections.abc import Iterable

from firstboot.core.values import Address
from qemu.world.net import Daemon, Party, need


def resolve(party: Party, anchor: str, sources: Iterable[Address]) -> Daemon:
    """Started; it listens on 127.0.0.1 and asks from `sources`. Raises Unable without Unbound."""
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
