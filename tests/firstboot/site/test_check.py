"""Findings: all at once, each with its line, one line each, whatever the input is."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from firstboot.core import document
from firstboot.core.document import Document
from firstboot.core.refusal import Refusal
from firstboot.site.check import (
    Examined,
    Finding,
    Severity,
    check,
    examine,
    examine_text,
    report,
    told,
)
from firstboot.site.model import Site, load
from firstboot.site.writer import compose
from tests.firstboot.site.sites import EXAMPLES, ONE, SITES, changed, found, says

ERROR, WARNING, ADVICE = Severity

MOST_SECONDS = 60
"""Far more than any input takes on a busy machine, far less than a hang."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_nothing_worse_than_advice(path: Path) -> None:
    examined = examine(path)
    assert examined.site is not None
    assert {finding.severity for finding in examined.findings} <= {ADVICE}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_without_its_waiver_an_example_has_errors_for_documentation_alone(path: Path) -> None:
    text = path.read_text().partition("\nwaivers:\n")[0].encode()
    errors = [f for f in examine_text(text, "site.yaml").findings if f.severity is ERROR]
    assert len(errors) > 5
    assert {finding.kind for finding in errors} == {"documentation"}


def test_a_finding_is_one_line_with_file_line_key_reason_and_remedy() -> None:
    finding = Finding(ERROR, ("peers", 0, "asn"), "AS0 is reserved", "Ask the peer", line=12)
    assert told("site.yaml", finding) == (
        "site.yaml:12: peers[0].asn: AS0 is reserved. Ask the peer."
    )
    whole = Finding(ADVICE, (), "the file is empty", "Fill it", line=1, column=3)
    assert told("site.yaml", whole) == "site.yaml:1:3: advice: the file is empty. Fill it."


def test_findings_that_say_the_same_share_a_line() -> None:
    text = changed().partition(b"\nwaivers:\n")[0]
    lines = [line for line in report(examine_text(text, "s.yaml")).splitlines() if "docum" in line]
    assert len(lines) == 1
    assert lines[0].startswith("s.yaml:15: asn: AS64511 is reserved for documentation")
    assert "scopes[0] (line 19), scopes[1] (line 20), ports[0].addresses[0] (line 26)" in lines[0]


def test_what_is_beyond_a_limit_does_not_hide_the_rest() -> None:
    text = changed(
        ("count: 4", "count: 400"), ("asn: 64511", "asn: 23456"), ("device: ix1", "device: ix0")
    )
    keys = [
        document.spell(f.key) for f in examine_text(text, "s.yaml").findings if f.severity is ERROR
    ]
    assert keys == ["asn", "ports[1].device", "relays.count"]


def test_everything_is_found_at_once_in_the_order_of_the_file() -> None:
    findings = found(
        ("asn: 64511", "asn: 64512"),
        ("device: ix0", "device: eth0.5"),
        ("203.0.113.20,", "203.0.114.20,"),
        ("nickname: ExampleExit{n}", "nickname: Example-Exit{n}"),
        ("documentation: An", "documentations: An"),
    )
    keys = [document.spell(f.key) for f in findings if f.kind != "documentation"]
    expected = ["asn", "ports[0].device", "peers[2].addresses[0]", "relays.nickname"]
    assert [key for key in keys if key in expected] == expected
    assert "waivers.documentations" in keys
    assert [f.line for f in findings] == sorted(f.line for f in findings)


def test_a_finding_about_what_is_left_out_has_the_line_of_what_is_around_it() -> None:
    findings = found(('    mac: "02:00:5e:10:00:0a"            # the one', "    # the one"))
    lines = ONE.read_text().splitlines()
    assert says(
        findings, ADVICE, "ports[1]", "Ethernet address", 1 + lines.index("  - name: exchange")
    )


def test_all_faults_of_form_are_findings_with_their_lines() -> None:
    examined = examine_text(changed(("count: 4", "count: many"), ("asn: 64511", "as: 1")), "s.yaml")
    assert examined.site is None
    told_all = report(examined).splitlines()
    assert any("the key 'as' is unknown. Write asn." in line for line in told_all)
    assert any("relays.count: 'many' is not a whole number." in line for line in told_all)
    assert told_all[-1] == "s.yaml: 2 errors, 0 warnings, 0 advice"


def test_a_newer_file_is_told_so_rather_than_that_its_keys_are_unknown() -> None:
    newer = changed(("schema: 2", "schema: 3\ntomorrow: yes"))
    (finding,) = examine_text(newer, "site.yaml").findings
    assert (finding.severity, finding.key) == (ERROR, ("schema",))
    assert finding.reason == "the file has version 3, and this program knows versions up to 2"


@pytest.mark.parametrize(("schema", "reason"), [("3", "up to 2"), ("0", "no version 0")])
def test_a_schema_other_than_known_is_an_error(schema: str, reason: str) -> None:
    assert says(found(("schema: 2", f"schema: {schema}")), ERROR, "schema", reason)


def test_the_same_finding_is_told_once() -> None:
    findings = check(load(ONE))
    assert len(findings) == len(set(findings))


@pytest.mark.parametrize(
    ("changes", "severity", "reason"),
    [
        ([("documentation: An example; nothing here is announced to anybody.", "docs: so")], ERROR,
         "there is no rule 'docs' to set aside"),
        ([("An example; nothing here is announced to anybody.", "' '")], ERROR, "gives no reason"),
        ([("waivers:", "waivers:\n  no_management: none of ours")], ADVICE, "is a management port"),
    ],
)  # fmt: skip
def test_waivers_are_known_needed_and_have_reasons(
    changes: list[tuple[str, str]], severity: Severity, reason: str
) -> None:
    waivers = [f for f in found(*changes) if f.key[0] == "waivers"]
    assert any(f.severity is severity and reason in f.reason for f in waivers)


