"""Times in complaints: ISO 8601 and its kin, RFC 5322, logs of web servers, and syslog's.

A time without a zone counts as UTC, and is told as such. One without a year is of the year before
the mail was sent.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

from firstboot.site.abuse.complaint import Moment

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?(?:[.,][0-9]{1,9})?"
_ZONE = r"(?: ?(?P<zone>Z\b|UTC\b|GMT\b|[+-][0-9]{2}:?[0-9]{2}\b))?"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})[a-z]{{0,6}}"

FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"\b(?P<year>[0-9]{{4}})[-/.](?P<month>[0-9]{{2}})[-/.](?P<day>[0-9]{{2}})[T ]{{1,2}}"
        rf"{_CLOCK}{_ZONE}",
        rf"\b(?P<day>[0-9]{{1,2}})[- ]{_MONTH}[- ](?P<year>[0-9]{{4}}),? {_CLOCK}{_ZONE}",
        rf"\b(?P<day>[0-9]{{2}})/{_MONTH}/(?P<year>[0-9]{{4}}):{_CLOCK}{_ZONE}",
        rf"\b{_MONTH} {{1,2}}(?P<day>[0-9]{{1,2}}),? (?P<year>[0-9]{{4}}),? {_CLOCK}{_ZONE}",
        rf"\b{_MONTH} {{1,2}}(?P<day>[0-9]{{1,2}}) {_CLOCK}(?P<year>)(?P<zone>)",
    )
)


def moments(text: str, sent: datetime | None) -> Iterator[Moment]:
    """The times in `text`, a line or a value. `sent` is when the mail was; without it, a time
    without a year is none."""
    for form in FORMS:
        for found in form.finditer(text):
            moment = _moment(found.groupdict(), sent)
            if moment:
                yield moment


def moment(text: object, sent: datetime | None = None) -> Moment | None:
    """The first time in a value of a report."""
    return next(moments(text[:200], sent), None) if isinstance(text, str) else None


def _moment(parts: dict[str, str | None], sent: datetime | None) -> Moment | None:
    month = (parts["month"] or "").lower()
    number = int(month) if month.isdecimal() else MONTHS.index(month[:3]) + 1
    zone = parts["zone"] or ""
    year = int(parts["year"]) if parts["year"] else sent.year if sent else 0
    try:
        when = datetime(
            year,
            number,
            int(parts["day"] or 0),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            tzinfo=_zone(zone),
        )
        if not parts["year"] and sent and when > sent + timedelta(days=1):
            when = when.replace(year=year - 1)
        return Moment(when.astimezone(UTC), bool(zone))
    except (ValueError, OverflowError):
        return None


def _zone(text: str) -> timezone:
    """Raises ValueError."""
    if not text or text.isalpha():
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
