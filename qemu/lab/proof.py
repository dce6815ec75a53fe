"""What passes the ports and the BGP sessions of the appliance, by the rules that it has."""

from firstboot.site.render import Box, Rendered
from firstboot.site.verify.explain import Explanation, explain
from qemu.lab.appliance import Appliance


def proof(appliance: Appliance) -> Explanation | None:
    """Read the appliance's own files and explain them; None on a system without pf. Raises Refusal
    if they cannot be read."""
    system = appliance.system
    if not system.rules:
        return None
    # Which versions of the daemons the files are for makes no difference to what they say.
    box = Box(cores=1, memory_mib=system.memory, unbound=(), openbgpd=(), tor=())
    return explain(appliance.site, box, [_file(path, appliance) for path in system.rules])


def _file(path: str, appliance: Appliance) -> Rendered:
    text = appliance.said(f"cat /{path}")
    return Rendered(path, f"{text}\n", 0o600, "root", "wheel")
