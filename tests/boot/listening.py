"""Compares who listens on a configured box with what the overlays declare."""

from collections.abc import Iterator

from firstboot.site.address_plan import Plan
from firstboot.site.listening import Rules, Socket
from firstboot.site.model import PortRole, Site
from firstboot.site.services import Place, files, load
from tests.boot.conftest import ROOT


def read(text: str) -> Iterator[Socket]:
    """Return the sockets in the output of ``sockstat -46lqw``."""
    for line in text.splitlines():
        _, program, _, _, protocol, local, *_ = line.split()
        host, _, port = local.rpartition(":")
        address = host.strip("[]").partition("%")[0]
        yield Socket(program, protocol[:3], address, int(port) if port.isdigit() else 0)


def differences(text: str, site: Site, plan: Plan) -> list[str]:
    """Return sockets that no service declares, and declared ports that no socket has."""
    sockets = list(read(text))
    rules = Rules.of(site, plan, load(files(ROOT / "overlays")))
    strange = [f"not declared: {one}" for one in sockets if not rules.allow(one)]
    roles = {port.role for port in site.ports}
    missing = [
        f"does not listen: {service.name}: {one}"
        for service, one in rules.declared()
        if one.port is not None
        and (one.on is not Place.LAN or PortRole.LAN in roles)
        and not any(rules.fits(service, one, socket) for socket in sockets)
    ]
    return strange + missing
