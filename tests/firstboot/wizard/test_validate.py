"""An answer is blamed for what is wrong with it, and for nothing else."""

from pathlib import Path
from typing import Any

import pytest

from firstboot.core import partial
from firstboot.site.model import load
from firstboot.wizard.draft import Draft, Tree, put, remove
from firstboot.wizard.flow import all_steps, blamed
from firstboot.wizard.validate import errors, judge, judge_list
from tests.firstboot.site.sites import ONE
from tests.firstboot.wizard.talk import machine


def tree(*without: tuple[str | int, ...]) -> Tree:
    """Return the answers of the example without those at the keys `without`."""
    found = partial.of(load(ONE).value)
    assert isinstance(found, dict)
    for key in without:
        remove(found, key)
    return found


def reasons(answers: Tree, key: tuple[str | int, ...], value: Any) -> str:
    return "; ".join(finding.reason for finding in judge(answers, key, value).errors)


def test_an_answer_is_judged_before_anything_else_is_known() -> None:
    assert "not a mail address" in reasons({}, ("operator", "abuse"), "nobody")
    assert reasons({}, ("operator", "abuse"), "a@example.org") == ""
    assert "'x' is not an AS number" in reasons({}, ("asn",), "x")


def test_an_answer_is_not_blamed_for_what_was_not_asked_yet() -> None:
    answers = tree(("ports",), ("peers",), ("management",), ("relays",))
    put(answers, ("ports",), [])
    for key, value in (
        (("ports", 0, "device"), "ix0"),
        (("ports", 0, "role"), "management"),
        (("ports", 0, "name"), "management"),
    ):
        assert reasons(answers, key, value) == ""
        put(answers, key, value)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (("ports", 1, "device"), "ix0", "already used by the port 'transit'"),
        (("ports", 1, "name"), "transit", "two ports have the name"),
        (
            ("ports", 2, "addresses"),
            ["198.51.100.1/26"],
            "to the box, and it is an address of the port",
        ),
        (("peers", 0, "asn"), "64511", "is the ASN of this site"),
        (("relays", "count"), "999", "999 is not between 1 and 256"),
        (("management", "networks"), ["10.0.0.0/8", "10.0.0.1/8"], "host bits"),
        (("peers", 0, "md5"), "short", "shorter than 12"),
        (("waivers", "documentation"), "  ", "empty"),
    ],
)
def test_an_answer_is_judged_with_those_before_it(
    key: tuple[str | int, ...], value: Any, reason: str
) -> None:
    assert reason in reasons(tree(), key, value)


def test_an_answer_is_not_blamed_for_errors_elsewhere() -> None:
    answers = tree()
    put(answers, ("asn",), "none")
    put(answers, ("ports", 0, "addresses"), ["10.0.0.1"])
    assert reasons(answers, ("relays", "count"), "5") == ""
    assert reasons(answers, ("peers", 1, "asn"), "x") != ""


def test_the_waiver_that_would_do_is_named() -> None:
    answers = tree(("waivers",))
    assert judge(answers, ("asn",), "64511").waivers == ("documentation",)
    assert judge(answers, ("asn",), "64512").waivers == ()
    without = [port for port in plain_list(answers["ports"]) if port["role"] != "management"]
    answers["ports"] = without
    found = judge_list(tree() | {"ports": without}, "ports")
    assert found.waivers == ("no_management",)


def plain_list(value: Any) -> Any:
    return value


def test_faults_of_form_come_alone() -> None:
    answers = tree()
    put(answers, ("ports", 1, "role"), "swap")
    assert [finding.key for finding in errors(answers)] == [("ports", 1, "role")]
    assert errors(tree()) == ()


def test_judging_changes_nothing() -> None:
    answers = tree()
    judge(answers, ("ports", 0, "addresses"), ["x"])
    judge_list(answers, "peers")
    assert answers == tree()


def test_a_finding_leads_to_the_question_about_it(tmp_path: Path) -> None:
    draft = Draft.from_site(tmp_path / "draft.yaml", load(ONE).value)
    draft.answer(("performance", "settings", "kern.ipc.maxsockbuf"), "1")
    steps = all_steps(draft, machine())
    for key, leads_to in (
        (("ports", 1, "addresses", 0), ("ports", 1, "addresses")),
        (("ports",), ("ports",)),
        (("peers", 2), ("peers", 2, "role")),
        (("scopes", 1), ("scopes",)),
        (("relays",), ("relays", "count")),
        (("waivers", "documentation"), ("waivers", "documentation")),
        (
            ("performance", "settings", "kern.ipc.maxsockbuf"),
            ("performance", "settings", "kern.ipc.maxsockbuf"),
        ),
    ):
        step = blamed(steps, key)
        assert step
        assert step.key == leads_to
    assert blamed(steps, ("schema",)) is None
