"""A program takes its version of the site file and older ones, and says which keys are newer."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from firstboot.core import document, keys, partial
from firstboot.core.document import Document
from firstboot.core.keys import key
from firstboot.site import schema
from firstboot.site.check import check
from firstboot.site.model import SCHEMA, Peer, Site
from firstboot.site.render import render
from firstboot.site.writer import compose
from firstboot.wizard.draft import Draft
from tests.firstboot.site.daemons.sites import BOX
from tests.firstboot.site.sites import EXAMPLES, ONE, ROOT, changed


def first_version(path: Path) -> Document[Site]:
    """The example as a file of schema 1; it has none of the newer keys."""
    return document.parse(changed(("schema: 2", "schema: 1"), of=path), path.name, Site)


OLD = [path for path in EXAMPLES if not list(schema.check_keys(first_version(path)))]


@dataclass(frozen=True)
class Newer(Peer):
    """A peer, with a key of the next version."""

    tomorrow: bool = key("Whether it is tomorrow.", since=2, default=False)


@dataclass(frozen=True)
class Renewed(Site):
    """A site, with such peers."""

    peers: tuple[Newer, ...] = key("Networks that speak BGP.", limit=(0, 1000), default=())


def with_the_key(monkeypatch: pytest.MonkeyPatch, version: int) -> Document[Any]:
    monkeypatch.setattr(schema, "Site", Renewed)
    text = changed(
        ("schema: 2", f"schema: {version}"), ("irr: AS-NEIGHBOUR", "tomorrow: no"), of=ONE
    )
    return document.parse(text, "site.yaml", Renewed)


def test_some_examples_can_be_said_in_the_first_version() -> None:
    assert len(OLD) >= 3


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_site_of_the_first_version_is_migrated_without_loss(path: Path) -> None:
    old = first_version(path)
    new = schema.migrated(old.value)
    assert new.schema == SCHEMA
    assert dataclasses.replace(new, schema=1) == old.value
    assert schema.migrated(new) == new
    read = document.parse(compose(new).encode(), "site.yaml", Site)
    assert read.value == new
    assert {(one.key, one.reason) for one in check(read)} == {
        (one.key, one.reason) for one in check(old)
    }


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_migrated_site_is_rendered_as_before(path: Path) -> None:
    old, overlays = first_version(path).value, ROOT / "overlays"
    assert render(schema.migrated(old), BOX, overlays) == render(old, BOX, overlays)


def test_every_newer_key_can_be_left_out() -> None:
    newer = [one for one in keys.walk(Site) if one.about.since > 1]
    assert all(
        one.field.default is not dataclasses.MISSING
        or one.field.default_factory is not dataclasses.MISSING
        for one in newer
    )


def test_a_newer_key_in_an_old_file_says_which_version_to_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = with_the_key(monkeypatch, 1)
    (finding,) = schema.check_keys(found)
    assert finding.key == ("peers", 2, "tomorrow")
    assert finding.reason == "this key is known since schema 2, and the file has schema 1"
    line = found.line("schema")
    assert finding.remedy == f"Write schema: 2 in line {line}, or remove the key"
    assert (finding.key, finding.reason) in {(one.key, one.reason) for one in check(found)}


def test_a_newer_key_in_a_file_of_its_version_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not list(schema.check_keys(with_the_key(monkeypatch, 2)))


def test_the_explanation_of_a_newer_key_has_its_version() -> None:
    (tomorrow,) = (one for one in keys.walk(Newer) if one.path == "tomorrow")
    assert tomorrow.about.explanation == "Whether it is tomorrow. Since schema 2."


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_the_wizard_writes_the_newest_version(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "draft.yaml"
    old = first_version(path).value
    assert Draft.from_site(kept, old).document().value == schema.migrated(old)
    begun = partial.of(old)
    assert isinstance(begun, dict)
    kept.write_bytes(partial.write(begun))
    assert Draft.open(kept).document().value == schema.migrated(old)
