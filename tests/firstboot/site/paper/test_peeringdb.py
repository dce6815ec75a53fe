"""The record at PeeringDB, judged by a schema of its documentation."""

import json
from pathlib import Path
from typing import Any

import pytest

from firstboot.site.paper.details import details
from firstboot.site.paper.peeringdb import text
from tests.firstboot.site.paper.sites import BOTH, RIPE, site

SCHEMA = json.loads((Path(__file__).parent / "peeringdb-net.schema.json").read_text())


def record(path: object = RIPE) -> dict[str, Any]:
    made = site(of=path)
    found: dict[str, Any] = json.loads(text(made, details(made)))
    return found


def faults(found: dict[str, Any]) -> list[str]:
    jsonschema = pytest.importorskip("jsonschema")
    judge = jsonschema.Draft202012Validator(SCHEMA)
    return [error.message for error in judge.iter_errors(found)]


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_the_schema_takes_it(path: object) -> None:
    assert faults(record(path)) == []


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("irr_as_set", "AS65550:AS-EXIT"),
        ("irr_as_set", "RIPE:AS-EXIT"),
        ("asn", "AS65550"),
        ("org_id", 0),
        ("info_prefixes4", "1"),
        ("info_types", ["Nonprofit"]),
        ("policy_general", "Yes"),
        ("color", "blue"),
    ],
)
def test_the_schema_refuses_what_is_broken(key: str, wrong: object) -> None:
    assert faults({**record(), key: wrong})


@pytest.mark.parametrize("key", ["org_id", "name", "asn"])
def test_the_schema_asks_for_what_has_to_be_there(key: str) -> None:
    assert faults({name: value for name, value in record().items() if name != key})


def test_peers_learn_the_limits_and_the_set_with_its_registry() -> None:
    found = record()
    assert (found["info_prefixes4"], found["info_prefixes6"]) == (1, 2)
    assert found["irr_as_set"] == "RIPE::AS65550:AS-EXIT"
