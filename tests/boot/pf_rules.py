"""Rule sets of pf for the comparison of `firstboot.site.verify.pf` with the real one: what is
rendered for the examples, and changes to it by chance.

Two things are as no box has them. States belong to their interface, or a packet that passes one
would pass the next without its rules; and pf does not look at `METER`, by which packets come to the
other interfaces and are seen behind them.
"""

import dataclasses
import random
import re
from collections.abc import Iterator

from firstboot.core.values import Asn
from firstboot.site import model
from firstboot.site.model import PortRole, Site
from firstboot.site.render import Box, render
from tests.boot.conftest import ROOT

INTERFACES = ("vtnet0", "vtnet1", "vtnet2", "vtnet3")
METER = "vtnet4"
BOX = Box(cores=1, memory_mib=1024, unbound=(1, 25), openbgpd=(8, 8), tor=(0, 4, 9))
EXAMPLES = ("two-transits-and-an-exchange", "one-port-of-each", "ipv6-heavy")

PORTS = ("53", "179", "1:1023", ">= 1024", "!= 443", "{ 80 443 8000:8999 }", "< 1024", "<= 65535")
FLAGS = ("S/SA", "A/A", "R/SR", "any", "SA/SA", "/SFR", "F/FA")
TYPES = {
    "icmp-type": ("echoreq", "{ 0 3 8 }", "redir", "13", "{ unreach timex }"),
    "icmp6-type": ("echoreq", "{ 1 2 128 }", "neighbrsol", "{ routersol redir }", "200"),
}
HOSTS = (
    "<own>", "! <own>", "<bogons>", "! <bogons>", "<relays>", "! <relays>", "<router>", "<admins>",
    "{ <own> <bogons> }", "{ 9.9.9.9 2620:fe::9 }", "! 9.9.9.9", "0.0.0.0/0", "::/0", "::",
    "255.255.255.255", "any", "fe80::/10",
)  # fmt: skip


def rule_sets(count: int, seed: int) -> list[str]:
    """The rendered pf.conf of each example, and then changed ones: `count` in all."""
    draw = random.Random(seed)
    rendered = [of_example(name) for name in EXAMPLES]
    changed = (_changed(draw.choice(rendered), draw) for _ in range(count - len(rendered)))
    return [*rendered, *changed]


def of_example(name: str) -> str:
    """The rendered pf.conf of an example."""
    return _prepared(_pf_conf(_on_qemu(name)))


def crowded(neighbours: int) -> str:
    """The rendered pf.conf of an example with that many more neighbours at its exchange."""
    site = _on_qemu("two-transits-and-an-exchange")
    exchange = next(port for port in site.ports if port.role is PortRole.EXCHANGE)
    networks = [one.network for one in exchange.addresses]
    there = site.peers[-1]
    more = tuple(
        dataclasses.replace(
            there,
            name=f"neighbour-{at}",
            asn=Asn(there.asn + at),
            addresses=tuple(network[30 + at] for network in networks),
        )
        for at in range(1, neighbours + 1)
    )
    return _prepared(_pf_conf(dataclasses.replace(site, peers=site.peers + more)))


def _on_qemu(name: str) -> Site:
    """The example with its ports on `INTERFACES`, without VLANs."""
    site = model.load(ROOT / "examples" / f"{name}.yaml").value
    ports = (
        dataclasses.replace(port, device=device, vlan=None)
        for port, device in zip(site.ports, INTERFACES, strict=False)
    )
    return dataclasses.replace(site, ports=tuple(ports))


def _pf_conf(site: Site) -> str:
    files = render(site, BOX, ROOT / "overlays")
    return next(file.text for file in files if file.path == "etc/pf.conf")


def _prepared(text: str) -> str:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    text = "\n".join(lines) + "\n"
    text = text.replace("(floating)", "(if-bound)")
    return re.sub(r"set skip on \{ (.*) \}", rf"set skip on {{ \1 {METER} }}", text)


