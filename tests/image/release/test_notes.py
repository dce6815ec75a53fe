"""Release notes say what is in a release and what changed, and their Markdown cannot be broken."""

from dataclasses import replace

from image.diff import Contents
from image.release import notes
from image.release.signature import NAMESPACE, PRINCIPAL

NEW = Contents(
    base={"base.txz": "aa", "build": "7"},
    packages={"tor": "0.4.9.12"},
    wizard={"jinja2": "3.1"},
    settings={"/boot/loader.conf, a": '"1"'},
    files={"/bin/sh": {"kind": "file", "mode": "0555"}},
)
OLD = replace(NEW, packages={"tor": "0.4.9.11"})


def test_the_first_release_lists_what_it_is_made_of() -> None:
    text = notes.render("1", NEW, None, ["It boots."])
    assert text.startswith("# exitisp 1\n\nIt boots.\n\n## Made of\n")
    assert "| package | tor | 0.4.9.12 |\n" in text
    assert "What changed" not in text
    assert "sha256sum -c SHA256SUMS\n" in text


def test_the_next_release_lists_what_changed() -> None:
    text = notes.render("2", NEW, ("1", OLD), [])
    assert (
        "## What changed since 1\n\n```\nPackages\n    tor: 0.4.9.11 becomes 0.4.9.12\n```" in text
    )


def test_a_release_without_changes_says_so() -> None:
    assert "Nothing that is in the image." in notes.render("2", NEW, ("1", NEW), [])


def test_the_commands_to_verify_match_the_signature() -> None:
    text = notes.render("2", NEW, None, [])
    assert f"-I {PRINCIPAL} -n {NAMESPACE}" in text
    assert "{" not in text


def test_odd_names_do_not_break_the_table() -> None:
    evil = {"a|b<script>": "1|2", "c\x1b[2J\n# d": "3"}
    files = {"/bin/sh": {"kind": "file", "mode": "0555", "target": "````\n# e"}}
    text = notes.render("2", replace(NEW, packages=evil, files=files), ("1", NEW), [])
    assert "| package | a\\|b&lt;script&gt; | 1\\|2 |\n" in text
    assert "\x1b" not in text
    assert "\n# " not in text
    assert "`````\nPackages" in text
