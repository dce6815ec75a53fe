import json
from typing import Any

import pytest

from firstboot.core.limits import CATALOGUE_LINES
from firstboot.core.refusal import Refusal
from image.packages.catalogue import LARGEST_PACKAGE, Catalogue, parse_data, parse_packagesite

ENTRY: dict[str, Any] = {
    "name": "tor",
    "origin": "security/tor",
    "version": "0.4.8",
    "path": "All/Hashed/tor-0.4.8~0a1b.pkg",
    "pkgsize": 1000,
    "sum": "0" * 64,
}


def lines(*entries: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(entry).encode() + b"\n" for entry in entries)


def read(*entries: dict[str, Any]) -> Catalogue:
    return parse_packagesite(lines(*entries), "packagesite.yaml")


def test_both_forms_of_a_catalogue_say_the_same() -> None:
    entries = [ENTRY, ENTRY | {"version": "0.4.9"}, ENTRY | {"name": "nyx"}]
    data = json.dumps({"groups": [], "expired_packages": [{}], "packages": entries}).encode()
    catalogue = parse_data(data, "data")
    assert catalogue == read(*entries)
    assert [one.package.version for one in catalogue.by_name("tor")] == ["0.4.8", "0.4.9"]
    assert catalogue.by_name("bird2") == ()


def test_an_empty_catalogue_is_one() -> None:
    assert read().listed == parse_data(b'{"packages":[]}', "data").listed == ()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"path": "../tor.pkg"}, "a path below the repository"),
        ({"path": "All/../../tor.pkg"}, "a path below the repository"),
        ({"path": "/etc/passwd"}, "a path below the repository"),
        ({"path": "https://elsewhere.example/tor.pkg"}, "a path below the repository"),
        ({"path": "All/.hidden"}, "a path below the repository"),
        ({"path": "All/tor.pkg?x"}, "a path below the repository"),
        ({"path": None}, "a path below the repository"),
        ({"pkgsize": 0}, "not a number of bytes from 1 to"),
        ({"pkgsize": LARGEST_PACKAGE + 1}, "not a number of bytes from 1 to"),
        ({"pkgsize": "7"}, "not a number of bytes from 1 to"),
        ({"sum": "abc"}, "a checksum as pkg writes it"),
        ({"sum": None}, "a checksum as pkg writes it"),
        ({"name": "a/b"}, "a package's name"),
    ],
)
def test_an_entry_that_cannot_be_right_is_refused_with_its_line(
    change: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(Refusal) as refused:
        read(ENTRY, ENTRY | change)
    assert str(refused.value).startswith("packagesite.yaml:2")
    assert complaint in str(refused.value)


def test_a_catalogue_of_empty_lines_is_refused() -> None:
    with pytest.raises(Refusal, match=f"more than {CATALOGUE_LINES} lines"):
        parse_packagesite(lines(ENTRY) + b"\n" * CATALOGUE_LINES, "packagesite.yaml")


@pytest.mark.parametrize("data", [b"{}", b'{"packages":{}}', b'{"packages":[1]}', b"[]"])
def test_data_without_a_list_of_packages_is_refused(data: bytes) -> None:
    with pytest.raises(Refusal, match=r"^data"):
        parse_data(data, "data")
