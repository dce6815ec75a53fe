"""A month or a year that a report is about."""

import calendar
import re
import time
from dataclasses import dataclass

from firstboot.box.reports.document import utc
from firstboot.core.refusal import Refusal

FORM = re.compile(r"(20[0-9]{2})(?:-(0[1-9]|1[0-2]))?")


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` on and before `end`, in seconds since 1970."""

    name: str
    start: int
    end: int

    @property
    def told(self) -> str:
        return f"{utc(self.start)} to {utc(self.end)} UTC"


def period(when: str, now: int) -> Period:
    """The month or year that is named, as 2026-11 or 2026; without a name, the month that is now.
    Raises Refusal."""
    text = when or time.strftime("%Y-%m", time.gmtime(now))
    found = FORM.fullmatch(text)
    if found is None:
        raise Refusal(
            "exitisp report", f"'{when}' is no month and no year", "Write it as 2026-11, or 2026"
        )
    year, month = int(found[1]), int(found[2] or 1)
    later = (year, month + 1) if found[2] and month < 12 else (year + 1, 1)
    name = f"{calendar.month_name[month]} {year}" if found[2] else str(year)
    return Period(name, _start(year, month), _start(*later))


def _start(year: int, month: int) -> int:
    return calendar.timegm((year, month, 1, 0, 0, 0))
