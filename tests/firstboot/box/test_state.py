"""Every reader of what the box keeps on /cfg, with its file absent, empty, cut or changed.

`READERS` has them all: a new one is missing there, which a test finds.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstboot.box import confirm, history, relay_keys, setup, unattended, unconfirmed
from firstboot.box.backup.archive import gather
from firstboot.box.commands import status
from firstboot.box.generations import WELL
from firstboot.box.journal.signature import KEY
from firstboot.box.journal.store import MARK, append, read
from firstboot.box.unconfirmed import Unconfirmed
from firstboot.box.upgrade import health
from firstboot.core.durable import kept
from firstboot.core.refusal import Refusal
from firstboot.site.render import render
from firstboot.site.signing_keys import compose
from firstboot.wizard.draft import Draft
from qemu.lab.conversation import BEGIN
from tests.firstboot.box.box import ROOT, Box, example
from tests.firstboot.box.journal.keeping import note, with_key
from tests.firstboot.box.rc import Script
from tests.firstboot.box.test_apply import applied, configured
from tests.firstboot.box.test_generations import chosen_by_sh
from tests.firstboot.box.test_relay_keys import OFFLINE
from tests.firstboot.box.test_setup import Sit, sit
from tests.firstboot.site.daemons.sites import BOX
from tests.firstboot.site.keys import signing_keys

__all__ = ["sit"]

CHOOSER = "usr/local/libexec/exitisp/site"
HASH = b"$6$salt$hash\n"
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "zeros": lambda data: bytes(len(data)),
    "cut": lambda data: data[: len(data) // 2],
    "other bytes": lambda _: b"\xff\x00\n",
}


@pytest.fixture
def running(box: Box) -> Box:
    """A box that runs the example, with a password and signs that all hold."""
    configured(box)
    setup.keep_password(box.machine, HASH.decode().strip())
    health.remember(health.signs(box.machine), box.machine)
    return box


def damaged(path: Path) -> Iterator[str]:
    """Has `path` damaged in each way, and a folder in its place; yields the way."""
    whole = path.read_bytes()
    for way, change in DAMAGE.items():
        path.write_bytes(change(whole))
        yield way
    path.unlink()
    path.mkdir()
    yield "a folder"
    path.rmdir()
    path.write_bytes(whole)


def test_a_slot_is_not_confirmed_by_a_damaged_record_of_signs(running: Box) -> None:
    record = running.machine.cfg / "state/signs.json"
    for way in damaged(record):
        (lacking,) = health.missing(running.machine)
        assert re.match(r"it is known what worked before \(.*signs\.json: ", lacking), way
    assert health.missing(running.machine) == frozenset()
    record.unlink()
    (lacking,) = health.missing(running.machine)
    assert "nobody has kept there what worked before" in lacking


def test_the_wizard_asks_for_a_damaged_password_again(running: Box) -> None:
    said: list[str] = []
    for way in damaged(running.machine.cfg / "accounts/root"):
        assert setup.root_password(running.machine, said.append) is None, way
        assert said.pop().startswith("Root's password has to be chosen again. "), way
    assert setup.root_password(running.machine, said.append) == HASH.decode().strip()
    (running.machine.cfg / "accounts/root").unlink()
    assert setup.root_password(running.machine, said.append) is None
    assert not said


def test_a_boot_does_not_set_a_damaged_password_and_says_so(tmp_path: Path) -> None:
    script = Script.make(tmp_path, "firstboot", "exitisp_site")
    password = tmp_path / "cfg/accounts/root"
    password.parent.mkdir(parents=True)
    script.program("pw", f"cat >{tmp_path}/set")
    script.mounts("cfg")
    script.program(CHOOSER, "exit 1")
    password.write_bytes(HASH)
    assert not script.run().stderr
    assert (tmp_path / "set").read_bytes() == HASH
    (tmp_path / "set").unlink()
    for way in damaged(password):
        assert "is not the hash of a password" in script.run().stderr, way
        assert not (tmp_path / "set").exists(), way
    password.unlink()
    assert not script.run().stderr


def test_damaged_answers_are_set_aside_and_told(tmp_path: Path) -> None:
    path = tmp_path / "draft.yaml"
    Draft(path).answer(("asn",), "65550")
    for way in damaged(path):
        if way == "cut":  # Fewer answers are answers too.
            continue
        found = Draft.open(path)
        assert not found.begun, way
        assert found.remarks, way
        aside = tmp_path / "draft.yaml.damaged"
        aside.rmdir() if aside.is_dir() else aside.unlink()
        if way == "a folder":
            path.mkdir()
        else:
            path.touch()
    path.unlink()
    assert not Draft.open(path).remarks


def test_damaged_generations_are_told_and_never_run(running: Box) -> None:
    (one,) = running.machine.generations.all()
    for name in ("index", "seal", "site.yaml"):
        for way in damaged(one.folder / name):
            assert running.machine.generations.chosen() is None, (name, way)
            assert chosen_by_sh(running.root) is None, (name, way)
            said: list[str] = []
            with pytest.raises(Refusal, match="this generation is damaged"):
                status(running.machine, said.append)
            assert "damaged: generation 1" in said, (name, way)
            assert health.missing(running.machine), (name, way)
    assert health.missing(running.machine) == frozenset()


def test_generations_that_cannot_be_listed_are_not_an_unconfigured_box(box: Box) -> None:
    box.machine.generations.folder.write_text("in the way")
    with pytest.raises(Refusal, match="generations: it cannot be read"):
        box.machine.generations.chosen()


def test_a_wizard_tells_that_there_was_a_configuration(box: Box, sit: Sit) -> None:
    configured(box)
    (box.machine.generations.all()[0].folder / "seal").unlink()
    (box.machine.state / "generation").unlink()
    person = sit([BEGIN])
    setup.setup(box.machine)
    assert "This box was configured, and what it kept is damaged (generations 1)" in person.screen


@pytest.mark.parametrize("there", ["a file", "elsewhere", "nothing"])
def test_a_damaged_link_to_the_current_generation_is_told(running: Box, there: str) -> None:
    link = running.machine.cfg / "current"
    link.unlink()
    if there == "a file":
        link.write_text("0001\n")
    if there == "elsewhere":
        link.symlink_to("generations/none")
    said: list[str] = []
    assert not status(running.machine, said.append)
    assert "current: none is marked; a restart of the box runs generation 1" in said
    assert chosen_by_sh(running.root) == "0001"


@pytest.mark.parametrize("data", [b"", b"x", b"\xff", b"99999999999\n", b"../0001"])
def test_which_generation_runs_is_known_or_refused(running: Box, data: bytes) -> None:
    (running.machine.state / "generation").write_bytes(data)
    with pytest.raises(Refusal, match="run/exitisp/generation: it "):
        running.machine.running()


def test_a_generation_that_runs_and_is_gone_is_damaged(running: Box) -> None:
    (running.machine.state / "generation").write_text("0007\n")
    found = running.machine.running()
    assert found is not None
    assert not found.sound


def test_a_mark_that_cannot_be_removed_is_told(box: Box, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    mark = box.machine.cfg / "taken"
    (mark / "inside").mkdir(parents=True)
    with pytest.raises(Refusal, match="taken: it cannot be removed"):
        unattended.finish(stick, box.machine, lambda _: None)


def test_a_backup_of_a_damaged_key_is_refused(running: Box) -> None:
    key = running.machine.cfg / "ssh/ssh_host_ed25519_key"
    key.parent.mkdir()
    key.touch()
    with pytest.raises(Refusal, match="ssh_host_ed25519_key: it is empty, so it is no key"):
        gather(running.machine)
    key.write_bytes(bytes(2 << 20))
    with pytest.raises(Refusal, match="more than 1048576 bytes, so it is no key"):
        gather(running.machine)


@pytest.mark.parametrize("name", ["cfg", "data"])
def test_without_its_file_systems_a_box_refuses(running: Box, tmp_path: Path, name: str) -> None:
    """A slot is not confirmed, nothing is asked or taken, and no backup lacks keys in silence."""
    away = running.root / f"{name}.away"
    (running.root / name).rename(away)
    assert f"/{name} is mounted" in health.missing(running.machine)
    not_mounted = f"/{name}: this file system is not mounted"
    with pytest.raises(Refusal, match=not_mounted):
        setup.setup(running.machine)
    with pytest.raises(Refusal, match=not_mounted):
        gather(running.machine)
    with pytest.raises(Refusal, match=not_mounted):
        unattended.take(tmp_path, running.machine, lambda _: None)
    away.rename(running.root / name)
    assert health.missing(running.machine) == frozenset()


def test_a_boot_without_cfg_takes_nothing_and_says_so(tmp_path: Path) -> None:
    script = Script.make(tmp_path, "firstboot", "exitisp_site")
    (tmp_path / "cfg").mkdir()
    script.mounts("data")
    script.program(CHOOSER, f"touch {tmp_path}/chosen")
    assert "/cfg is not there" in script.run().stderr
    assert not (tmp_path / "chosen").exists()


def test_a_boot_tells_a_damaged_configuration_from_none(tmp_path: Path) -> None:
    script = Script.make(tmp_path, "firstboot", "exitisp_site")
    (tmp_path / "cfg").mkdir()
    script.mounts("cfg")
    script.program(CHOOSER, "exit 1")
    assert "This box is not configured" in script.run().stdout
    (tmp_path / "cfg/generations/0001").mkdir(parents=True)
    assert "of a configuration is whole: no network, and the wizard" in script.run().stdout


@pytest.mark.parametrize("mark", ["there", "absent", "a folder"])
@pytest.mark.parametrize("data", ["whole", "without its mark", "gone"])
@pytest.mark.parametrize("was_configured", [False, True])
def test_data_of_a_configured_box_is_never_made_anew(
    tmp_path: Path, mark: str, data: str, was_configured: bool
) -> None:
    script = Script.make(tmp_path, "base", "exitisp_storage")
    for name in ("cfg/state", "data", "dev/gpt"):
        (tmp_path / name).mkdir(parents=True)
    if was_configured:
        (tmp_path / "cfg/generations").mkdir()
    if mark == "there":
        (tmp_path / "cfg/state/data-made").touch()
    if mark == "a folder":
        (tmp_path / "cfg/state/data-made").mkdir()
    if data == "whole":
        (tmp_path / "data/.made").touch()
    gone = 'case "$*" in */data) exit 1 ;; esac' if data == "gone" else ""
    script.program("mount", gone)
    script.program("newfs", f"touch {tmp_path}/made")
    script.program("glabel", "echo gpt/data N/A ada0p7")
    for name in ("fsck_ffs", "gpart", "umount", "sysctl", "nvmecontrol", "camcontrol", "sleep"):
        script.program(name, "")
    ended = script.run()
    made = (tmp_path / "made").exists()
    assert made == (mark == "absent" and data != "whole" and not was_configured)
    if data == "gone" and was_configured:
        assert "/data is not there" in ended.stderr


def test_boot_programs_are_renewed_unless_the_record_is_that_of_the_release(
    tmp_path: Path,
) -> None:
    """Renewing them when they are right already changes nothing."""
    script = Script.make(tmp_path, "firstboot", "exitisp_trial")
    script.program("usr/local/libexec/exitisp/disk", "echo bootme")
    script.program("kenv", "echo rootA")
    script.program("daemon", f'shift; echo "$@" >{tmp_path}/started')
    stamp = tmp_path / "usr/local/share/exitisp/release.json"
    stamp.parent.mkdir(parents=True)
    stamp.write_text('{"version": "1.0"}\n')
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "usr/local/bin/exitisp").touch(0o755)
    (tmp_path / "var/run/exitisp").mkdir(parents=True)
    (tmp_path / "var/run/exitisp/generation").touch()
    record = tmp_path / "cfg/state/boot-programs"
    record.parent.mkdir(parents=True)
    record.write_bytes(stamp.read_bytes())
    script.run()
    assert not (tmp_path / "started").exists()
    for way in damaged(record):
        script.run()
        assert "bootcode" in (tmp_path / "started").read_text(), way
        (tmp_path / "started").unlink()
    record.unlink()
    script.run()
    assert "bootcode" in (tmp_path / "started").read_text()


@pytest.mark.parametrize("way", ["absent", *DAMAGE])
def test_what_was_kept_is_read_or_refused(tmp_path: Path, way: str) -> None:
    path = tmp_path / "kept"
    if way == "absent":
        assert kept(path) is None
        return
    path.write_bytes(b"x" * 9)
    assert kept(path, 9) == b"x" * 9
    with pytest.raises(Refusal, match="it has more than 8 bytes"):
        kept(path, 8)
    path.write_bytes(b"")
    with pytest.raises(Refusal, match="it is empty"):
        kept(path)


def test_a_damaged_host_key_is_replaced_and_told(tmp_path: Path) -> None:
    """sshd does not start without one."""
    (settings,) = (
        file.text
        for file in render(example().value, BOX, ROOT / "overlays")
        if file.path == "etc/rc.conf.d/sshd"
    )
    key = tmp_path / "cfg/ssh/ssh_host_ed25519_key"
    text = settings.replace("/cfg", f"{tmp_path}/cfg")

    def start() -> str:
        command = f'warn() {{ echo "$*"; }}; {text}\neval "$sshd_setup"'
        ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return ran.stdout

    assert not start()
    assert key.stat().st_size
    before = key.read_bytes()
    assert not start()
    assert key.read_bytes() == before
    for change in DAMAGE.values():
        key.write_bytes(change(before))
        assert "is damaged" in start()
        assert not start()


def test_a_damaged_history_names_nothing_that_ran_before(running: Box) -> None:
    for way in damaged(running.machine.cfg / history.PLACE):
        with pytest.raises(Refusal, match="nobody knows what ran before"):
            running.machine.history.steps()
        assert running.machine.history.needed() == {1}, way
    assert len(running.machine.history.steps()) == 1


def test_a_damaged_note_of_what_ran_well_keeps_no_boot_from_running_something(
    running: Box,
) -> None:
    for way in damaged(running.machine.cfg / WELL):
        chosen = running.machine.generations.chosen()
        assert chosen is not None, way
        assert chosen_by_sh(running.root) == chosen.folder.name == "0001", way


def test_a_damaged_record_of_a_change_counts_as_not_confirmed(running: Box) -> None:
    record = running.machine.cfg / unconfirmed.PLACE
    unconfirmed.write(Unconfirmed(2, 1, 10, 0, ()), running.machine)
    for way in damaged(record):
        for command in (confirm.confirm, status):
            with pytest.raises(Refusal, match="a change counts as not confirmed"):
                command(running.machine, lambda _: None)
        assert record.exists(), way
    record.unlink()
    assert confirm.told(running.machine) == ""


def test_a_boot_looks_for_a_change_that_is_not_confirmed_before_it_lays_files(
    tmp_path: Path,
) -> None:
    script = Script.make(tmp_path, "firstboot", "exitisp_site")
    script.mounts("cfg")
    script.program(CHOOSER, f"echo choose >>{tmp_path}/order; exit 1")
    script.program("usr/local/bin/exitisp", f"echo $1 >>{tmp_path}/order")
    script.program("timeout", 'shift; exec "$@"')
    (tmp_path / "cfg/state").mkdir(parents=True)
    script.run()
    assert "settle" not in (tmp_path / "order").read_text()
    (tmp_path / "order").unlink()
    (tmp_path / "cfg/state/unconfirmed.json").touch()
    script.run()
    assert (tmp_path / "order").read_text().splitlines()[:2] == ["settle", "choose"]


def test_damaged_signing_keys_that_were_cut_off_are_told_and_not_laid(box: Box) -> None:
    applied(box, OFFLINE)
    pending = box.machine.cfg / relay_keys.PENDING
    relay_keys.finish(box.machine, lambda _: None)
    pending.write_bytes(compose([signing_keys(1)]))
    for way in damaged(pending):
        with pytest.raises(Refusal, match=r"relay-keys: it"):
            relay_keys.finish(box.machine, lambda _: None)
        assert not (box.root / "data/tor/relay1/keys").exists(), way
    relay_keys.finish(box.machine, lambda _: None)
    assert (box.root / "data/tor/relay1/keys").exists()
    assert not pending.exists()


def test_a_damaged_key_or_mark_keeps_no_journal_from_being_written(box: Box) -> None:
    keyed = with_key(box)
    append([note()], keyed.machine)
    for name in (f"{KEY}.pub", KEY, MARK):
        for way in damaged(keyed.machine.cfg / name):
            append([note(way)], keyed.machine)
            found = read(keyed.machine)
            assert found.chain.whole, way
            assert found.unproven, way
            assert found.chain.entries[-1].note.text == way


READERS: dict[Callable[..., object], set[tuple[str, str]]] = {
    test_damaged_generations_are_told_and_never_run: {
        ("box/generations.py", "generations"),
        ("exitisp/site", "generations"),
    },
    test_a_damaged_link_to_the_current_generation_is_told: {
        ("box/generations.py", "current"),
        ("exitisp/site", "current"),
    },
    test_the_wizard_asks_for_a_damaged_password_again: {("box/setup.py", "accounts/root")},
    test_a_boot_does_not_set_a_damaged_password_and_says_so: {
        ("rc.d/exitisp_site", "accounts/root"),
        ("init.d/exitisp_site", "accounts/root"),
    },
    test_damaged_answers_are_set_aside_and_told: {
        ("box/setup.py", "DRAFT"),
        ("box/setup.py", "draft-{running.number:04d}.yaml"),
        ("box/unattended.py", "draft.yaml"),
    },
    test_a_mark_that_cannot_be_removed_is_told: {
        ("box/unattended.py", "taken"),
        ("rc.d/exitisp_site", "taken"),
        ("init.d/exitisp_site", "taken"),
    },
    test_a_slot_is_not_confirmed_by_a_damaged_record_of_signs: {
        ("upgrade/health.py", "state/signs.json")
    },
    test_a_damaged_history_names_nothing_that_ran_before: {("box/history.py", "PLACE")},
    test_a_damaged_note_of_what_ran_well_keeps_no_boot_from_running_something: {
        ("box/generations.py", "WELL"),
        ("exitisp/site", "state/well"),
    },
    test_a_damaged_record_of_a_change_counts_as_not_confirmed: {("box/unconfirmed.py", "PLACE")},
    test_a_boot_looks_for_a_change_that_is_not_confirmed_before_it_lays_files: {
        ("init.d/exitisp_site", "state/unconfirmed.json"),
        ("rc.d/exitisp_site", "state/unconfirmed.json"),
    },
    test_damaged_signing_keys_that_were_cut_off_are_told_and_not_laid: {
        ("box/relay_keys.py", "PENDING")
    },
    test_a_backup_of_a_damaged_key_is_refused: {("backup/archive.py", "")},
    test_a_damaged_key_or_mark_keeps_no_journal_from_being_written: {
        ("journal/signature.py", "KEY"),
        ("journal/signature.py", "{KEY}.pub"),
        ("journal/store.py", "MARK"),
    },
    test_data_of_a_configured_box_is_never_made_anew: {
        ("rc.d/exitisp_storage", "state/data-made"),
        ("rc.d/exitisp_storage", "generations"),
    },
    test_a_boot_tells_a_damaged_configuration_from_none: {("rc.d/exitisp_site", "generations")},
    test_boot_programs_are_renewed_unless_the_record_is_that_of_the_release: {
        ("rc.d/exitisp_trial", "state/boot-programs")
    },
    test_a_damaged_host_key_is_replaced_and_told: {
        ("templates/sshd.j2", "ssh"),
        ("templates/sshd.j2", "ssh/new"),
        ("templates/sshd.j2", "ssh/new.pub"),
        ("templates/sshd.j2", "ssh/ssh_host_ed25519_key"),
        ("templates/sshd.j2", "ssh/ssh_host_ed25519_key.pub"),
        ("templates/sshd_config.j2", "ssh/ssh_host_ed25519_key"),
    },
}
"""What reads which files below /cfg, by the test that damages them."""

OTHERS = {
    ("box/generations.py", ".current.new"),  # written
    ("box/generations.py", ""),  # synchronised
    ("box/history.py", ""),  # handed on to generations.py
    ("box/machine.py", ""),  # handed on to generations.py
    ("box/setup.py", "accounts"),  # made
    ("box/unattended.py", ""),  # synchronised
    ("etc/rc.conf", "entropy"),  # what rc.d/random does not find it does without
    ("upgrade/boot_programs.py", "state"),  # made
}

IN_PYTHON = re.compile(r"\.cfg\b((?: / (?:f?\"[^\"]+\"|[A-Z]+))*)")
IN_SCRIPTS = re.compile(r"(?:\$root|(?<!\w))/cfg/([\w./-]*\w)")


def test_every_reader_is_in_the_table() -> None:
    found = set()
    for path in sorted((ROOT / "firstboot").rglob("*.py")):
        for match in IN_PYTHON.finditer(path.read_text()):
            words = re.findall(r"\"([^\"]+)\"|([A-Z]+)", match[1])
            found.add((_name(path), "/".join(text or constant for text, constant in words)))
    places = (ROOT / "overlays", ROOT / "image/rehearsal/overlay")
    for path in sorted(path for place in places for path in place.rglob("*") if path.is_file()):
        if path.suffix not in (".8", ".yaml", ".md"):
            text = path.read_text(errors="replace")
            found |= {(_name(path), match[1]) for match in IN_SCRIPTS.finditer(text)}
    assert found == OTHERS.union(*READERS.values())


def _name(path: Path) -> str:
    return "/".join(path.parts[-2:])
