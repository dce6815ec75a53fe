import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.base import manifest
from image.base.manifest import Listed

LINE = "base.txz\t" + "0a" * 32 + '\t28918\tbase\t"Base system (MANDATORY)"\ton'


def test_every_line_is_a_set() -> None:
    debug = "base-dbg.txz\t" + "0b" * 32 + '\t1720\tbase_dbg\t"Base system (Debugging)"\toff'
    read = manifest.parse(f"{LINE}\n{debug}\n".encode(), "MANIFEST")
    assert read.sets == (
        Listed("base.txz", "0a" * 32, 28918, "base", "Base system (MANDATORY)", True),
        Listed("base-dbg.txz", "0b" * 32, 1720, "base_dbg", "Base system (Debugging)", False),
    )
    assert read["base-dbg.txz"].entries == 1720


def test_a_set_that_is_not_listed_is_refused_with_what_is() -> None:
    with pytest.raises(Refusal, match=r"MANIFEST: no line for kernel\.txz, only for base\.txz"):
        _ = manifest.parse(LINE.encode(), "MANIFEST")["kernel.txz"]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("\tbase\t", " base ", "not 4: "),
        ("\ton", "\ton\tmore", "not 7: "),
        ("base.txz", "../base.txz", "'../base.txz'"),
        ("base.txz", "/etc/base.txz", "'/etc/base.txz'"),
        ("base.txz", ".txz", "'.txz'"),
        ("base.txz", "-o.txz", "'-o.txz'"),
        ("base.txz", "base.tar", "'base.tar'"),
        ("0a0a", "0a", "'0a0a"),
        ("0a0a", "0A0a", "'0A0a"),
        ("28918", "-1", "'-1'"),
        ("28918", "٣", "'٣'"),
        ('"Base', "Base", "'Base system"),
        ("system", "sys\x1b[2Jtem", "'\"Base sys?[2Jtem"),
        ("\ton", "\ton\r", "'on?'"),
        ("\ton", "\to", "'o'"),
        (LINE, LINE + "\n" + LINE, "base.txz is listed twice"),
        (LINE, LINE + "\n", "not 1: ''"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(old: str, new: str, found: str) -> None:
    good = LINE.replace("base", "kernel")
    text = f"{good}\n{LINE.replace(old, new, 1)}\n"
    with pytest.raises(Refusal) as refused:
        manifest.parse(text.encode(), "MANIFEST")
    assert refused.value.where in ("MANIFEST:2", "MANIFEST:3")
    assert found in refused.value.problem


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(Refusal, match=r"MANIFEST:2: this is not UTF-8 text \(the byte 0xff\)"):
        manifest.parse(LINE.encode() + b"\n\xff", "MANIFEST")


def test_an_empty_manifest_is_refused() -> None:
    with pytest.raises(Refusal, match="the file is empty"):
        manifest.parse(b"", "MANIFEST")


fields = st.sampled_from(["base.txz", "0a" * 32, "1", "base", '"x"', "on", "\t", "\n", "é", "\0"])


@given(st.binary() | st.text().map(str.encode) | st.lists(fields).map("".join).map(str.encode))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        read = manifest.parse(data, "MANIFEST")
    except Refusal:
        return
    assert all("/" not in listed.file and listed.file[0] != "." for listed in read.sets)
