"""What pf counts of packets that it stopped, as ``pfctl -v -s rules`` prints it."""

import re
from collections.abc import Iterator

from firstboot.box.host import Host
from firstboot.box.stopped import ELSEWHERE, Stopped

RULE = re.compile(
    r"block drop (?:in|out) quick on (?P<port>\S{1,32})(?: inet6?)?"
    r"(?: proto (?P<protocol>\S{1,16}))? from .{1,80}? to (?P<towards>.{1,80}?)(?: flags \S{1,20})?"
    r' label "(?P<rule>LEAK4|LEAK6|backscatter)"'
)
COUNTED = re.compile(r"\s+\[ Evaluations: [0-9]{1,20}\s+Packets: ([0-9]{1,20})\s.{0,200}")
TABLE = re.compile(r"<near-(exchange|transit|multicast)(?::[^>]{1,12})?>")
"""pfctl adds how many addresses a table has."""


def stopped(host: Host) -> tuple[Stopped, ...]:
    ran = host.run("pfctl", "-v", "-s", "rules", patience=20.0)
    return tuple(parse_stopped(ran.text)) if ran.status == 0 else ()


def parse_stopped(text: str) -> Iterator[Stopped]:
    """The rules against foreign sources and those for backscatter, with the packets of each."""
    rule = None
    for line in text.splitlines():
        if line[:1] not in (" ", "\t"):
            rule = RULE.fullmatch(line.rstrip())
        elif rule and (counted := COUNTED.fullmatch(line)):
            near = TABLE.fullmatch(rule["towards"])
            protocol = rule["protocol"] or "other"
            towards = near[1] if near else ELSEWHERE
            yield Stopped(rule["port"], rule["rule"], protocol, towards, int(counted[1]))
            rule = None
