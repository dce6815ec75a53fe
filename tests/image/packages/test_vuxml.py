"""FreeBSD's vulnerability feed is read as pkg reads it, and nothing else passes for one."""

import bz2
import io
import itertools
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.limits import FEED, Unpacked
from firstboot.core.refusal import Refusal
from image.packages import version, vuxml
from image.packages.vuxml import Affected, Feed, Range, Vulnerability

HEAD = """\
<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE vuxml PUBLIC "-//vuxml.org//DTD VuXML 1.1//EN"
  "http://www.vuxml.org/dtd/vuxml-1/vuxml-11.dtd" [
<!ENTITY vuln-2003 SYSTEM "vuln/2003.xml">
]>
<vuxml xmlns="http://www.vuxml.org/apps/vuxml-1">
"""

TOR = """\
<vuln vid="409d70ab-fc23-11f0-85c5-a8a1599412c6">
  <topic>tor --
     unspecified   memory corruption</topic>
  <affects>
    <package>
      <name>tor</name>
      <name>tor-devel</name>
      <range><lt>0.4.8.22</lt></range>
      <range><ge>0.4.9</ge><lt>0.4.9.12,1</lt></range>
    </package>
    <package><name>py3*-stem</name></package>
  </affects>
  <description><body xmlns="http://www.w3.org/1999/xhtml"><p>See <cvename>no</cvename></p></body>
  </description>
  <references>
    <cvename>CVE-2026-1504</cvename>
    <freebsdsa>SA-26:02.jail</freebsdsa>
    <url>https://example.org/</url>
  </references>
  <dates><discovery>2026-01-27</discovery><entry>2026-01-28</entry></dates>
</vuln>
"""

CANCELLED = """\
<vuln vid="9dac4f05-fc65-11f0-96db-b42e991fc52e">
  <cancelled superseded="409d70ab-fc23-11f0-85c5-a8a1599412c6"/>
</vuln>
"""


def feed(*entries: str, head: str = HEAD) -> bytes:
    return (head + "".join(entries) + "</vuxml>\n").encode()


def declaring(what: str) -> bytes:
    return feed(TOR, head=HEAD.replace("<!ENTITY", f"{what}<!ENTITY", 1))


def parse(data: bytes) -> Feed:
    return vuxml.parse(io.BytesIO(data), "vuln.xml")


def refused(data: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        parse(data)
    assert str(caught.value).startswith("vuln.xml: ")
    return str(caught.value)


def test_an_entry_says_what_is_affected() -> None:
    assert parse(feed(TOR)) == Feed(
        (
            Vulnerability(
                "409d70ab-fc23-11f0-85c5-a8a1599412c6",
                "tor -- unspecified memory corruption",
                (
                    Affected(
                        ("tor", "tor-devel"),
                        (
                            Range((("lt", "0.4.8.22"),)),
                            Range((("ge", "0.4.9"), ("lt", "0.4.9.12,1"))),
                        ),
                    ),
                    Affected(("py3*-stem",), ()),
                ),
                ("CVE-2026-1504", "FreeBSD-SA-26:02.jail"),
            ),
        ),
        "2026-01-28",
    )


def test_a_cancelled_entry_says_nothing() -> None:
    assert parse(feed(CANCELLED)).vulnerabilities == ()
    assert len(parse(feed(CANCELLED, TOR)).vulnerabilities) == 1


def test_a_feed_without_an_entry_is_refused() -> None:
    """It would say of every image that nothing is known to be wrong with it."""
    assert "it has no entry, so it says nothing about any package" in refused(feed())


@pytest.mark.parametrize("name", ["utb-8", "utf-7", "utf-32", "rot13", "hex", "idna", "undefined"])
def test_an_encoding_that_xml_does_not_have_is_refused(name: str) -> None:
    data = feed(TOR).replace(b'encoding="utf-8"', f'encoding="{name}"'.encode())
    assert name.encode() in data
    assert "not a whole VuXML document" in refused(data)


@pytest.mark.parametrize("pack", [lzma.compress, bz2.compress], ids=["xz", "bzip2"])
def test_a_compressed_feed_is_the_same_feed(pack: type[bytes]) -> None:
    assert parse(pack(feed(TOR))) == parse(feed(TOR))


@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        ({"lt": "2.0"}, ["1.9", "2.0.p1"], ["2.0", "2.0_1", "1.0,1"]),
        ({"le": "2.0"}, ["2.0", "1.9_5"], ["2.0_1"]),
        ({"gt": "2.0"}, ["2.0_1"], ["2.0"]),
        ({"ge": "2.0"}, ["2.0", "0.1,1"], ["1.99"]),
        ({"eq": "2.0"}, ["2.0", "2.0.0"], ["2.0_1"]),
        ({"ge": "1.0", "lt": "2.0"}, ["1.0", "1.5"], ["0.9", "2.0"]),
        ({"gt": "0"}, ["0.1", "1"], []),
        ({}, ["1", "2"], []),
    ],
)
def test_a_range_has_the_versions_within_its_bounds(
    bounds: dict[str, str], inside: list[str], outside: list[str]
) -> None:
    one = Range(tuple(bounds.items()))
    assert all(map(one.has, inside))
    assert not any(map(one.has, outside))


