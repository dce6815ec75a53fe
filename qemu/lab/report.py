"""What a lab found, as a page for people and a file for programs. Each is complete by itself."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

import jinja2
from markupsafe import Markup

from firstboot.site.model import Site
from firstboot.site.verify.explain import Explanation
from firstboot.site.verify.picture import draw as draw_proof
from image.atomic_files import replace, writing
from qemu.lab.chart import NARROW, WIDE, Band
from qemu.lab.chart import draw as draw_chart
from qemu.lab.checks import Verdict
from qemu.lab.hearing import Hearing
from qemu.lab.offer import Refusal
from qemu.lab.picture import draw, draw_narrow
from qemu.lab.wires import Traffic

AGAIN = " again"
"""Follows the name of a check that is made once a fault is undone."""

TEMPLATE = Path(__file__).parent / "report.html.j2"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the lab: when it ended, in seconds since the lab began, and how many it took."""

    name: str
    at: float
    took: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that was done to the appliance, and when, in seconds since 1970."""

    what: str
    at: float


@dataclass(frozen=True, slots=True)
class Status:
    """What `exitisp status --json` told: whether the box is well, and what is not as it has to
    be."""

    well: bool
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault, or none: its name, what was done, and what was found of each check. `lack` is why
    the fault does not apply to the site; "" if it does. `status` is what the box itself said
    meanwhile, None if it was not asked or could not tell."""

    name: str
    what: str
    verdicts: tuple[Verdict, ...]
    lack: str = ""
    status: Status | None = None

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Outage:
    """For how long at most addresses of two boxes were unreachable because of a fault, in seconds,
    by the box that has them: from `far`, and from the upstream of the box, which is `near`.

    Those of the boxes `stay` may be unreachable for `most` seconds; with `only_near`, that holds
    for what their own upstreams see.
    """

    fault: str
    what: str
    far: Mapping[str, float]
    near: Mapping[str, float]
    stay: tuple[str, ...]
    only_near: bool
    most: float


@dataclass(frozen=True, slots=True)
class Origin:
    """What was tested, where and when.

    `image` is the image's file name, `digest` its SHA-256 in hexadecimal, `base` the name of its
    system. `site` is the file name of the site. `commit` is the project's, as `git describe
    --always --dirty` prints it. `began` is in UTC. `accelerator` is what ran the guest's
    instructions.
    """

    image: str
    digest: str
    base: str
    commit: str
    began: datetime
    accelerator: str
    site: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `proof` says what passes by the rules that the box runs; None where there is
    no pf. `cuts` has what the lab's site has otherwise than the file, `moments` when something was
    done, `heard` what neighbours heard at the end."""

    origin: Origin
    stages: tuple[Stage, ...]
    trials: tuple[Trial, ...]
    wires: tuple[Traffic, ...]
    proof: Explanation | None
    cuts: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()
    heard: tuple[Hearing, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    outages: tuple[Outage, ...] = ()
    """Of a lab of two boxes."""

    @property
    def holds(self) -> bool:
        return all(trial.holds for trial in self.trials)

    @property
    def bands(self) -> list[Band]:
        """What went over the wires over time."""
        return [Band(one.wire, one.over_time) for one in self.wires if one.over_time]


@dataclass(frozen=True, slots=True)
class Explained:
    """A check that was made, the sentence that says what must hold, and its place on the page."""

    name: str
    text: str
    anchor: str


def explained(report: Report) -> dict[tuple[str, str], Explained]:
    """Each check of `report` once, by name and explanation. A check that faults make with several
    explanations has a place for each."""
    found: dict[tuple[str, str], Explained] = {}
    for trial in report.trials:
        for verdict in trial.verdicts:
            name = plain_name(verdict)
            key = (name, verdict.explanation)
            if verdict.explanation and key not in found:
                anchor = "-".join(("check", *name.split(), str(len(found) + 1)))
                found[key] = Explained(*key, anchor)
    return found


def plain_name(verdict: Verdict) -> str:
    """The name of the check, without the word that says that it was made again."""
    return verdict.name.removesuffix(AGAIN)


def table(trial: Trial) -> str:
    """The trial and its verdicts as text, a line for each."""
    width = max((len(verdict.name) for verdict in trial.verdicts), default=0)
    lines = [f"  {said_of(one):5}  {one.name:{width}}  {one.evidence}" for one in trial.verdicts]
    if trial.lack:
        lines = [f"  does not apply: {trial.lack}"]
    if trial.status:
        lines += [f"  status said: {one}" for one in told_of(trial.status)]
    return "\n".join([f"{trial.name}: {trial.what}", *lines])


def told_of(status: Status) -> tuple[str, ...]:
    """What status told, first in a word."""
    return ("well" if status.well else "not well", *status.findings)


def said_of(verdict: Verdict) -> str:
    """The verdict in a word: "-" if the check does not apply."""
    if not verdict.applies:
        return "-"
    return "holds" if verdict.holds else "FAILS"


def render_json(report: Report) -> str:
    origin = dataclasses.asdict(report.origin) | {"began": report.origin.began.isoformat()}
    facts = dataclasses.asdict(report) | {"origin": origin, "holds": report.holds}
    return json.dumps(facts, indent=2, default=_value) + "\n"


def render_html(report: Report, site: Site, *others: Site) -> str:
    """The page. With `others`, the lab had several boxes."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _code
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    proof = "" if report.proof is None else draw_proof(site, report.proof)
    bands, moments = report.bands, [one.at for one in report.moments]
    charts = [draw_chart(bands, moments, width) if bands else "" for width in (WIDE, NARROW)]
    return template.render(
        report=report,
        site=site,
        wide=draw(site, *others),
        narrow=draw_narrow(site, *others),
        proof=proof,
        charts=charts,
        began=bands[0].traffic.began if bands else 0.0,
        explained=explained(report),
        plain_name=plain_name,
        told_of=told_of,
        said_of=said_of,
    )


def _value(member: Enum) -> object:
    """What JSON has instead of a member of an enumeration."""
    return member.value


def _code(text: str) -> Markup:
    """`text` as HTML, with what is between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def save(report: Report, site: Site, folder: Path, *others: Site) -> tuple[Path, Path]:
    """Write `lab-report.html` and `lab-report.json` into `folder`, and return their paths.

    Raises Refusal if they cannot be written.
    """
    page, data = folder / "lab-report.html", folder / "lab-report.json"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    replace(page, render_html(report, site, *others).encode())
    replace(data, render_json(report).encode())
    return page, data