def _changed(text: str, draw: random.Random) -> str:
    """Another order, rules left out, and changes to every third of them. One rule is about every
    packet, for a kernel may be told to block what no rule is about."""
    lines = text.splitlines()
    rules = [line for line in lines if line.startswith(("pass", "block"))]
    head = [line for line in lines if line not in rules]
    if draw.random() < 0.5:
        draw.shuffle(rules)
    kept = [line for line in rules if draw.random() < 0.85]
    last = draw.choice(("block drop all", "pass all no state"))
    changed = (_rule(line, draw) if draw.random() < 0.35 else line for line in kept)
    return "\n".join([*head, last, *changed]) + "\n"


def _rule(line: str, draw: random.Random) -> str:
    for change in draw.sample(CHANGES, draw.randint(1, 3)):
        line = change(line, draw)
    return line


def _action(line: str, draw: random.Random) -> str:
    if line.startswith("block"):
        return re.sub("^block( drop)?", "pass", line).replace(" label", " no state label")
    return _without_state(line).replace("pass", "block", 1)


def _without_state(line: str) -> str:
    return re.sub(r" (no|keep) state( \([a-z-]+\))?", "", line)


def _quick(line: str, draw: random.Random) -> str:
    return line.replace(" quick", "")


def _direction(line: str, draw: random.Random) -> str:
    other = draw.choice(("in ", "out ", ""))
    return re.sub("^(pass |block )(drop )?(in |out )?", rf"\1{other}", line)


def _interface(line: str, draw: random.Random) -> str:
    some = draw.sample(INTERFACES, draw.randint(1, 3))
    return re.sub(r" on (\{[^}]*\}|\w+)", f" on {{ {' '.join(some)} }}", line)


def _host(line: str, draw: random.Random) -> str:
    ends = list(re.finditer(r" (from|to) (\{[^}]*\}|! \S+|\S+)", line))
    if not ends:
        return line
    end = draw.choice(ends)
    host = draw.choice(HOSTS)
    left = {4} if " inet " in line else {6} if " inet6 " in line else {4, 6}
    for one in (host, *(other[2] for other in ends if other is not end)):
        left &= _versions(one)
    # pfctl refuses a rule about nothing.
    return line[: end.start()] + f" {end[1]} {host}" + line[end.end() :] if left else line


def _versions(host: str) -> set[int]:
    found = {version for version, sign in ((4, r"\d\.\d"), (6, ":")) if re.search(sign, host)}
    return {4, 6} if "<" in host or not found else found


def _ports(line: str, draw: random.Random) -> str:
    return re.sub(r" port (\{[^}]*\}|\S+)", f" port {draw.choice(PORTS)}", line, count=1)


def _flags(line: str, draw: random.Random) -> str:
    """Flags and states of rules about TCP alone."""
    if " proto tcp " not in line:
        return line
    line = re.sub(r" flags \S+", "", line)
    flags = draw.choice((f" flags {draw.choice(FLAGS)}", ""))
    if line.startswith("block"):
        return line.replace(" label", f"{flags} label")
    state = draw.choice((" no state", " keep state", ""))
    return _without_state(line).replace(" label", f"{flags}{state} label")


def _types(line: str, draw: random.Random) -> str:
    for name, types in TYPES.items():
        line = re.sub(rf" {name} (\{{[^}}]*\}}|\S+)", f" {name} {draw.choice(types)}", line)
    return line


def _version(line: str, draw: random.Random) -> str:
    """Both versions of IP, where nothing else in the rule says which."""
    hosts = re.sub('label ".*"', "", line)
    if re.search(r"icmp|\d\.\d|:", hosts):
        return line
    return re.sub(" inet6? ", " ", line)


CHANGES = (
    _action, _quick, _direction, _interface, _host, _host, _ports, _flags, _types, _version,
)  # fmt: skip


def numbered(texts: list[str]) -> Iterator[tuple[str, str]]:
    """Each rule set with the name of its file."""
    for at, text in enumerate(texts):
        yield f"{at:03}.conf", text
