"""What a lab found: a page for people and a file for programs, each complete by itself."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import jinja2

from firstboot.site.model import Site
from image.atomic_files import replace, writing
from qemu.lab.checks import Verdict
from qemu.lab.picture import draw
from qemu.lab.wires import Traffic

TEMPLATE = Path(__file__).parent / "report.html.j2"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the lab, and when it was done: seconds from the beginning, and its own."""

    name: str
    at: float
    took: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of one fault, or of none: its name, what was done, and what held."""

    name: str
    what: str
    verdicts: tuple[Verdict, ...]

    @property
    def holds(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Report:
    """`image` is the image's name and `digest` its SHA-256; `accelerator` is what ran it."""

    image: str
    digest: str
    base: str
    accelerator: str
    stages: tuple[Stage, ...]
    trials: tuple[Trial, ...]
    wires: tuple[Traffic, ...]

    @property
    def holds(self) -> bool:
        return all(trial.holds for trial in self.trials)


def table(trial: Trial) -> str:
    """The verdicts, a line each."""
    width = max((len(verdict.name) for verdict in trial.verdicts), default=0)
    lines = [
        f"  {'holds ' if one.holds else 'NOT SO'}  {one.name:{width}}  {one.evidence}"
        for one in trial.verdicts
    ]
    return "\n".join([f"{trial.name}: {trial.what}", *lines])


def render_json(report: Report) -> str:
    return json.dumps(dataclasses.asdict(report) | {"holds": report.holds}, indent=2) + "\n"


def render_html(report: Report, site: Site) -> str:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, picture=draw(site))


def save(report: Report, site: Site, folder: Path) -> tuple[Path, Path]:
    """Write `lab-report.html` and `lab-report.json` into `folder`. Raises Refusal."""
    page, data = folder / "lab-report.html", folder / "lab-report.json"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    replace(page, render_html(report, site).encode())
    replace(data, render_json(report).encode())
    return page, data
