"""What a complaint claims, whatever form it came in."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from firstboot.core.values import Address


class Category(Enum):
    """What complaints are about. The value is how it is counted, and the name of its answer."""

    LOGIN = "login"
    SCAN = "scan"
    SPAM = "spam"
    COPYRIGHT = "copyright"
    WEB = "web"
    FLOOD = "flood"
    MALWARE = "malware"
    FRAUD = "fraud"
    OTHER = "other"

    @property
    def told(self) -> str:
        return TOLD[self]


TOLD = {
    Category.LOGIN: "attempts to log in",
    Category.SCAN: "a scan of ports or networks",
    Category.SPAM: "spam",
    Category.COPYRIGHT: "copyright",
    Category.WEB: "an attack on a web site",
    Category.FLOOD: "a flood of packets or requests",
    Category.MALWARE: "malware",
    Category.FRAUD: "fraud",
    Category.OTHER: "something else",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """`when` has a zone; it is UTC if the complaint `said` none."""

    when: datetime
    said: bool = True

    def __str__(self) -> str:
        text = f"{self.when:%Y-%m-%d %H:%M:%S} UTC"
        return text if self.said else f"{text} (if it means UTC)"


@dataclass(frozen=True, slots=True)
class Claim:
    """`address` sent something at `moment` to `destination`, as far as the complaint says so."""

    address: Address
    moment: Moment | None = None
    port: int | None = None
    """Of the destination."""

    destination: Address | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """`form` is the name of the format. `contact` is the mail address that the report itself asks
    to write to, or empty."""

    form: str
    category: Category
    claims: tuple[Claim, ...]
    contact: str = ""


MOST_CLAIMS = 2000
"""Of one complaint: a log of a day has as many lines."""
