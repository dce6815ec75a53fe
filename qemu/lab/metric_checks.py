"""Judges what the appliance tells a monitoring host, and that it tells nobody else."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from qemu.lab.checks import Verdict, judged, several
from qemu.lab.literals import literals
from qemu.world.knocks import Door

NAME, LABEL = "[a-zA-Z_:][a-zA-Z0-9_:]*", r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"'

LINE = re.compile(
    rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*,?)?\}})?[ \t]+"
    r"([-+]?(?:[0-9]+\.?[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+|Inf)|NaN)(?:[ \t]+-?[0-9]+)?"
)
"""A sample: name, labels, value and perhaps a time (Exposition formats, version 0.0.4)."""

VALUE = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"')

SCHEMA = Path(__file__).parents[2] / "docs" / "status.schema.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sample that has to be there: one whose name begins so, and that has these labels."""

    prefix: str
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        labels = ",".join(f'{name}="{value}"' for name, value in self.labels)
        return f"{self.prefix}{{{labels}}}" if labels else self.prefix

    def met(self, name: str, labels: Mapping[str, str]) -> bool:
        return name.startswith(self.prefix) and all(labels.get(k) == v for k, v in self.labels)


def metrics(text: str, wanted: Collection[Wanted], strangers: Collection[str]) -> Verdict:
    """Judge what `exitisp metrics` printed. No label may have an address, be it the box's own, or
    one of `strangers`, which are addresses and names of others."""
    faults, samples = [], list[tuple[str, dict[str, str]]]()
    for line in filter(None, text.splitlines()):
        if found := LINE.fullmatch(line):
            samples.append((found[1], dict(VALUE.findall(found[2] or ""))))
        elif not line.startswith("#"):
            faults.append(f"this is no sample: {line[:80]!r}")
    missing = [one for one in wanted if not any(one.met(*sample) for sample in samples)]
    if missing:
        faults.append(f"no sample of {several(missing)}")
    for name, labels in samples:
        for value in labels.values():
            if literals(value) or any(one in value for one in strangers):
                faults.append(f"a label of {name} is {value!r}")
    kinds = len({name for name, _ in samples})
    return judged("scraped", faults, f"{len(samples)} samples of {kinds} kinds")


def status(text: str) -> Verdict:
    """Judge what `exitisp status --json` printed, by the schema of its page."""
    try:
        told: dict[str, Any] = json.loads(text)
        jsonschema.validate(told, json.loads(SCHEMA.read_text()))
    except ValueError as error:
        return Verdict("scraped", False, f"status --json is no JSON ({error}): {text[:80]!r}")
    except jsonschema.ValidationError as error:
        return Verdict("scraped", False, f"status --json: {error.json_path}: {error.message[:80]}")
    return Verdict("scraped", True, f"status --json is as version {told['schema']} says")


def shut(
    doors: Collection[Door],
    answered: Mapping[str, Collection[Door]],
    control: Mapping[str, Collection[Door]],
) -> Verdict:
    """Judge who answers somebody who is no administrator. `answered` has by the name of a neighbour
    the doors of `doors` and `control` that took a connection. Of those in `control`, which are open
    to all, a neighbour has to find one, or its search proves nothing."""
    faults = []
    for neighbour, found in sorted(answered.items()):
        if wrong := set(found) & set(doors):
            faults.append(f"{several(wrong)} answers {neighbour}")
        open_to_all = control.get(neighbour, ())
        if open_to_all and not set(found) & set(open_to_all):
            faults.append(f"{neighbour} does not even reach {several(open_to_all)}")
    if not any(control.values()):
        faults.append("nobody looked who could have found something")
    told = f"none of {len(doors)} doors is open to {several(answered)}"
    return judged("scraped", faults, told)
