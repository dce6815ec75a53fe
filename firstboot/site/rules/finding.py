"""What a rule has to say: how bad it is, about which part of the site, why, and what to do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from firstboot.core.document import Key
from firstboot.site.model import Site


class Severity(Enum):
    """An error keeps a site from being rendered; a warning is likely a mistake; advice is what
    the field has learnt."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True)
class Remark:
    """A finding before its line is known. Reason and remedy are half sentences."""

    severity: Severity
    key: Key
    reason: str
    remedy: str


Rule = Callable[[Site], Iterable[Remark]]


def error(key: Key, reason: str, remedy: str) -> Remark:
    return Remark(Severity.ERROR, key, reason, remedy)


def warning(key: Key, reason: str, remedy: str) -> Remark:
    return Remark(Severity.WARNING, key, reason, remedy)


def advice(key: Key, reason: str, remedy: str) -> Remark:
    return Remark(Severity.ADVICE, key, reason, remedy)


def for_documentation(site: Site, key: Key, what: str, remedy: str) -> Remark:
    """Of a number that is for documentation: an error, or advice where the site waives it."""
    severity = Severity.ADVICE if waived(site, "documentation") else Severity.ERROR
    return Remark(severity, key, f"{what} is for documentation", remedy)


def waived(site: Site, waiver: str) -> bool:
    """Whether the site sets a rule aside and says why."""
    return bool(site.waivers.get(waiver, "").strip())
