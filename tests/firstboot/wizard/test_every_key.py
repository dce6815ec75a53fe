"""Every key of a site is asked for by the wizard, or there is a reason why it is not."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firstboot.core import document, keys, passwords
from firstboot.site.model import Site
from firstboot.wizard.conversation import Saved
from firstboot.wizard.draft import NOTES, Draft
from firstboot.wizard.flow import SECTIONS
from firstboot.wizard.unasked import UNASKED
from qemu.lab.conversation import PASSWORD, SAVE, asked, conversation
from tests.firstboot.site.sites import EXAMPLES, ROOT, changed
from tests.firstboot.site.test_new_key import Larger
from tests.firstboot.wizard.talk import talk

OTHERWISE = {
    "schema": "the wizard writes the newest",
    "waivers": "typing waive at an answer that a rule refuses",
}
"""What becomes of keys that are neither asked for nor left out."""


def questions() -> set[str]:
    """The paths of the keys that there is a question for."""
    return {
        ".".join([section.name, *question.key] if section.item else question.key)
        for section in SECTIONS
        for question in section.questions
        if question.key[0] != NOTES
    }


def under(path: str, part: str) -> bool:
    return f"{path}.".startswith(f"{part}.")


def unexplained(shape: Any) -> set[str]:
    """The keys with no question and no reason; a key of which others are part needs none."""
    paths = {
        one.path
        for one in keys.walk(shape)
        if not dataclasses.is_dataclass(keys.item(one.hint)) and one.path not in OTHERWISE
    }
    return {
        path for path in paths - questions() if not any(under(path, reason) for reason in UNASKED)
    }


def site(text: bytes) -> Site:
    return document.parse(text, "site.yaml", Site).value


def example(name: str) -> Path:
    return ROOT / "examples" / f"{name}.yaml"


SSH_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDhvTAFWt3wUkYkRI3BiNyqPgFQCiIKVYY1NJQPVcjrP m@example.org"
)

MORE = {
    "an account at the mail relay": changed(
        ("    relay: mail.example.org\n", "    relay: mail.example.org\n    user: exit\n"
         "    password: krokant-Lupine-31\n"),
        of=example("default-route"),
    ),
    "relays that listen elsewhere": changed(
        ("  exit_addresses: ",
         "  or_addresses: [198.51.100.211, 198.51.100.212]\n  exit_addresses: "),
        of=example("ipv6-heavy"),
    ),
    "an upstream with a private number": changed(
        ("    asn: 64496\n", "    asn: 64513\n"),
        ("waivers:\n", "waivers:\n  private_asn: The upstream carries nobody else.\n"),
        of=example("default-route"),
    ),
    "no management port": changed(
        ("  - name: management\n    device: igb0\n    role: management\n"
         "    addresses: [192.0.2.194/27]\n    gateway: [192.0.2.193]\n", ""),
        ("waivers:\n", "waivers:\n  no_management: The box stands in our own office.\n"),
        of=example("default-route"),
    ),
}  # fmt: skip
"""Sites with keys that no example has."""

SITES = {path.stem: site(path.read_bytes()) for path in EXAMPLES} | {
    name: site(text) for name, text in MORE.items()
}

ALARM = f"""\
alarm:
  mail:
    relay: mail.example.org
    to: [noc@example.org]
    port: 465
    address: 203.0.113.9
    certificate: {"ab" * 32}
    sender: box@example.org
  webhook:
    url: https://hooks.example.org/exit
    address: 203.0.113.8
    certificate: {"cd" * 32}
