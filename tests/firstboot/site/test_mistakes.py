"""Human mistakes in a site file: each gets a sentence with line, mistake and remedy."""

import time
from pathlib import Path

import pytest

from firstboot.core.document import LARGEST
from firstboot.core.refusal import Refusal
from firstboot.site.check import Severity, examine, examine_text, sentences
from tests.firstboot.site.mistakes import MISTAKES, TEXT, Mistake


def errors(data: bytes) -> list[str]:
    examined = examine_text(data, "site.yaml")
    assert examined.errors
    return [line for line in sentences(examined) if not line.startswith("site.yaml: ")]


@pytest.mark.parametrize("one", MISTAKES, ids=lambda one: one.name)
def test_a_mistake_gets_one_sentence_with_its_line(one: Mistake) -> None:
    found = errors(one.data)
    assert len(found) == 1, found
    assert found[0].startswith(f"site.yaml:{one.number}:"), found
    for word in one.words:
        assert word in found[0]


def test_mistakes_of_every_kind_are_told_at_once() -> None:
    text = TEXT
    for old, new in (
        ("  name: Example Exit", "\tname: Example Exit"),
        ("asn: 64511", "asn:64511"),
        ("- 2001:db8:ee::/48", "- 2001:db8:ee::"),
        ("device: ix1", "devise: ix1"),
        ("role: lan", "role: LAN"),
        ("md5: MPIi", 'md5: "MPIi'),
        ("count: 4", "count: four"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    found = errors(text.encode())
    assert [int(line.split(":")[1]) for line in found] == [9, 15, 20, 29, 36, 61, 65]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TEXT.encode("utf-16"), ["UTF-16", "UTF-8"]),
        (TEXT.encode("utf-16-le"), ["UTF-16"]),
        (TEXT.encode("utf-32"), ["UTF-32"]),
        (
            TEXT.replace("Example Exit", "Verein für Netze").encode("latin-1"),
            [":9:17:", "ü", "UTF-8"],
        ),
        (b"", ["empty"]),
        (b"# all of it is a comment\n", ["empty"]),
        (b"\x1f\x8b\x08\0\0", ["not a text file"]),
        (b"---\n", ["empty"]),
        (b"just words\n", ["keys"]),
        (b"- a\n- b\n", ["list", "keys"]),
    ],
    ids=[
        "utf-16",
        "no mark",
        "utf-32",
        "latin-1",
        "empty",
        "comment",
        "gzip",
        "mark",
        "words",
        "list",
    ],
)
def test_a_file_that_is_no_site_at_all(data: bytes, words: list[str]) -> None:
    (found,) = errors(data)
    for word in words:
        assert word in found


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_marks_and_line_ends_of_other_editors_do_no_harm(mark: bytes, end: bytes) -> None:
    data = mark + TEXT.encode().replace(b"\n", end)
    assert not examine_text(data, "site.yaml").errors


def test_odd_spaces_and_quotes_in_comments_do_no_harm() -> None:
    data = TEXT.replace("# other operators", "# other\xa0operators, \u201cpeers\u201d").encode()
    assert not examine_text(data, "site.yaml").errors


@pytest.mark.parametrize("char", ["\xa0", "\u200b", "\x01", "'", " '", "# ", "\t"])
def test_one_line_as_long_as_a_file_may_be_is_read_in_seconds(char: str) -> None:
    size = LARGEST // len(char.encode())
    started = time.process_time()
    for data in (char * size, "asn: " + char * (size - 5), "# " + char * (size - 2)):
        assert errors(data.encode())
    assert time.process_time() - started < 30


def test_a_version_that_is_none_makes_no_key_too_new() -> None:
    found = errors(TEXT.replace("schema: 2", "schema: 0").encode())
    assert found[0].startswith("site.yaml:6: schema: there is no version 0")
    assert not any("known since" in line for line in found)


def test_a_folder_is_told_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="this is a folder, not a YAML file"):
        examine(tmp_path)


SECRET = "PCmxV4ElPLGCfHQWBPsW2t9q"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"md5: {SECRET}", f"md5: [{SECRET}]"),
        (f"md5: {SECRET}", f"md5: {{a: {SECRET}}}"),
        (f"md5: {SECRET}", f"md5: x: {SECRET}"),
        (f"md5: {SECRET}", f"md5:{SECRET}"),
        (f"md5: {SECRET}", f"md5 = {SECRET}"),
        (f"md5: {SECRET}", f"md5 {SECRET}"),
        (f"md5: {SECRET}", f"md5: \u201c{SECRET}\u201d"),
        (f"md5: {SECRET}", f"MD5: {SECRET}"),
        (f"md5: {SECRET}", f"password: {SECRET}"),
        (f"md5: {SECRET}", f"irr: {SECRET}"),
        (f"md5: {SECRET}", f"max_prefix: {SECRET}"),
        (f"md5: {SECRET}", f"gtsm: {SECRET}"),
        ("device: ix2", f"device: {SECRET}"),
        ("asn: 64511", f"asn: {SECRET}"),
        ("count: 4", f"count: {SECRET}"),
    ],
)
def test_a_secret_is_never_printed_wherever_it_is(old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    for line in errors(TEXT.replace(old, new).encode()):
        assert SECRET[:8] not in line


def test_a_waived_rule_is_silent() -> None:
    found = examine_text(TEXT.encode(), "site.yaml").findings
    assert not [one for one in found if "documentation" in one.reason]
    assert {one.severity for one in found} == {Severity.ADVICE}
