"""What a rule finds: how bad it is, which part of the site it is about, why, and what to do."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from firstboot.core.document import Key
from firstboot.site.model import Site


class Severity(Enum):
    """An error keeps a site from being rendered; a warning is probably a mistake; advice is what
    the field has learnt."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


@dataclass(frozen=True)
class Finding:
    """`reason` is a sentence without its full stop, `remedy` one or more in the imperative.

    `line` and `column` count from 1 and are 0 until `firstboot.site.check` knows them. Findings of
    one `kind` say the same of several parts of the site. `of_form` is set where the file cannot be
    read as a site.
    """

    severity: Severity
    key: Key
    reason: str
    remedy: str
    line: int = 0
    column: int = 0
    kind: str = ""
    of_form: bool = False


Rule = Callable[[Site], Iterable[Finding]]


def error(key: Key, reason: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, key, reason, remedy)


def warning(key: Key, reason: str, remedy: str) -> Finding:
    return Finding(Severity.WARNING, key, reason, remedy)


def advice(key: Key, reason: str, remedy: str, kind: str = "") -> Finding:
    return Finding(Severity.ADVICE, key, reason, remedy, kind=kind)


def for_documentation(site: Site, key: Key, what: str, remedy: str) -> Iterable[Finding]:
    """An error for a number that is reserved for documentation, unless the site waives it."""
    if not waived(site, "documentation"):
        reason = f"{what} is reserved for documentation"
        yield Finding(Severity.ERROR, key, reason, remedy, kind="documentation")


def waived(site: Site, waiver: str) -> bool:
    """Whether the site sets a rule aside and says why."""
    return bool(site.waivers.get(waiver, "").strip())
