"""`./exitisp check --pair`: two boxes of one operator, each by itself and both together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from firstboot.core.output import say
from firstboot.core.refusal import Refusal
from firstboot.core.resources import overlays
from firstboot.site.check import Examined, examine, refused, report
from firstboot.site.commands import BOX
from firstboot.site.model import Site
from firstboot.site.render import render
from firstboot.site.rules.pair import check_pair
from firstboot.site.verify.pair import unproved
from firstboot.site.verify.verify import verified


def check_two(paths: Sequence[Path]) -> None:
    """Print what is found in both sites, and in each because of the other one. Without errors,
    prove of their rendered files that each box does what its site says, and that each edge carries
    both.

    Raises Refusal, after what it is about, for errors and for what cannot be proved.
    """
    if len(paths) != 2:
        raise Refusal(
            "--pair",
            f"a pair are two site files, not {len(paths)}",
            "Name the sites of both boxes: ./exitisp check --pair a.yaml b.yaml",
        )
    examined = _examined(paths)
    for one in examined:
        say(report(one))
    _prove(_sound(examined), paths)


def sound_pair(paths: Sequence[Path]) -> tuple[Site, Site]:
    """The sites of two boxes of one operator. Raises Refusal, after the findings, for errors."""
    examined = _examined(paths)
    for one in examined:
        if one.errors:
            say(report(one))
    site, other = _sound(examined)
    return site, other


def _sound(examined: Sequence[Examined]) -> list[Site]:
    for one in examined:
        if one.errors:
            raise refused(one, "Correct them and check again")
    return [one.site.value for one in examined if one.site is not None]


def _examined(paths: Sequence[Path]) -> list[Examined]:
    """What is found in both sites, and in each because of the other one if it has no errors."""
    examined = [examine(path) for path in paths]
    sites = [one.site.value for one in examined if one.site is not None and not one.errors]
    if len(sites) != len(paths):
        return examined
    return [
        _with_the_other(examined[0], sites[1], paths[1]),
        _with_the_other(examined[1], sites[0], paths[0]),
    ]


def _with_the_other(examined: Examined, other: Site, path: Path) -> Examined:
    document = examined.site
    assert document is not None
    found = [
        replace(one, line=document.line(*one.key))
        for one in check_pair(document.value, other, path.name)
    ]
    findings = sorted((*examined.findings, *found), key=lambda one: one.line)
    return replace(examined, findings=tuple(findings))


def _prove(sites: Sequence[Site], paths: Sequence[Path]) -> None:
    files = sum(len(verified(site, BOX, render(site, BOX, overlays()), say)) for site in sites)
    one, other = sites
    reasons = [*unproved(one, other, BOX), *unproved(other, one, BOX)]
    for reason in reasons:
        say(reason)
    if reasons:
        one_kind = len(reasons) == 1
        many = "1 kind of packets does" if one_kind else f"{len(reasons)} kinds of packets do"
        raise Refusal(
            f"{paths[0].name} and {paths[1].name}",
            f"{many} not find their way (listed above)",
            "Correct the sites, or tell the project: each of them by itself has no flaw",
        )
    say(
        f"{paths[0].name} and {paths[1].name} fit: {files} rendered files do what the sites say; "
        "what each box takes and sends at its own edge it takes and sends by the other's, and "
        "nothing goes back over the cable or through between strangers"
    )
