"""A site is written as it is read, and every key of it explained."""

import dataclasses
import typing
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from firstboot.core import document
from firstboot.core.keys import walk
from firstboot.site import check
from firstboot.site.announcement import Announcement
from firstboot.site.model import Reachable, RelayPolicy, Relays, Site, load
from firstboot.site.writer import compose
from tests.firstboot.site.sites import EXAMPLES, ONE, ROOT, SITES

EXPLAINED = {one.path: one.about.explanation for one in walk(Site)}


def keys(shape: Any, path: str = "") -> Iterator[str]:
    """The path of every key of the model, places in lists left out."""
    for name, hint in typing.get_type_hints(shape, include_extras=False).items():
        yield path + name
        parts = [hint, *typing.get_args(hint)]
        for part in parts:
            if dataclasses.is_dataclass(part):
                yield from keys(part, f"{path}{name}.")


def read(text: str) -> Site:
    return document.parse(text.encode(), "composed.yaml", Site).value


@settings(max_examples=50)
@given(SITES)
def test_what_is_written_reads_as_the_same_site(site: Site) -> None:
    assert read(compose(site)) == site


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_survives_being_written_and_stays_the_same_from_then_on(path: Path) -> None:
    site = load(path).value
    written = compose(site)
    assert read(written) == site
    assert compose(read(written)) == written


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_another_reader_of_yaml_finds_texts_where_texts_are(path: Path) -> None:
    """PyYAML guesses types: what is text in the site is not to become a number or a date."""
    written = yaml.safe_load(compose(load(path).value))
    assert all(isinstance(port["mac"], str) for port in written["ports"] if "mac" in port)
    assert all(isinstance(member, str) for member in written["ports"][0]["addresses"])
    assert isinstance(written.get("asn", 0), int)


def test_every_key_is_walked_and_explained() -> None:
    assert sorted(EXPLAINED) == sorted(keys(Site))
    assert all(EXPLAINED.values())


def test_a_written_site_explains_every_key() -> None:
    site = load(ONE).value
    told = dataclasses.replace(site.peers[0], announce=(Announcement(prepend=1),))
    relays = dataclasses.replace(site.relays, policies=(RelayPolicy((1,)),))
    opened = (Reachable(ip_address("198.51.100.130"), 443),)
    ports = tuple(dataclasses.replace(port, reachable=opened) for port in site.ports)
    written = compose(
        dataclasses.replace(site, ports=ports, peers=(told, *site.peers[1:]), relays=relays),
    )
    lines = written.replace("# ", "").split()
    for text in EXPLAINED.values():
        words = text.split()
        assert any(lines[at : at + len(words)] == words for at in range(len(lines))), text


def test_entries_of_a_list_that_have_defaults_alone_are_written() -> None:
    site = load(ONE).value
    entries = (Announcement(), Announcement(prepend=1), Announcement())
    peer = dataclasses.replace(site.peers[0], announce=entries)
    relays = dataclasses.replace(site.relays, policies=(RelayPolicy(), RelayPolicy()))
    changed = dataclasses.replace(site, peers=(peer, *site.peers[1:]), relays=relays)
    assert read(compose(changed)) == changed


def test_defaults_are_comments_that_become_values_without_their_mark() -> None:
    site = load(ONE).value
    written = compose(site)
    assert "  # mtu: 1500\n" in written
    assert "# dns:\n" in written
    plain = written.replace("\n# dns:\n", "\ndns:\n").replace(
        "\n#   strictness: documents\n", "\n  strictness: documents\n"
    )
    assert read(plain) == site
    assert plain != written


def test_a_default_is_not_written_as_a_value() -> None:
    site = load(ONE).value
    lines = [line.strip() for line in compose(site).splitlines()]
    assert not any(line.startswith(("mtu:", "vlan:", "dns:", "policy:")) for line in lines)


def test_secrets_are_quoted_whatever_they_look_like() -> None:
    site = load(ONE).value
    for secret in ("1e5", "yes", 'a"b\\c', "# no comment", "${HOME}", "PCmxV4ElPLGCfHQW"):
        peer = dataclasses.replace(site.peers[0], md5=secret)
        odd = dataclasses.replace(site, peers=(peer,))
        escaped = secret.replace("\\", "\\\\").replace('"', '\\"')
        assert f'md5: "{escaped}"\n' in compose(odd)
        assert read(compose(odd)) == odd


def test_a_waiver_of_any_length_can_be_written() -> None:
    site = dataclasses.replace(load(ONE).value, waivers={"k" * 3000: "so", "": "", "~": "\n"})
    assert read(compose(site)) == site


def test_a_list_that_is_empty_on_purpose_is_not_the_default() -> None:
    site = dataclasses.replace(load(ONE).value, clock=dataclasses.replace(load(ONE).value.clock))
    empty = dataclasses.replace(site, clock=dataclasses.replace(site.clock, servers=()))
    assert "\nclock:\n" in compose(empty)
    assert read(compose(empty)).clock.servers == ()


def test_a_site_has_the_same_findings_after_it_was_written() -> None:
    for path in EXAMPLES:
        before = check.check(load(path))
        after = check.check(document.parse(compose(load(path).value).encode(), "new", Site))
        assert {(f.key, f.reason) for f in before} == {(f.key, f.reason) for f in after}


def documented() -> str:
    return (ROOT / "docs" / "site.md").read_text()


@pytest.mark.parametrize("key", sorted(EXPLAINED))
def test_the_reference_has_every_key_as_the_site_file_explains_it(key: str) -> None:
    assert f"| `{key}` | {EXPLAINED[key]} |" in documented()


def test_the_site_in_the_reference_loads_and_has_no_errors() -> None:
    blocks = [part.split("```")[0] for part in documented().split("```yaml\n")[1:]]
    assert blocks
    for block in blocks:
        site = document.parse(block.encode(), "docs/site.md", Site)
        assert site.value.relays == Relays(nickname="ExampleExit{n}")
        assert not [f for f in check.check(site) if f.severity is check.Severity.ERROR]