"""

PAPER = "{as_set: AS-ALL, holding: member}"

KEPT = {
    "what is written later": site(
        changed(
            ("  count: 4\n", "  count: 4\n  offline_keys: yes\n  block: [203.0.113.7]\n"
             "  policies: [{relays: [2], policy: own, rules: ['accept *:443']}]\n"),
            ("management:\n", f"management:\n  monitoring: ['{SSH_KEY}']\n"),
            ("    md5: PCmxV4ElPLGCfHQWBPsW2t9q",
             "    announce: [{no_export: yes}, {scopes: [2001:db8:ee::/48], withheld: yes}]\n"
             "    md5: PCmxV4ElPLGCfHQWBPsW2t9q"),
            ("waivers:\n", f"{ALARM}registry: {PAPER}\nzones: {{serial: 7}}\n"
             "performance: {profiles: {ix0: none}, settings: {kern.maxfiles: 900000}}\n"
             "waivers:\n"),
        )
    ),
    **{
        f"papers of a {path.stem}": site(path.read_bytes())
        for path in sorted((ROOT / "examples" / "papers").glob("*.yaml"))
    },
    **{name: site(example(name).read_bytes()) for name in ("bundle", "machines-on-a-lan")},
}  # fmt: skip
"""Sites with what no new box is asked for."""


def test_every_key_has_a_question_or_a_reason() -> None:
    assert unexplained(Site) == set()
    assert unexplained(Larger) == {"relays.sign_days", "peers.portal"}


def test_reasons_are_of_keys_that_there_are_and_that_no_question_asks_for() -> None:
    paths = {one.path for one in keys.walk(Site)}
    assert {*UNASKED, *OTHERWISE} <= paths
    assert not {path for path in questions() for reason in UNASKED if under(path, reason)}


@pytest.mark.parametrize("name", MORE)
def test_a_site_comes_out_of_a_conversation_as_it_went_in(name: str, tmp_path: Path) -> None:
    outcome, _ = talk(Draft.open(tmp_path / "draft.yaml"), conversation(SITES[name]))
    assert isinstance(outcome, Saved)
    assert outcome.site.value == asked(SITES[name])


@pytest.mark.parametrize("path", sorted(questions() | {"waivers"}))
def test_every_question_is_asked_in_a_conversation_with_an_answer_of_its_own(path: str) -> None:
    """Those about examples are held in test_conversation.py."""
    field = next(one.field for one in keys.walk(Site) if one.path == path)
    given = [one for each in SITES.values() for one in values(each, path.split("."))]
    assert any(one != keys.default_of(field) for one in given)


@pytest.mark.parametrize("name", KEPT)
def test_what_is_not_asked_for_is_kept(name: str, tmp_path: Path) -> None:
    kept = Draft.from_site(tmp_path / "draft.yaml", KEPT[name], passwords.hashed(PASSWORD))
    outcome, _ = talk(kept, [("save, change", "change operator"), *[("[", "")] * 5, SAVE])
    assert isinstance(outcome, Saved)
    assert outcome.site.value == KEPT[name]


@pytest.mark.parametrize(
    "path",
    [
        one.path
        for one in keys.walk(Site)
        if any(under(one.path, reason) for reason in UNASKED)
        and not dataclasses.is_dataclass(keys.item(one.hint))
    ],
)
def test_every_key_that_is_not_asked_for_is_in_a_site_that_keeps_it(path: str) -> None:
    field = next(one.field for one in keys.walk(Site) if one.path == path)
    given = [one for each in KEPT.values() for one in values(each, path.split("."))]
    assert any(one != keys.default_of(field) for one in given)


def test_what_is_asked_for_is_all_but_what_is_not() -> None:
    """`asked` leaves out what there is a reason for, and nothing else."""
    for whole in KEPT.values():
        left = asked(whole)
        for one in keys.walk(Site):
            if dataclasses.is_dataclass(keys.item(one.hint)):
                continue
            before, after = (list(values(each, one.path.split("."))) for each in (whole, left))
            if any(under(one.path, reason) for reason in UNASKED):
                assert all(value == keys.default_of(one.field) for value in after), one.path
            else:
                assert after == before, one.path


def values(value: Any, path: list[str]) -> Iterator[Any]:
    """What a site has at the path of a key, in each entry of its lists."""
    if not path:
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from values(one, path)
    else:
        yield from values(getattr(value, path[0]), path[1:])
