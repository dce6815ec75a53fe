"""What the packet filter counts of packets that it stopped: by port, rule, protocol and the kind of
network that they were for. No filter of the box copies a packet, so more than that nobody knows."""

from dataclasses import dataclass

BACKSCATTER = "backscatter"
"""The rule for answers to what was never asked: others send with the own addresses."""

ELSEWHERE = "elsewhere"


@dataclass(frozen=True, slots=True)
class Stopped:
    """Packets of one class, since the filter counts. `protocol` is tcp, udp or "other"; `towards`
    is exchange, transit, multicast or "elsewhere"."""

    port: str
    rule: str
    protocol: str
    towards: str
    packets: int

    @property
    def key(self) -> str:
        """The class, as one word: ix1/LEAK4/udp/transit."""
        return "/".join((self.port, self.rule, self.protocol, self.towards))
