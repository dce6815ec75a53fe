"""Sites to render: the examples, and others like them that hypothesis makes up."""

import atexit
import functools
import tempfile
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies

from firstboot.site import model as sites
from firstboot.site.model import Family, Policy, PortRole, Site, Strictness
from firstboot.site.render import Box, Rendered, render

ROOT = Path(__file__).parents[4]
EXAMPLES = (
    "ipv6-heavy",
    "one-port-of-each",
    "two-transits-and-an-exchange",
    "default-route",
    "relays-only",
    "bundle",
    "two-edges-a",
    "two-edges-b",
    "far-peers",
    "machines-on-a-lan",
)

WITH_BGP = tuple(name for name in EXAMPLES if name != "relays-only")

BOX = Box(cores=8, memory_mib=16384, unbound=(1, 25), openbgpd=(9, 2), tor=(0, 4, 9))
"""What the examples are rendered for: eight cores, and the programs of the day."""

CONTACTS = (
    None,
    "email:relays[]example.org ciissversion:2",
    'Ada "the operator" <relays AT example.org> # \\ 100%',
)

Where = TypeVar("Where", IPv4Address | IPv6Address, IPv4Network | IPv6Network)


@functools.cache
def example(name: str) -> Site:
    return sites.load(ROOT / "examples" / f"{name}.yaml").value


def files(site: Site, overlay: str, box: Box = BOX) -> dict[str, Rendered]:
    """The files that `overlay` renders from `site`, by path."""
    return {file.path: file for file in render(site, box, _alone(overlay))}


@functools.cache
def _alone(overlay: str) -> Path:
    """A folder with `overlay`, and with the services of the others, until this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="overlays-")
    atexit.register(folder.cleanup)
    for path in (ROOT / "overlays").glob("*/services.yaml"):
        if path.parent.name != overlay:
            (Path(folder.name) / path.parent.name).mkdir()
            (Path(folder.name) / path.parent.name / path.name).symlink_to(path)
    (Path(folder.name) / overlay).symlink_to(ROOT / "overlays" / overlay)
    return Path(folder.name)


def without_ipv6(site: Site) -> Site:
    """`site` with IPv4 alone, as far as the resolver and the relays are concerned."""

    def v4(addresses: tuple[Where, ...]) -> tuple[Where, ...]:
        return tuple(one for one in addresses if one.version == 4)

    relays = replace(
        site.relays,
        or_addresses=v4(site.relays.or_addresses),
        exit_addresses=v4(site.relays.exit_addresses),
    )
    return replace(
        site,
        scopes=v4(site.scopes),
        router=v4(site.router),
        dns=replace(site.dns, addresses=v4(site.dns.addresses)),
        relays=relays,
    )


@strategies.composite
def varied(draw: strategies.DrawFn, names: tuple[str, ...] = EXAMPLES) -> Site:
    """One of `names`, with other knobs: relays, policy, contact, family, resolver, ports."""
    site = example(draw(strategies.sampled_from(names)))
    policy = draw(strategies.sampled_from(Policy))
    relays = replace(
        site.relays,
        count=draw(strategies.integers(1, 9)),
        policy=policy,
        rules=("accept *:443", "reject *:25") if policy is Policy.OWN else (),
        contact_info=draw(strategies.sampled_from(CONTACTS)),
        bandwidth_mbit=draw(strategies.none() | strategies.integers(1, 10_000)),
        family=draw(strategies.sampled_from([Family(), example(EXAMPLES[2]).relays.family])),
    )
    dns = replace(
        site.dns,
        strictness=draw(strategies.sampled_from(Strictness)),
        cache_mib=draw(strategies.none() | strategies.integers(16, 1 << 16)),
    )
    dropped = draw(strategies.sampled_from([None, PortRole.LAN, PortRole.MANAGEMENT]))
    ports = tuple(port for port in site.ports if port.role is not dropped)
    changed = replace(site, relays=relays, dns=dns, ports=ports)
    return without_ipv6(changed) if draw(strategies.booleans()) else changed


def boxes() -> strategies.SearchStrategy[Box]:
    """Boxes of any size."""
    return strategies.builds(
        lambda cores, memory: replace(BOX, cores=cores, memory_mib=memory),
        strategies.integers(1, 128),
        strategies.integers(1024, 1 << 20),
    )
