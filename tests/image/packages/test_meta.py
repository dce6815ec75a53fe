import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstboot.core.refusal import Refusal
from image.packages import ucl
from image.packages.meta import Meta, parse
from tests.image.packages.fixtures import FIXTURES, needs_fixtures


@needs_fixtures
def test_a_real_meta_conf_is_pkgs_default() -> None:
    assert parse((FIXTURES / "meta.conf").read_bytes(), "meta.conf") == Meta()


def test_version_1_with_what_it_may_have() -> None:
    text = """\
    # a comment; with "quotes
    version = 1;
    maintainer: "someone@example.org"
    source = https://example.org/src;
    packing_format = "txz";
    digest_format = "sha256_base32";
    digests = "digests";
    manifests_archive = "site";
    cert {
        type = rsa;
        data = "-----BEGIN {\\n";
        list = [1, { a = "}" }];
    }
    eol = 0;
    """
    assert parse(text.encode(), "meta.conf") == Meta(packing="txz", manifests_archive="site")


def test_json_is_ucl_too() -> None:
    assert parse(b'{"version":2,"data":"d","extra":{"a":[1]}}', "meta.conf") == Meta(data="d")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "version is 'none', not 1 or 2"),
        ("version = 3;", "version is '3', not 1 or 2"),
        ('version = 2; packing_format = "rar";', "packing_format"),
        ('version = 2; data_archive = "../data";', "data_archive is .*not the name of a file"),
        ('version = 2; manifests = "/etc/passwd";', "manifests is .*not the name of a file"),
        ('version = 2; data = "";', "data is .*not the name of a file"),
        ("version", "UCL"),
        ("= 2;", "UCL"),
        ("version = 2; cert {", "UCL"),
        ('version = "2', "UCL"),
        ('version = "\\q";', "UCL"),
        ("<html>", "UCL"),
    ],
)
def test_what_is_no_meta_conf_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(Refusal, match=complaint):
        parse(text.encode(), "meta.conf")


@given(st.binary(max_size=80) | st.text('ab= :;{}[]"\\,\n#/*', max_size=40).map(str.encode))
def test_anything_is_read_or_refused(data: bytes) -> None:
    try:
        found = ucl.parse(data, "meta.conf")
    except Refusal:
        return
    assert all(found)
