"""`./exitisp check`, and `exitisp check` on the box."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from firstboot.core.output import say
from firstboot.site.check import examine, refused, report
from firstboot.site.needs import needs, told, too_small
from firstboot.site.profiles import Machine


def check_sites(paths: Iterable[Path], machine: Machine | None = None) -> None:
    """Print what is found in each, and what those without errors ask of a machine.

    `machine` is the one that they are for, if that is known: it may be too small. Raises Refusal if
    any site has errors, or cannot be read.
    """
    examined = []
    for path in paths:
        one = examine(path)
        asked = None if one.site is None or one.errors else needs(one.site.value)
        if one.site is not None and asked is not None and machine is not None:
            small = too_small(asked, machine)
            found = tuple(replace(each, line=one.site.line(*each.key)) for each in small)
            one = replace(one, findings=(*one.findings, *found))
        say(report(one))
        if asked is not None:
            say(told(one.name, asked))
        examined.append(one)
    wrong = [one for one in examined if one.errors]
    if wrong:
        raise refused(wrong[0], "Correct them and check again")