def test_a_waiver_for_documentation_that_nothing_needs_gets_advice() -> None:
    text = (
        changed()
        .decode()
        .replace("198.51.100.", "45.0.0.")
        .replace("192.0.2.", "45.0.1.")
        .replace("203.0.113.", "45.0.2.")
        .replace("2001:db8:", "2a00:db8:")
        .replace("asn: 64", "asn: 1")
    )
    findings = examine_text(text.encode(), "site.yaml").findings
    assert says(
        list(findings), ADVICE, "waivers.documentation", "no number in the site is reserved for"
    )
    assert {finding.severity for finding in findings} == {ADVICE}


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none\.yaml: the file cannot be read"):
        examine(tmp_path / "none.yaml")


def settles(examined: Examined) -> None:
    """Whatever was found is complete, ordered, and prints as one line."""
    assert examined.site is not None or examined.errors
    assert [f.line for f in examined.findings] == sorted(f.line for f in examined.findings)
    for finding in examined.findings:
        assert finding.reason
        assert finding.remedy
        assert finding.line >= 1
        assert told(examined.name, finding).isprintable()


ENOUGH = settings(max_examples=60)


@ENOUGH
@given(SITES)
def test_any_site_is_judged_in_words(site: Site) -> None:
    settles(examine_text(compose(site).encode(), "site.yaml"))
    made = Document("site.yaml", site, {})
    settles(Examined(made.name, made, tuple(check(made))))


@ENOUGH
@given(st.binary(max_size=300))
@example(b"schema: 99999999999999999999")
@example(b"[" * 5000)
def test_random_bytes_are_judged_in_words(data: bytes) -> None:
    settles(examine_text(data, "site\x1b.yaml"))


@ENOUGH
@given(st.randoms(use_true_random=False), st.sampled_from(EXAMPLES))
def test_a_mutated_example_is_judged_in_words(chance: random.Random, path: Path) -> None:
    """Lines are left out, doubled, swapped; words come from elsewhere in the file."""
    lines = path.read_text().splitlines()
    words = [word for line in lines for word in line.split()]
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        kind = chance.randrange(5)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, chance.choice(lines))
        elif kind == 2:
            name, colon, _ = lines[at].partition(": ")
            lines[at] = name + colon + chance.choice(words)
        elif kind == 3:
            old, new = chance.choices("0123456789", k=2)
            lines[at] = lines[at].replace(old, new)
        else:
            start = chance.randrange(len(lines[at]) + 1)
            lines[at] = (
                lines[at][:start] + chance.choice("'\"\0\n:{}[],#é\x85~-") + lines[at][start:]
            )
    settles(examine_text("\n".join(lines).encode(), path.name))


HEAD = """\
schema: 1
operator: {name: a, abuse: a@b.c, contact: a@b.c, url: "https://b.c", jurisdiction: d}
asn: 1
"""


@pytest.mark.parametrize(
    "body",
    [
        "ports: []\nscopes:" + "\n- ::/0" * 25_000,
        "ports: []\nscopes:" + "".join(f"\n- 10.{i // 250}.{i % 250}.0/24" for i in range(9000)),
        "scopes: []\nports:\n- {name: a, device: b0, role: lan, addresses: ["
        + "1.1.1.1/0," * 20_000 + "]}",
        "scopes: [2.0.0.0/8]\nports:"
        + "\n- {name: a, device: b0, role: transit, addresses: [1.1.1.1/8,1.1.1.2/9]}" * 60
        + "\npeers:" + "\n- {name: p, asn: 1, role: peer, addresses: [1.1.1.3,1.2.1.3]}" * 999,
        "scopes: []\nports: []\nrelays: {count: 99999999999999999999}",
        "scopes: [1.0.0.0/8, '::/0']\nports: []\nrelays: {count: 256, nickname: '"
        + "{n}" * 60_000 + "'}",
        "scopes: []\nports: []\nrelays: {policy: own, rules: ["
        + "accept *:1-65535," * 10_000 + "]}",
        "scopes: []\nports: []\npeers: [{name: a, asn: 2, role: peer, addresses: [], md5: '"
        + "ab" * 100_000 + "'}]",
        "scopes: []\nports: []\npeers: [{name: a, asn: 2, role: peer, addresses: [], md5: '"
        + "aabbab" * 13 + "'}]",
        "scopes: []\nports: []\nmanagement: {keys: ['ssh-rsa " + "AAAA" * 50_000 + "']}",
        "scopes: []\nports: []\nrelays: {contact_info: '" + "a:" * 100_000 + "'}",
        "scopes: []\nports: []\nwaivers:" + "".join(f"\n  w{i}: a" for i in range(20_000)),
        "scopes: []\nports: []\nclock: {servers: ['" + "a." * 100_000 + "']}",
    ],
    ids=["scopes", "different scopes", "addresses", "peers and ports", "count", "nickname", "rules",
         "long secret", "secret", "key", "contact", "waivers", "server"],
)  # fmt: skip
def test_no_input_takes_long(body: str) -> None:
    before = time.monotonic()
    examined = examine_text((HEAD + body).encode(), "site.yaml")
    assert examined.errors
    settles(examined)
    assert time.monotonic() - before < MOST_SECONDS
