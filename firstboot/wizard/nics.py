"""Network cards, as the wizard shows and compares them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card.

    `mac` is the address that the card was made with. `link` is None where it is not known. `speed`
    is the driver's word for it, such as ``10Gbase-SR``, and empty without a link.
    """

    device: str
    driver: str
    mac: str
    link: bool | None
    speed: str


def table(nics: Iterable[Nic]) -> str:
    """One line for each card, under a heading."""
    lines = [f"{'':2}{'device':9}{'driver':32}{'Ethernet address':19}link"]
    for nic in nics:
        link = {True: nic.speed or "yes", False: "no", None: "not known"}[nic.link]
        lines.append(f"{'':2}{nic.device:9}{nic.driver[:31]:32}{nic.mac:19}{link[:16]}")
    return "\n".join(lines)


def changed(before: Iterable[Nic], after: Iterable[Nic]) -> tuple[str, ...]:
    """The devices whose link came up or went down."""
    links = {nic.device: nic.link for nic in before}
    return tuple(
        nic.device for nic in after if nic.device in links and nic.link != links[nic.device]
    )
