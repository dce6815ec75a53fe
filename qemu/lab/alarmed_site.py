"""A site whose alarms are taken by the simulated Internet."""

from dataclasses import replace

from firstboot.site.address_plan import allot
from firstboot.site.alarms import destinations
from firstboot.site.model import Alarm, PortRole, Site
from qemu.lab.made_up import made_up
from qemu.world.post import HOST, pin
from qemu.world.topology import lay_out


def told_in_the_world(site: Site) -> Site:
    """`site` with the servers of the simulated Internet in place of those that it tells, at the
    ports that it has. Who knows the path of a webhook can post there, so it is a secret too."""
    if not destinations(site):
        return site
    mail, webhook = site.alarm.mail, site.alarm.webhook
    host = lay_out(site).host(HOST)
    server = host.v4() if 4 in _families(site) else host.v6()
    if mail.relay:
        password = made_up("the mail relay") if mail.password else None
        mail = replace(mail, relay=str(server), address=None, certificate=pin(), password=password)
    if webhook.url:
        (there,) = (one for one in destinations(site) if one.channel == "webhook")
        literal = f"[{server}]" if server.version == 6 else server
        url = f"https://{literal}:{there.port}/{made_up('the web server')}"
        webhook = replace(webhook, url=url, address=None, certificate=pin())
    return replace(site, alarm=Alarm(mail, webhook))


def _families(site: Site) -> set[int]:
    """The families of the addresses that alarms can come from by each way."""
    router: set[int] = {address.version for address in allot(site).router}
    ports = (port for port in site.ports if port.role is PortRole.MANAGEMENT)
    managing: set[int] = {face.version for port in ports for face in port.addresses}
    return router & managing or router
