"""Daemons that this machine has tell what they understand of rendered files."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot.site.model import Site
from firstboot.site.render import Box, Rendered, render
from firstboot.site.verify import at_hand
from firstboot.site.verify.context import Context, Flaw
from tests.firstboot.site.daemons.conftest import find, version
from tests.firstboot.site.verify.test_verify import BOX, LARGEST, ROOT, rendered

TORRC, UNBOUND, SSHD = (
    "etc/local/tor/torrc@relay1",
    "var/unbound/unbound.conf",
    "etc/ssh/sshd_config",
)


@pytest.fixture(scope="module")
def box() -> Box:
    return replace(
        BOX,
        tor=version(find("tor", "tor"), "--version"),
        unbound=version(find("unbound-checkconf", "unbound"), "-h"),
    )


@pytest.fixture(scope="module")
def files(box: Box) -> dict[str, Rendered]:
    site, _ = rendered(LARGEST)
    made = render(site, box, ROOT / "overlays")
    return {file.path: file for file in made if file.path in (TORRC, UNBOUND, SSHD)} | {
        file.path: file for file in made if "tor/" in file.path and "@" not in file.path
    }


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd wants an empty directory that is there only where it is a service: it gets a /run of its
    own."""
    sshd = find("sshd", "openssh-server")
    wrapper = tmp_path / "sshd"
    inside = f'mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec {sshd} "$@"'
    wrapper.write_text(
        f"#!/bin/sh\nexec unshare --mount --map-root-user sh -c '{inside}' sh \"$@\"\n"
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def asked(files: dict[str, Rendered], box: Box, path: str, more: str) -> list[Flaw]:
    """What daemons see in files of which one has more lines."""
    site: Site = rendered(LARGEST)[0]
    changed = {**files, path: replace(files[path], text=f"{files[path].text}{more}")}
    return at_hand.ask_all(list(changed.values()), Context.of(site, box))[0]


def test_they_understand_what_the_site_asks_for(
    programs: None, files: dict[str, Rendered], box: Box, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    place = tmp_path / "copies"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    context = Context.of(rendered(LARGEST)[0], box)
    assert at_hand.ask_all(list(files.values()), context) == (
        [],
        [
            f"{name}: understands what the site asks for"
            for name in ("tor", "unbound-checkconf", "sshd")
        ],
    )
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "more", "told"),
    [
        (TORRC, "SafeLogging 0\n", "tor understands 'SafeLogging 0'"),
        (TORRC, "Nonsense 1\n", "tor does not take it"),
        (UNBOUND, "server: log-queries: yes\n", "unbound-checkconf understands 'log-queries: yes'"),
        (
            UNBOUND,
            "server: interface-automatic: yes\n",
            "unbound-checkconf understands 'interface-automatic: yes'",
        ),
        (SSHD, "Match Address *,!192.0.2.192/27\n  AllowUsers *\n", "sshd understands 'allowusers"),
        (
            SSHD,
            "Match User root Address 192.0.2.192/27\n  PasswordAuthentication yes\n",
            "sshd understands 'passwordauthentication yes'",
        ),
    ],
)
def test_what_they_understand_otherwise_is_a_flaw(
    programs: None, files: dict[str, Rendered], box: Box, path: str, more: str, told: str
) -> None:
    flaws = asked(files, box, path, more)
    assert {flaw.path for flaw in flaws} == {path}
    assert any(flaw.reason.startswith(told) for flaw in flaws), flaws


def test_those_that_are_not_here_are_named(
    files: dict[str, Rendered], box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(at_hand, "FOLDERS", ())
    context = Context.of(rendered(LARGEST)[0], box)
    flaws, told = at_hand.ask_all(list(files.values()), context)
    assert flaws == []
    assert [one.partition(": ")[2] for one in told] == ["not here, so it was not asked"] * 3


def test_one_that_takes_not_even_what_the_site_asks_for_is_named(
    files: dict[str, Rendered], box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tor").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "tor").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(at_hand, "FOLDERS", ())
    context = Context.of(rendered(LARGEST)[0], box)
    flaws, told = at_hand.ask_all([files[TORRC]], context)
    assert flaws == []
    assert told[0] == "tor: does not answer here, not even about what is expected"
