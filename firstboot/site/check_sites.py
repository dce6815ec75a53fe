"""`./exitisp check`, and `exitisp check` on the box."""

from collections.abc import Iterable
from pathlib import Path

from firstboot.core.output import say
from firstboot.site.check import examine, refused, report


def check_sites(paths: Iterable[Path]) -> None:
    """Print what is found in each. Raises Refusal if any has errors, or cannot be read."""
    examined = []
    for path in paths:
        examined.append(examine(path))
        say(report(examined[-1]))
    wrong = [one for one in examined if one.errors]
    if wrong:
        raise refused(wrong[0], "Correct them and check again")