VERSIONS = st.lists(st.integers(0, 20), min_size=1, max_size=3).map(
    lambda parts: ".".join(map(str, parts))
)


@given(VERSIONS, VERSIONS)
def test_bounds_partition_all_versions(limit: str, installed: str) -> None:
    has = {bound: Range(((bound, limit),)).has(installed) for bound in vuxml.BOUNDS}
    assert has["lt"] != has["ge"]
    assert has["gt"] != has["le"]
    assert has["eq"] == (has["le"] and has["ge"]) == (version.compare(limit, installed) == 0)


def test_the_first_version_without_it_is_known_by_the_upper_bound() -> None:
    assert Range((("ge", "1"), ("lt", "2"))).fixed == "2"
    assert Range((("le", "2"),)).fixed is None


BOMB = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10 if n else "boom"}">' for n in range(9))


@pytest.mark.parametrize(
    "data",
    [
        f"<!DOCTYPE vuxml [{BOMB}]><vuxml>&b8;</vuxml>",
        '<!DOCTYPE vuxml [<!ENTITY x SYSTEM "/etc/passwd">]><vuxml>&x;</vuxml>',
        '<!DOCTYPE vuxml [<!ENTITY % x SYSTEM "/etc/passwd">%x;]><vuxml/>',
        '<!DOCTYPE vuxml [<!ENTITY x SYSTEM "f" NDATA n>]><vuxml/>',
    ],
    ids=["bomb", "file", "parameter", "unparsed"],
)
def test_entities_are_refused(data: str) -> None:
    assert "the XML has entities" in refused(data.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>404</body></html>",
        b"<vuxml/>",
        feed(TOR)[:-20],
        feed(TOR) + b"<more/>",
        lzma.compress(feed(TOR))[:-30],
        bz2.compress(feed(TOR))[:-30],
        feed("&vuln-2003;"),
        feed('<vuln vid="a/../b"><topic>x</topic></vuln>'),
        feed('<vuln vid="1"></vuln>'),
        feed("<topic>\x01</topic>"),
    ],
    ids="nothing html namespace short long xz bzip2 used vid topic control".split(),  # noqa: SIM905
)
def test_what_is_no_whole_feed_is_refused(data: bytes) -> None:
    assert vuxml.PUBLISHED in refused(data)


def test_a_feed_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vuxml, "UNPACKED_FEED", Unpacked(10_000, 1000))
    assert "it has more than" in refused(lzma.compress(feed(TOR * 100)))
    assert len(parse(lzma.compress(feed(TOR * 5))).vulnerabilities) == 5


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (feed("<a/>"), "is not an entry of VuXML"),
        (feed("<vuln>" + "<a>" * FEED.depth), "more than 64 levels"),
        (feed("<vuln>" + "<a/>" * FEED.in_entry), "elements in one entry"),
        (feed("<vuln>" + "".join(f"<a{n}/>" for n in range(FEED.names))), "names of elements"),
        (feed("<vuln " + " ".join(f"a{n}=''" for n in range(FEED.names + 1)) + ">"), "attributes"),
        (feed("<vuln>" + "x" * (2 * FEED.text)), "characters"),
        (feed("<!--" + "x" * (2 * FEED.part)), "a tag or a comment has more than"),
        (feed("<vuln " + "x" * (2 * FEED.part)), "a tag or a comment has more than"),
        (feed('<vuln vid="a"><topic/></vuln>' * (FEED.entries + 1)), "more than 50000 entries"),
        (declaring("<!ATTLIST vuln a CDATA 'x'>"), "declares attributes or notations"),
        (declaring("<!NOTATION n SYSTEM 'a'>"), "declares attributes or notations"),
        (
            declaring("".join(f"<!ENTITY e{n} SYSTEM 'a'>" for n in range(FEED.names + 1))),
            "declares more than 500 entities",
        ),
    ],
    ids=itertools.count(1),
)
def test_a_feed_that_would_take_much_memory_is_refused(data: bytes, complaint: str) -> None:
    assert complaint in refused(data)


def test_a_model_of_an_element_is_passed_over_however_deep_it_is() -> None:
    """A handler for it would overflow the stack of this process."""
    deep = "(" * 200_000 + "a" + ")" * 200_000
    assert parse(declaring(f"<!ELEMENT vuln {deep}>")).vulnerabilities


def test_a_name_that_no_package_can_have_is_left_out_and_a_bound_that_is_none_is_refused() -> None:
    (entry,) = parse(feed(TOR.replace("tor-devel", "tor \u2013 devel"))).vulnerabilities
    assert entry.affected[0].names == ("tor",)
    assert "bound that is no version" in refused(feed(TOR.replace("0.4.8.22", "")))


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    refused(data)
