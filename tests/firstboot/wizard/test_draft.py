"""Answers on disk survive power cuts; site files with mistakes are used as far as possible."""

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstboot.core import document, partial
from firstboot.core.document import Faulty, Key
from firstboot.core.refusal import Refusal
from firstboot.site.model import Site, load
from firstboot.wizard.draft import Draft
from tests.firstboot.site.sites import EXAMPLES, ONE, SITES, TWO, changed

ANSWERS: tuple[tuple[Key, Any], ...] = (
    (("operator", "name"), "One"),
    (("asn",), "64511"),
    (("ports", 0, "device"), "ix0"),
    (("operator", "name"), "Two"),
    (("ports", 1, "device"), "ix1"),
)


class Cut(Exception):
    """The power failed."""


TREES = st.recursive(
    st.none() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(min_size=1, max_size=10), TREES, min_size=1, max_size=4))
def test_what_is_written_is_read_back(tree: dict[str, Any]) -> None:
    assert document.plain(partial.write(tree), "draft") == tree


@given(SITES)
def test_every_site_can_be_a_draft(site: Site) -> None:
    tree = partial.of(site)
    assert isinstance(tree, dict)
    again, left_out = partial.fit(tree, Site, whole=False)
    assert again == tree
    assert not left_out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_draft_of_a_site_makes_that_site(path: Path, tmp_path: Path) -> None:
    draft = Draft.from_site(tmp_path / "draft.yaml", load(path).value)
    draft.keep()
    assert Draft.open(draft.path).document().value == load(path).value


def test_answers_are_there_after_each(tmp_path: Path) -> None:
    path = tmp_path / "draft.yaml"
    draft = Draft.open(path)
    for key, value in ANSWERS:
        draft.answer(key, value)
        again = Draft.open(path)
        assert again.get(key) == value
        assert again.answers == draft.answers
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["draft.yaml"]


@pytest.mark.parametrize("call", ["open", "fchmod", "fsync", "replace", "rename"])
@pytest.mark.parametrize("nth", [0, 1, 2])
def test_a_power_cut_leaves_the_answers_before_or_after(
    call: str, nth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "draft.yaml"
    draft = Draft.open(path)
    for key, value in ANSWERS[:-1]:
        draft.answer(key, value)
    before = Draft.open(path).answers
    calls = 0
    real: Callable[..., Any] = getattr(os, call)

    def cut(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > nth:
            raise Cut
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, cut)
        try:
            draft.answer(*ANSWERS[-1])
            done = True
        except Cut:
            done = False
    after = Draft.open(path).answers
    assert after in (before, draft.answers)
    assert after == draft.answers or not done


def test_answers_are_on_the_disk_before_they_have_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def noted(call: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(os, call)

        def note(*arguments: Any, **named: Any) -> Any:
            order.append(call)
            return real(*arguments, **named)

        return note

    for call in ("fsync", "replace"):
        monkeypatch.setattr(os, call, noted(call))
    Draft.open(tmp_path / "draft.yaml").answer(("asn",), "64511")
    assert order == ["fsync", "replace", "fsync"]


def test_half_a_file_under_the_other_name_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / ".draft.yaml.new").write_bytes(b'{"asn": "645')
    draft = Draft.open(tmp_path / "draft.yaml")
    draft.answer(("asn",), "64511")
    assert Draft.open(draft.path).get(("asn",)) == "64511"


@pytest.mark.parametrize("data", [b"asn: [", b"", b"\xff\xfe", b"- a\n", b"a: &b 1", b"\0" * 300])
def test_a_damaged_file_is_set_aside_and_that_is_told(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "draft.yaml"
    path.write_bytes(data)
    draft = Draft.open(path)
    assert not draft.begun
    assert str(tmp_path / "draft.yaml.damaged") in draft.remarks[0]
    assert (tmp_path / "draft.yaml.damaged").read_bytes() == data


@given(st.data())
@settings(max_examples=60)
def test_a_file_that_is_cut_or_changed_never_stops_the_wizard(data: st.DataObject) -> None:
    whole = partial.write(Draft.from_site(Path("none"), load(TWO).value).answers)
    at = data.draw(st.integers(0, len(whole)))
    kind = data.draw(st.sampled_from(["cut", "zeros", "flip"]))
    if kind == "cut":
        spoilt = whole[:at]
    elif kind == "zeros":
        spoilt = whole[:at] + b"\0" * 512
    else:
        spoilt = whole[:at] + bytes([whole[at % len(whole)] ^ 4]) + whole[at + 1 :]
    with contextlib.suppress(Faulty):
        Draft.from_text(Path("none"), spoilt, "site.yaml").site()


def test_what_cannot_be_kept_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    draft = Draft(tmp_path / "folder" / "draft.yaml")
    with pytest.raises(
        Refusal, match=r"draft\.yaml: the answers cannot be kept here: Not a directory"
    ):
        draft.answer(("asn",), "64511")


def test_a_file_by_hand_is_used_as_far_as_it_can_be(tmp_path: Path) -> None:
    data = changed(("asn: 64511", "asn: x\nfoo: bar"), ("    role: exchange", "    roll: exchange"))
    draft = Draft.from_text(tmp_path / "draft.yaml", data, "site.yaml")
    assert draft.get(("asn",)) == "x"
    assert not draft.has(("foo",))
    assert not draft.has(("ports", 1, "role"))
    assert draft.get(("ports", 1, "mtu")) == "1500"
    assert draft.finished("ports")
    assert draft.finished("peers")
    assert draft.root_password is None
    assert [remark.split(" has")[0] for remark in draft.remarks] == [
        "site.yaml: foo",
        "site.yaml: ports[1].roll",
    ]


@pytest.mark.parametrize("data", [b"schema: 3\n", b"- a\n", b"a: [", b"text", b""])
def test_a_file_that_is_no_site_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(Faulty):
        Draft.from_text(tmp_path / "draft.yaml", data, "site.yaml")


def test_a_part_of_a_list_is_forgotten_and_the_others_move_up(tmp_path: Path) -> None:
    draft = Draft.from_site(tmp_path / "draft.yaml", load(ONE).value)
    draft.drop(("ports", 0), ("nothing",))
    assert draft.count("ports") == 3
    assert draft.get(("ports", 0, "name")) == "exchange"


def test_forgetting_everything_removes_the_file(tmp_path: Path) -> None:
    draft = Draft.from_site(tmp_path / "draft.yaml", load(ONE).value)
    draft.keep()
    draft.clear()
    assert not draft.begun
    assert not draft.path.exists()
