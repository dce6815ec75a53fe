"""Steps and checks of a lab that may fail: what failed becomes a verdict."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from qemu.failure import Failure
from qemu.lab.checks import Verdict
from qemu.lab.probe import Probe
from qemu.lab.session import Lab

T = TypeVar("T")


def done(name: str, step: Callable[[T], None], on: T) -> tuple[Verdict, ...]:
    """Take a step. Returns no verdict, or the one that it failed."""
    try:
        step(on)
    except Failure as failure:
        return (_failed(name, failure),)
    return ()


def made(some: Iterable[Probe], lab: Lab) -> tuple[Verdict, ...]:
    return tuple(attempt(check, lab) for check in some)


def attempt(check: Probe, lab: Lab) -> Verdict:
    """The verdict of `check`; one that does not hold if the check itself fails. A check that does
    not apply to the site is not made."""
    if lack := check.lack(lab.site):
        return Verdict(check.name, True, f"does not apply: {lack}", check.explanation, False)
    try:
        with lab.progress.stage(f"  {check.name}"):
            return check(lab)
    except Failure as failure:
        return replace(_failed(check.name, failure), explanation=check.explanation)


def _failed(name: str, failure: Exception) -> Verdict:
    first = str(failure).strip().splitlines()[0]
    return Verdict(name, False, first.removesuffix("; the last lines were"))
