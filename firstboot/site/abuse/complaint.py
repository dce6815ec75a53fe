"""What a complaint claims, whatever form it came in."""

from dataclasses import dataclass
from datetime import datetime

from firstboot.core.values import Address
from firstboot.site.complaint_counts import Category


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
