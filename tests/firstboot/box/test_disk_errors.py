"""Every command of the box on a disk that fails: one sentence, status 1, and the state as it was.

Each command runs again and again on a box that is the same each time, and another step fails each
time. `EXITISP_FULL` has every step fail, in every way; otherwise some do.
"""

import contextlib
import copy
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from firstboot.box import blackhole, cli, commands, relay_keys, setup
from firstboot.box.alarms import record
from firstboot.box.alarms.record import Cause, Record
from firstboot.box.backup import create
from firstboot.box.commandline.declared import COMMANDS
from firstboot.core.document import Document
from firstboot.site.model import Site
from firstboot.site.signing_keys import compose
from firstboot.wizard.line_editor import Hidden, LineLost, shown
from qemu.lab.conversation import conversation
from tests.firstboot.box import box as boxes
from tests.firstboot.box.box import EXAMPLE, Box, altered, changed, example
from tests.firstboot.box.disk_errors import ERRORS, Failure, failing
from tests.firstboot.box.test_apply import PEER, Told, applied, configured
from tests.firstboot.box.test_blackhole import with_blackhole
from tests.firstboot.box.test_relay_keys import OFFLINE
from tests.firstboot.box.test_watch import BY_MAIL
from tests.firstboot.site.keys import signing_keys
from tests.firstboot.wizard.talk import Person, machine

SOME = 6
"""Steps of a command that fail in each way, unless all do."""

PHRASE = "korund-Flieder-77-tausend-Igel"
OTHER = altered(PEER)
PEER_NAME = example().value.peers[0].name


class Leaving(Person):
    """Follows the script, and leaves when something else is asked."""

    def line(self, hide: Hidden = shown) -> str:
        try:
            return super().line(hide)
        except AssertionError:
            raise LineLost from None


def twice(box: Box) -> None:
    configured(box)
    applied(box, PEER)
    setup.keep_password(box.machine, "$6$salt$hash")
    key = box.root / "data/tor/relay1/keys/secret_id_key"
    key.parent.mkdir(parents=True)
    key.write_text("key")


def once(box: Box, site: Document[Site] | None = None) -> None:
    configured(box, site)
    box.forget()


def drained(box: Box) -> None:
    once(box)
    path = box.root / "var/db/exitisp/drained"
    path.parent.mkdir(parents=True)
    path.write_text("# No peer is drained.\n")


def flooded(box: Box) -> None:
    once(box, with_blackhole())
    path = box.root / blackhole.SET
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(blackhole.prefix_set([ip_address("198.51.100.9")]))


def of_another_image(box: Box) -> None:
    once(box)
    script = box.root / boxes.SCRIPT
    box.answer(f"/bin/sh {script} -r {box.root} identity", f"{'2e' * 32}\n")


def waiting(box: Box) -> None:
    configured(box)
    path = box.root / "mnt/waits.yaml"
    path.write_bytes(OTHER)
    commands.apply_file(str(path), box.machine, Told(), 10)


def watched(box: Box) -> None:
    configured(box, changed(BY_MAIL))
    cause = Cause("DOWN: relay 3", 1.0, 2)
    record.write(box.machine.state / record.PLACE, Record({"relay 3": cause}))


def new(box: Box) -> None:
    pass


def with_offline_keys(box: Box) -> None:
    applied(box, OFFLINE)
    (box.root / "mnt/box.relay-keys").write_bytes(compose([signing_keys(1), signing_keys(2)]))
    box.forget()


def with_a_site_on_the_stick(box: Box) -> None:
    (box.root / "mnt/site.yaml").write_bytes(EXAMPLE.read_bytes())


def with_a_taken_site(box: Box) -> None:
    once(box)
    with_a_site_on_the_stick(box)
    (box.machine.cfg / "taken").touch()


@dataclass(frozen=True)
class Command:
    """A command line, in which {root} is the box's folder, on a box that was made ready."""

    line: str
    ready: Callable[[Box], None]


LINES = (
    Command("setup", new),
    Command("reconfigure", twice),
    Command("show", once),
    Command("diff", twice),
    Command("diff {root}/mnt/other.yaml", once),
    Command("rollback", twice),
    Command("apply {root}/mnt/other.yaml", new),
    Command("apply {root}/mnt/other.yaml", once),
    Command("backup {root}/mnt/a.backup", twice),
    Command("backup stick", twice),
    Command("check {root}/mnt/other.yaml", new),
    Command("status", twice),
    Command("status --explain", twice),
    Command("status --json", twice),
    Command("history", twice),
    Command("top", twice),
    Command("watch", watched),
    Command("metrics", once),
    Command("report incident", once),
    Command("report month", once),
    Command("abuse count copyright", once),
    Command("family", twice),
    Command("relay-keys", with_offline_keys),
    Command("relay-keys {root}/mnt/box.relay-keys", with_offline_keys),
    Command("settle", waiting),
    Command("confirm", waiting),
    Command("raise", once),
    Command(f"drain {PEER_NAME}", drained),
    Command(f"undrain {PEER_NAME}", drained),
    Command("blackhole 198.51.100.7", flooded),
    Command("unblackhole 198.51.100.9", flooded),
    Command("boot", of_another_image),
    Command("unattended {root}/mnt", with_a_site_on_the_stick),
    Command("unattended --finish {root}/mnt", with_a_taken_site),
)

