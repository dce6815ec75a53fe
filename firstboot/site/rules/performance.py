"""Tuning: what the site sets aside of the profiles has to be something of this site."""

import re
from collections.abc import Iterator

from firstboot.core.fault import quote_value
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding, error

NAME_OF_SETTING = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_%]+)+")
"""sysctl(8), as far as profiles have such names."""

LARGEST = 2**31 - 1
"""What the kernel keeps most of them in."""


def check(site: Site) -> Iterator[Finding]:
    devices = {port.device for port in site.ports}
    for device in site.performance.profiles:
        if device not in devices:
            yield error(
                ("performance", "profiles", device),
                f"no port has the device {quote_value(device)}",
                "Name one of the ports' devices, or remove it",
            )
    for name, value in site.performance.settings.items():
        key = ("performance", "settings", name)
        if not NAME_OF_SETTING.fullmatch(name):
            yield error(
                key,
                f"{quote_value(name)} is no name of a setting",
                "Give it as sysctl(8) has it, such as kern.ipc.soacceptqueue",
            )
        elif not 0 <= value <= LARGEST:
            yield error(
                key,
                f"{value} is out of range",
                f"Give a number from 0 to {LARGEST}",
            )
