"""Documents: every value with its line, every fault told, nothing guessed, nothing hung up."""

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firstboot.core import document, partial
from firstboot.core.document import Faulty
from firstboot.core.refusal import Refusal


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Even(int):
    @classmethod
    def parse(cls, text: str) -> Self:
        if not text.isdecimal() or int(text) % 2:
            raise ValueError("an even number")
        return cls(text)


@dataclass(frozen=True)
class Part:
    name: str
    size: Even = Even(2)  # noqa: RUF009


@dataclass(frozen=True)
class Shape:
    title: str
    count: int = 0
    on: bool = False
    colour: Colour = Colour.RED
    note: str | None = None
    parts: tuple[Part, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    class_: str = ""


FULL = b"""\
title: a door
count: -12
on: yes
colour: green
note: ~
parts:
  - {name: hinge, size: 4}
  - name: lock
labels:
  made by: a smith
class: oak
"""


def read(text: str | bytes) -> Shape:
    data = text.encode() if isinstance(text, str) else text
    return document.parse(data, "door.yaml", Shape).value


def faults(text: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(Faulty) as caught:
        read(text)
    return [(fault.line, f"{fault.problem}. {fault.remedy}") for fault in caught.value.faults]


def test_a_document_becomes_its_shape() -> None:
    assert read(FULL) == Shape(
        "a door",
        -12,
        True,
        Colour.GREEN,
        None,
        (Part("hinge", Even(4)), Part("lock")),
        {"made by": "a smith"},
        "oak",
    )


def test_every_part_knows_its_line() -> None:
    read = document.parse(FULL, "door.yaml", Shape)
    assert read.where("colour") == "door.yaml:4"
    assert read.where("parts", 1, "name") == "door.yaml:8"
    assert read.where("labels", "made by") == "door.yaml:10"


def test_a_part_left_to_its_default_has_the_line_of_what_is_around_it() -> None:
    assert document.parse(FULL, "door.yaml", Shape).where("parts", 1, "size") == "door.yaml:8"


@pytest.mark.parametrize("text", ["no", "1.10", "0644", "2020-01-01", "12:30", "0x10"])
def test_text_stays_text_however_yaml_would_read_it(text: str) -> None:
    assert read(f"title: {text}").title == text


def test_quotes_make_an_empty_text_and_a_tilde_text() -> None:
    assert read("title: ''\nnote: '~'") == Shape("", note="~")


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read(b"\xef\xbb\xbftitle: a").title == "a"


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("title: a\nsize: 1", 2, "the key 'size' cannot be at the top level. Move it to parts"),
        ("title: a\ncount: 1\ncount: 2", 3, "'count' is there twice, first in line 2"),
        ("\ncount: 1", 2, "the key 'title' is missing"),
        ("title:", 1, "there is no value, and a text is expected"),
        ("title: [a]", 1, "there is a list where a text is expected"),
        ("title: a\ncount: 1.5", 2, "'1.5' is not a whole number"),
        ("title: a\ncount: 0x10", 2, "Write 16"),
        ("title: a\ncount: " + "9" * 10_000, 2, "'999"),
        ("title: a\non: 1", 2, "Write yes"),
        ("title: a\ncolour: blue", 2, "'blue' is not one of red or green"),
        ("title: a\nparts: {}", 2, "where a list is expected"),
        ("title: a\nparts:\n- name: b\n  size: 3", 4, "'3' is not an even number"),
        ("title: a\nlabels: []", 2, "not a mapping"),
        ("title: a\nlabels: {[b]: c}", 2, "used as a key"),
        ("title: a\nclass_: b", 2, "the key 'class_' is unknown"),
        ("title: a\n--- \ntitle: b", 2, "second YAML document"),
        ("title: a\n  b: c", 2, "indented further than line 1"),
        ("title: 'a\n\n", 1, "not closed"),
        ("title: a\ncount: &x 1", 2, "YAML anchor"),
        ("title: a\nnote: *x", 2, "YAML alias"),
        ('title: a\nnote: "\\ud800"', 2, "half a character"),
        ('title: "\\UFFFFFFFF"', 1, "out of range"),
        ("%YAML " + "1" * 5000 + ".1\n---\ntitle: a", 1, "out of range"),
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
    ],
)
def test_a_fault_is_told_with_its_line(text: str, line: int, told: str) -> None:
    ((found, message),) = faults(text)
    assert found == line
    assert told in message


