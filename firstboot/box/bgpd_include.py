"""Files that bgpd.conf includes, and that commands of the box write."""

from pathlib import Path

from firstboot.box.machine import Machine
from firstboot.core.durable import keep
from firstboot.core.refusal import Refusal


def take_on(path: Path, text: str, empty: str, machine: Machine) -> None:
    """Have bgpd read `text` at `path`; an absent file is one with `empty`. Raises Refusal if it
    does not; the file is as before then."""
    before = path.read_bytes() if path.exists() else empty.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    keep(path, text.encode(), 0o644)
    (bgpd,) = (one for one in machine.system.services if one.name == "openbgpd")
    ran = machine.run(*bgpd.reload)
    if ran.status != 0:
        keep(path, before, 0o644)
        said = (ran.text.strip().splitlines() or ["no answer"])[-1]
        raise Refusal(
            "bgpd",
            f"it refuses what is written to {path.name}: {said}",
            "Look at exitisp status and /var/log/messages",
        )
