"""What a lab found, as a page for people and a file for programs. Each is complete by itself."""

import dataclasses
import json
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
from qemu.lab.checks import Verdict
from qemu.lab.picture import draw, draw_narrow
from qemu.lab.wires import Traffic

TEMPLATE = Path(__file__).parent / "report.html.j2"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the lab: when it ended, in seconds since the lab began, and how many it took."""

    name: str
    at: float
    took: float


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault, or none: its name, what was done, and what was found of each check."""

    name: str
    what: str
    verdicts: tuple[Verdict, ...]

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Origin:
    """What was tested, where and when.

    `image` is the image's file name, `digest` its SHA-256 in hexadecimal, `base` the name of its
    system. `commit` is the project's, as `git describe --always --dirty` prints it. `began` is in
    UTC. `accelerator` is what ran the guest's instructions.
    """

    image: str
    digest: str
    base: str
    commit: str
    began: datetime
    accelerator: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `proof` says what passes by the rules that the box runs; None where there is
    no pf."""

    origin: Origin
    stages: tuple[Stage, ...]
    trials: tuple[Trial, ...]
    wires: tuple[Traffic, ...]
    proof: Explanation | None

    @property
    def holds(self) -> bool:
        return all(trial.holds for trial in self.trials)


def table(trial: Trial) -> str:
    """The trial and its verdicts as text, a line for each."""
    width = max((len(verdict.name) for verdict in trial.verdicts), default=0)
    lines = [
        f"  {'holds' if one.holds else 'FAILS'}  {one.name:{width}}  {one.evidence}"
        for one in trial.verdicts
    ]
    return "\n".join([f"{trial.name}: {trial.what}", *lines])


def render_json(report: Report) -> str:
    origin = dataclasses.asdict(report.origin) | {"began": report.origin.began.isoformat()}
    facts = dataclasses.asdict(report) | {"origin": origin, "holds": report.holds}
    return json.dumps(facts, indent=2, default=_value) + "\n"


def render_html(report: Report, site: Site) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _code
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    proof = "" if report.proof is None else draw_proof(site, report.proof)
    return template.render(report=report, wide=draw(site), narrow=draw_narrow(site), proof=proof)


def _value(member: Enum) -> object:
    """What JSON has instead of a member of an enumeration."""
    return member.value


def _code(text: str) -> Markup:
    """`text` as HTML, with what is between backticks as code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def save(report: Report, site: Site, folder: Path) -> tuple[Path, Path]:
    """Write `lab-report.html` and `lab-report.json` into `folder`, and return their paths.

    Raises Refusal if they cannot be written.
    """
    page, data = folder / "lab-report.html", folder / "lab-report.json"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    replace(page, render_html(report, site).encode())
    replace(data, render_json(report).encode())
    return page, data