ELSEWHERE = {"upgrade", "slots", "keep", "bootcode", "restore", "tend"}
"""Commands that upgrade/test_disk_errors.py and the tests of restoring and tending run."""


def test_every_command_is_among_them() -> None:
    assert {one.line.split()[0] for one in LINES} | ELSEWHERE == set(COMMANDS)


def state(box: Box) -> Mapping[str, object]:
    """What a command may not leave half-way."""
    chosen = box.machine.generations.chosen()
    site = chosen.read().site if chosen else b""
    path = box.machine.cfg / "accounts/root"
    password = path.read_bytes() if path.exists() else b""
    rules = box.root / "var/db/exitisp/drained"
    keys = box.root / "data/tor/relay2/keys/ed25519_signing_cert"
    # What /cfg has of them is laid within a minute.
    laid = keys.exists() or (box.machine.cfg / relay_keys.PENDING).exists()
    return {
        "signing keys": laid,
        "site": site,
        # Each hash has a salt of its own.
        "password": bool(setup.HASH.fullmatch(password)) or password,
        "drained": rules.read_bytes() if rules.exists() else b"",
        "given up": blackhole.blackholed(box.machine),
        "the site is on the box or on the stick": bool(site)
        or (box.root / "mnt/site.yaml").exists(),
    }


@pytest.mark.parametrize("command", LINES, ids=lambda one: f"{one.line} {one.ready.__name__}")
def test_an_error_of_the_disk_is_one_sentence_and_changes_nothing(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    root, like = tmp_path / "root", tmp_path / "like"
    made = boxes.make(root, example().value)
    for folder in ("mnt", "tmp"):
        (root / folder).mkdir()
    (root / "mnt/other.yaml").write_bytes(OTHER)
    monkeypatch.setattr("tempfile.tempdir", str(root / "tmp"))
    monkeypatch.setattr(create, "_chosen", lambda *_, **__: PHRASE)
    command.ready(made)
    shutil.copytree(root, like, symlinks=True)

    def run(failure: Failure) -> tuple[int, str, Box]:
        shutil.rmtree(root)
        shutil.copytree(like, root, symlinks=True)
        box = Box(root, copy.deepcopy(made.programs))
        monkeypatch.setattr(cli, "_machine", lambda _: box.machine)
        if command.line in ("setup", "reconfigure"):
            person = Leaving(conversation(example().value) if command.line == "setup" else [])
            monkeypatch.setattr(setup, "console", lambda: contextlib.nullcontext(person.terminal))
            monkeypatch.setattr(setup, "_view", lambda *_: machine())
        capsys.readouterr()
        with failing(failure):
            status = cli.main(command.line.format(root=root).split())
        return status, capsys.readouterr().err, box

    below = (root,)
    before = state(made)
    steps: dict[bool, int] = {}
    for lasting, error in ((False, 5), (True, 28)):
        whole = Failure(below, -1, error)
        expected, _, box = run(whole)
        steps[lasting], after = whole.steps, state(box)
    assert steps[False] >= steps[True] >= 0

    wrong: list[str] = []
    runs = 0
    for error, what in ERRORS.items():
        count = steps[error in (28, 30)]
        every = 1 if "EXITISP_FULL" in os.environ else max(count // SOME, 1)
        for at in range(0, count, every):
            failure = Failure(below, at, error)
            runs += 1
            try:
                status, told, box = run(failure)
            except Exception as raised:
                wrong.append(f"{what}, {failure.happened}: {type(raised).__name__}: {raised}")
                continue
            found = state(box)
            here = f"{what}, {failure.happened}: status {status}, {told.strip()!r}"
            if not (status == expected or (status == 1 and told.count("\n") <= 1)):
                wrong.append(here)
            for key, value in found.items():
                if value not in (before[key], after[key]):
                    wrong.append(f"{here}: {key} is neither as before nor as after")
            if status == 0 and found != after:
                wrong.append(f"{here}: it says that it is done")
    record_property("runs", runs)
    assert not wrong, f"{len(wrong)} of {runs}:\n" + "\n".join(wrong)
