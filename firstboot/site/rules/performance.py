"""Tuning: overrides of profiles must be about devices of this site and real settings."""

import re
from collections.abc import Iterator

from firstboot.core.fault import quote_value
from firstboot.site.model import Site
from firstboot.site.rules.finding import Finding, error

NAME_OF_SETTING = re.compile(r"[a-z][a-z0-9_]*(?:\.[A-Za-z0-9_%]+)+")
"""Names of sysctl(8), as profiles use them."""

LARGEST = 2**31 - 1
"""The largest value of a C int, which most settings are."""


def check(site: Site) -> Iterator[Finding]:
    devices = {card for port in site.ports for card in port.cards}
    for device in site.performance.profiles:
        if device not in devices:
            yield error(
                ("performance", "profiles", device),
                f"no port uses the device {quote_value(device)}",
                "Name the device of a port, or remove the entry",
            )
    for name, value in site.performance.settings.items():
        key = ("performance", "settings", name)
        if not NAME_OF_SETTING.fullmatch(name):
            yield error(
                key,
                f"{quote_value(name)} is not the name of a kernel setting",
                "Write it as sysctl(8) does, for example kern.ipc.soacceptqueue",
            )
        elif not 0 <= value <= LARGEST:
            yield error(
                key,
                f"{value} is not between 0 and {LARGEST}",
                f"Write a number from 0 to {LARGEST}",
            )