def test_all_faults_are_told_at_once_and_in_order() -> None:
    text = "colour: blue\nparts:\n- {size: 1}\n- name: a\n  weight: 2\ncount: many\n"
    assert [line for line, _ in faults(text)] == [1, 1, 3, 3, 5, 6]


def test_the_message_is_the_first_fault_and_how_many_more() -> None:
    with pytest.raises(Refusal) as caught:
        read("title: a\ncount: x\non: maybe")
    assert str(caught.value) == (
        "door.yaml:2: count: 'x' is not a whole number. Write a whole number. "
        "The file has 1 more mistake."
    )


@pytest.mark.parametrize(
    ("data", "line", "told"),
    [
        (b"title: a\nnote: \xff", 2, "0xff is not UTF-8; in Latin-1 (Windows-1252) it would be ÿ"),
        (b"\xef\xbb\xbftitle: \xfe", 1, "the byte 0xfe"),
        ("title: a\nnote: é".encode("utf-16"), 1, "in UTF-16"),
        (b"title: a\nnote: b\0", 2, "NUL"),
        ("# é\n# é\n\ntitle: \x07".encode(), 4, "U+0007"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(data: bytes, line: int, told: str) -> None:
    ((found, message),) = faults(data)
    assert found == line
    assert told in message


@pytest.mark.parametrize("part", ["[", "{a: ", "- ", "? ", '["",', "{? "])
def test_deep_nesting_is_refused_at_once(part: str) -> None:
    ((line, message),) = faults(part * (document.LARGEST // len(part)))
    assert line == 1
    assert "nested deeper than" in message


def test_more_than_a_person_would_write_is_refused() -> None:
    ((_, message),) = faults(b"#" * (document.LARGEST + 1))
    assert f"larger than {document.LARGEST} bytes" in message


def test_a_long_document_within_the_limit_is_read() -> None:
    parts = "".join(f"- name: part {number}\n" for number in range(1000))
    assert len(read(f"title: a\nparts:\n{parts}").parts) == 1000


def test_a_message_is_one_line_whatever_the_keys_are() -> None:
    with pytest.raises(Refusal) as caught:
        read('title: a\nlabels: {"a\\n\\e[31mb": []}')
    assert str(caught.value).isprintable()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(Refusal, match=r"folder|cannot be read"):
            document.load(path, Shape)


def test_a_file_is_named_in_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "door.yaml"
    path.write_text("title: a\nsize: 2\n")
    with pytest.raises(Faulty, match=r"door\.yaml:2: the key 'size' cannot be"):
        document.load(path, Shape)


def settles(data: bytes) -> None:
    """Any input gives a value or a Refusal of one line."""
    told = ""
    try:
        document.parse(data, "x", Shape)
    except Refusal as refusal:
        told = str(refusal)
    assert not told or told.isprintable()


SNIPPETS = st.sampled_from(
    ["title", ": ", "- ", "? ", "[", "]", "{", "}", ", ", "\n", "  ", "'", '"', "|\n", ">-\n",
     "&a ", "*a", "!!str ", "!<x> ", "!%ff ", "%YAML 1.1\n", "%TAG ! x\n", "---\n", "...\n", "#",
     "parts", "labels", "<<", "~", "=", "\\x", "\\ud83d", "\\U00110000", "\t", "\r", "\x85",
     "\u2028", "\ufeff", "é", "😀", "0", "\0", "\x1b", "@", "`"]
)  # fmt: skip


@given(st.binary(max_size=200))
@example("\ufeff\ufeff".encode())
def test_random_bytes_give_a_value_or_a_refusal(data: bytes) -> None:
    settles(data)


@given(st.lists(SNIPPETS, max_size=25))
def test_random_yaml_gives_a_value_or_a_refusal(parts: list[str]) -> None:
    settles("".join(parts).encode())


ODD_TEXTS = [
    "a\xa0b",
    "\u202eb",
    "\u200b",
    "\u201ca\u201d",
    "\x07\x85\ufeff",
    "\U000e0041",
    "Z\xfcrich",
]


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_a_draft_with_odd_characters_is_read_as_it_was_written(text: str) -> None:
    tree: dict[str, document.Plain] = {"title": text, "parts": [{"name": text}]}
    assert document.plain(partial.write(tree), "draft") == tree


@given(st.text(max_size=60))
def test_any_text_can_be_said_in_quotes(text: str) -> None:
    escaped = "".join(f"\\U{ord(char):08x}" for char in text)
    assert read(f'title: "{escaped}"').title == text
