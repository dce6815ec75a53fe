"""The files that only the rehearsal renders, checked by nft and ip where this machine allows it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from firstboot.site.address_plan import allot
from firstboot.site.commands import BOX
from firstboot.site.model import PortRole
from firstboot.site.render import render
from image.rehearsal.build import program
from tests.image.rehearsal.sites import on_linux

EXAMPLES = (
    "ipv6-heavy",
    "one-port-of-each",
    "two-transits-and-an-exchange",
    "relays-only",
    "bundle",
    "two-edges-a",
    "far-peers",
    "machines-on-a-lan",
)


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The overlays that the rehearsal's wizard has."""
    folder = tmp_path_factory.mktemp("program")
    program().write(folder)
    return folder / "overlays"


def rendered(name: str, overlays: Path) -> dict[str, str]:
    return {file.path: file.text for file in render(on_linux(name), BOX, overlays)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_nft_accepts_the_rules(name: str, overlays: Path) -> None:
    if shutil.which("nft") is None:
        pytest.skip("no nft(8) here")
    text = rendered(name, overlays)["etc/rehearsal/nftables.conf"]
    there = re.sub(r'device "[^"]*"', 'device "lo"', text)
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "nft", "-f", "-"],
        input=there,
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(f"this machine allows no network namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_ip_takes_the_commands_of_the_network(name: str, overlays: Path) -> None:
    """With bridges for dummies, bonds and VLANs, which not every kernel has."""
    text = rendered(name, overlays)["etc/rehearsal/network"]
    cards = {card for port in on_linux(name).ports for card in port.cards}
    text = re.sub(r"link add link \S+ name (\S+) type vlan .*", r"link add \1 type bridge", text)
    text = re.sub("type (dummy|bond .*)", "type bridge", text)
    script = [
        "set -e",
        *(f"ip link add {card} type veth peer name far-{card}" for card in sorted(cards)),
        text,
        *(f'echo "${part}" | ip -batch -' for part in ("links", "inside", "outside")),
        'echo "$rules6" | ip -6 -batch -',
        "ip -6 rule; ip -6 route show table 100 || true",
    ]
    done = subprocess.run(
        ["unshare", "--net", "--map-root-user", "sh"],
        input="\n".join(script),
        capture_output=True,
        text=True,
    )
    if "unshare" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip(f"this machine allows no network namespaces: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    for port in on_linux(name).ports:
        for gateway in port.gateway:
            if gateway.version == 6 and port.role is PortRole.MANAGEMENT:
                assert f"default via {gateway}" in done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_outside_ports_drop_everything_but_the_listed_traffic(name: str, overlays: Path) -> None:
    text = rendered(name, overlays)["etc/rehearsal/nftables.conf"]
    for port in on_linux(name).ports:
        for way in ("egress", "ingress"):
            hook = f'hook {way} device "{port.interface}" priority 0; policy drop;'
            assert (hook in text) is port.role.guarded
    ways = re.split(r"\n\tchain ", text)[1:]
    for chain in (chain for chain in ways if chain.startswith("out")):
        accepted = [line.strip() for line in chain.splitlines() if line.endswith(" accept")]
        sources = [re.search(r"saddr (?:ip )?(\{.*?\}|\S+)", line) for line in accepted]
        assert all(sources), accepted


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_box_gets_every_address_of_the_plan_and_no_default_route(
    name: str, overlays: Path
) -> None:
    site = on_linux(name)
    text = rendered(name, overlays)["etc/rehearsal/network"]
    plan = allot(site)
    for address in plan.on_loopback:
        assert f"address replace {address}/{address.max_prefixlen} dev lo1" in text
    for address in {*plan.addresses} - {*plan.on_loopback}:
        assert re.search(rf"address replace {address}/\d+ dev {plan.home(address)}\n", text)
    before, _, ways_out = text.partition('gateways="')
    assert ways_out.count("route replace default") == len(plan.gateways)
    text = before + ways_out.partition('"')[2]
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        assert not line.endswith(" up") or line.split()[2] not in {
            port.interface for port in site.ports if port.role.guarded
        }
        assert "default" not in line or line.endswith(" table 100")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_daemons_files_are_those_of_the_other_image(name: str, overlays: Path) -> None:
    own = rendered(name, Path(__file__).parents[3] / "overlays")
    there = rendered(name, overlays)
    assert {path: there[path] for path in own} == own
    assert {path for path in there if path not in own} == {
        f"etc/rehearsal/{one}" for one in ("chrony.conf", "network", "nftables.conf", "sysctl.conf")
    }
