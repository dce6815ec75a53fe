"""From the first question on a console to a box that runs what was answered, and again."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from firstboot.box import setup
from firstboot.box.machine import site_of
from firstboot.core.passwords import matches
from firstboot.site.verify.sshd import MONITORING
from firstboot.wizard.draft import Draft
from firstboot.wizard.terminal import Terminal
from qemu.lab.conversation import BEGIN, PASSWORD, SAVE, Turn
from qemu.lab.conversation import conversation as whole
from tests.firstboot.box.box import Box, changed, example
from tests.firstboot.box.test_apply import applied, configured
from tests.firstboot.wizard.talk import Person, machine

Sit = Callable[[list[Turn]], Person]

SITE = example().value


@pytest.fixture
def sit(monkeypatch: pytest.MonkeyPatch) -> Sit:
    """A person sits down at the console."""

    def down(script: list[Turn]) -> Person:
        person = Person(script)

        @contextlib.contextmanager
        def console() -> Iterator[Terminal]:
            yield person.terminal

        monkeypatch.setattr(setup, "console", console)
        monkeypatch.setattr(setup, "_view", lambda *_: machine())
        return person

    return down


def test_the_first_conversation_configures_the_box(box: Box, sit: Sit) -> None:
    person = sit(whole(SITE))
    assert setup.setup(box.machine) == 0
    assert not person.left
    running = box.machine.running()
    assert running is not None
    assert b"Example Onion Cooperative" in running.read().site
    assert box.calls[-2:] == ["service exitisp_ports raise", box.calls[-1]]
    assert box.calls[-1].startswith("umount ")
    kept = box.machine.cfg / "accounts/root"
    assert matches(PASSWORD, kept.read_text().strip())
    assert kept.stat().st_mode & 0o777 == 0o600
    assert any(call.endswith("usermod root -H 0") for call in box.calls)
    assert not any(PASSWORD in call or "$6$" in call for call in box.calls)
    assert not list(box.machine.cfg.glob("draft*"))
    assert "This box is configured" in person.screen


def test_who_leaves_finds_the_answers_again(box: Box, sit: Sit) -> None:
    script = whole(SITE)
    sit(script[:13])
    assert setup.setup(box.machine) == 1
    assert box.machine.generations.all() == []
    person = sit([BEGIN, *script[13:]])
    assert setup.setup(box.machine) == 0
    assert "goes on where it was" in person.screen


def test_the_second_console_has_nothing_left_to_ask(box: Box, sit: Sit) -> None:
    configured(box)
    person = sit([])
    assert setup.setup(box.machine) == 0
    assert person.prompts == []


def test_what_a_daemon_refuses_is_asked_again_with_nothing_changed(box: Box, sit: Sit) -> None:
    box.fail("/usr/local/sbin/bgpd", "bgpd.conf:61: no such thing")
    person = sit([*whole(SITE), (SAVE[0], "quit")])
    assert setup.setup(box.machine) == 1
    assert "Nothing has changed" in person.screen
    assert box.machine.generations.all() == []
    assert box.started() == []
    assert not (box.machine.cfg / "accounts").exists()
    assert not any("usermod" in call for call in box.calls)
    assert Draft.open(box.machine.cfg / "draft.yaml").begun


def test_a_service_that_does_not_come_up_leaves_a_configured_box(
    box: Box, sit: Sit, capsys: pytest.CaptureFixture[str]
) -> None:
    box.fail("service exitisp_relays start", "no tor")
    person = sit(whole(SITE))
    assert setup.setup(box.machine) == 1
    assert "service exitisp_relays (relays): it does not come up: no tor" in person.screen
    assert box.machine.running() is not None
    assert matches(PASSWORD, (box.machine.cfg / "accounts/root").read_text().strip())
    assert "service exitisp_ports raise" in box.calls
    assert "Not so: every service runs: relays (it does not run)" in capsys.readouterr().out


def test_the_present_site_is_what_is_changed_later(box: Box, sit: Sit) -> None:
    configured(box)
    setup.keep_password(box.machine, "$6$salt$hash")
    box.forget()
    person = sit([SAVE])
    assert setup.reconfigure(box.machine) == 0
    assert "OnionCoop" in person.screen
    assert box.machine.generations.current() == 2
    generations = box.machine.generations.all()
    assert generations[0].read().files == generations[1].read().files
    assert box.started() == []


def test_what_it_does_not_ask_for_is_kept(box: Box, sit: Sit) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1t monitor"
    configured(box, changed(("management:\n", f"management:\n  monitoring: [{key}]\n")))
    setup.keep_password(box.machine, "$6$salt$hash")
    sit([SAVE])
    assert setup.reconfigure(box.machine) == 0
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    site = site_of(chosen).decode()
    assert f"monitoring:\n    - {key}\n" in site
    laid = (box.root / "etc/ssh/authorized_keys/root").read_text()
    assert laid.endswith(f"{MONITORING} {key}\n")


def test_answers_about_an_older_generation_are_not_taken_up_again(box: Box, sit: Sit) -> None:
    configured(box)
    setup.keep_password(box.machine, "$6$salt$hash")
    draft = box.machine.cfg / "draft-0001.yaml"
    Draft.from_site(draft, SITE, "$6$salt$hash").keep()
    applied(box, ("asn: 65536", "asn: 65538"))
    person = sit([SAVE])
    assert setup.reconfigure(box.machine) == 0
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert b"65538" in chosen.read().site
    assert person.left == []


def test_an_unfinished_change_is_gone_on_with_and_saved(box: Box, sit: Sit) -> None:
    configured(box)
    setup.keep_password(box.machine, "$6$salt$hash")
    leave: list[Turn] = [
        ("save, change", "change operator"),
        ("Name of the operator", "Another Cooperative"),
        ("Mail address", "quit"),
        ("Leave?", "yes"),
    ]
    first = sit(leave)
    assert setup.reconfigure(box.machine) == 1
    assert "has not been saved" not in first.screen
    person = sit([("go on or drop", "go on"), SAVE])
    assert setup.reconfigure(box.machine) == 0
    assert "has not been saved. It differs" in " ".join(person.screen.split())
    change = f"Name of the operator: {SITE.operator.name} -> Another Cooperative"
    assert " ".join(person.screen.split()).count(change) == 2
    chosen = box.machine.generations.chosen()
    assert chosen is not None
    assert b"Another Cooperative" in chosen.read().site
